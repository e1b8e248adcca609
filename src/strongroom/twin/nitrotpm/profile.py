# SPDX-License-Identifier: Apache-2.0
"""What kind of TPM it says it is, and its limits.

What AWS tells or shows of NitroTPM is here as it is; what nobody outside AWS knows is a setting, so that software can
be tried against either answer (docs/twin.md lists both).
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import Alg

MAX_SESSIONS = 64
"""Active sessions, loaded or saved (MAX_ACTIVE_SESSIONS)."""

LOCALITIES = range(5)
"""Those that have a bit of their own in TPMA_LOCALITY (Part 2, section 8.5), as the hardware of a PC client has."""
CONTEXT_HASH = Alg.SHA512
"""CONTEXT_INTEGRITY_HASH_ALG: of all that a TPM says to itself (TPM_PT_CONTEXT_HASH)."""
CONTEXT_KEY_BITS = 256
"""AES, of saved contexts (TPM_PT_CONTEXT_SYM_SIZE)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The answers that may differ between TPMs."""

    banks: tuple[Alg, ...] = (Alg.SHA1, Alg.SHA256, Alg.SHA384, Alg.SHA512)
    """PCR banks that are active. NitroTPM documents show SHA-384; which others NitroTPM has is not published."""
    manufacturer: str = "AMZN"
    vendor: str = "NitroTPM"
    """At most 16 characters."""
    firmware_version: int = 0x2026010100000000
    nv_buffer_bytes: int = 1024
    """NV_BUFFER_MAX: how much one NV_Write or NV_Read moves. Not known of NitroTPM."""
    nv_index_bytes: int = 8192
    """The largest NV index. AWS's client defines one of this size."""
    nv_indices: int = 64
    loaded_objects: int = 64
    """Transient objects; other TPMs have three, and expect a resource manager."""
    persistent_objects: int = 64
    loaded_sessions: int = 64
    lists_vendor_command: bool = True
    """Whether TPM_CAP_COMMANDS names AWS's command. Linux before 6.3 refuses it on /dev/tpmrm0 either way."""
    needs_retry_first: bool = False
    """Whether the first authorization that counts for the lockout is answered TPM_RC_RETRY, as by libtpms."""


DEFAULT_PROFILE = Profile()
