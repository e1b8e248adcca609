# SPDX-License-Identifier: Apache-2.0
"""TPM_HT and TPM_RH: kinds of handles, and the permanent ones (Part 2, sections 7.2 and 7.4)."""

from __future__ import annotations

import enum

from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader

PCR_COUNT = 24
"""A PC client's TPM has PCR 0 to 23 (TCG PC Client PTP 1.05, section 4.6)."""
PCR_NAMES = {f"PCR{index}": index for index in range(PCR_COUNT)}
"""As files name them."""
HANDLE_NUMBERS = 0xFFFFFF
"""HR_HANDLE_MASK: the part of a handle that counts within its kind (Part 2, section 7.5)."""


class HandleType(enum.IntEnum):
    """TPM_HT: the first byte of a handle."""

    PCR = 0x00
    NV_INDEX = 0x01
    HMAC_SESSION = 0x02
    POLICY_SESSION = 0x03
    PERMANENT = 0x40
    TRANSIENT = 0x80
    PERSISTENT = 0x81

    @property
    def first(self) -> int:
        """The lowest handle of the kind."""
        return self << 24


class Rh(enum.IntEnum):
    """TPM_RH: the permanent handles."""

    OWNER = 0x40000001
    NULL = 0x40000007
    PASSWORD = 0x40000009
    """TPM_RS_PW: not an entity but a way to authorize, with a password in clear."""
    LOCKOUT = 0x4000000A
    ENDORSEMENT = 0x4000000B
    PLATFORM = 0x4000000C
    PLATFORM_NV = 0x4000000D


HIERARCHIES = (Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.NULL)


def handle_type(handle: int) -> int:
    """Return the first byte of a handle; what it stands for may not be in HandleType."""
    return handle >> 24


def handle_number(handle: int) -> int:
    """Return a handle without its first byte. Sessions of both kinds share their numbers (Part 1, section 15.4)."""
    return handle & HANDLE_NUMBERS


def read_hierarchy(reader: Reader, what: str = "a hierarchy") -> Rh:
    """Take TPMI_RH_HIERARCHY off: with NULL, without the lockout authority. Raises TpmFormatError for others."""
    found = reader.u32(what)
    if found not in HIERARCHIES:
        raise reader.refused(Rc.VALUE, f"expected {what}, found {found:#010x}")
    return Rh(found)
