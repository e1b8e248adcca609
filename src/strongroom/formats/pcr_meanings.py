# SPDX-License-Identifier: Apache-2.0
"""What each PCR of a NitroTPM stands for, and what its well-known values mean, in words.

Sources: EC2 User Guide, "Attestation document contents"; TCG PC Client Platform Firmware Profile, section 3.3.4;
systemd-stub(7); for constants, every genuine NitroTPM document seen up to 2026-08. Words only: nothing decides by them.
"""

from __future__ import annotations

from strongroom.formats.pcrs import (
    ALWAYS_MEASURED,
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrIndex,
)

_MEANINGS = {
    0: "EC2's firmware",
    1: "configuration of EC2's firmware; differs from instance to instance",
    2: "EFI drivers that ran before the boot loader",
    3: "configuration of EFI drivers",
    4: "every EFI program that was started: boot loader, unified kernel image",
    5: "the partition table and the boot order",
    6: "the host platform",
    7: "the Secure Boot state and keys",
    8: "commands of GRUB, where GRUB boots",
    9: "files that GRUB read, or the initrds that Linux was given",
    10: "files that Linux's IMA measured; grows while the system runs",
    11: "the sections of the unified kernel image, and systemd's boot phases",
    12: "command lines, credentials and add-ons that came from outside the unified kernel image",
    13: "system extensions that came from outside the unified kernel image",
    14: "the keys of shim",
    15: "volumes and machine id that systemd measured",
    16: "for debugging; software can reset and set it",
    23: "for applications; software can reset and set it",
}
_DYNAMIC_LAUNCH = range(17, 23)
"""TCG PC Client PTP, section 4.6: all ones until a dynamic launch, which EC2 does not offer."""
_EC2_FIRMWARE_PCR0 = bytes.fromhex(
    "6e901b16932f6e036747d7a57696e4a2cc864008ebc016826ca1d7bd42ab5ac8286ccf49cde6c0284cbc4b63d978a2ec"
)
_SEPARATOR_ONLY = "one separator, and nothing was measured beside it"
_ANYWHERE = {
    ZERO_SHA384: "all zeros, nothing was measured into it",
    b"\xff" * SHA384_BYTES: "all ones, its value after power-on",
    SEPARATOR_ONLY_SHA384: _SEPARATOR_ONLY,
    # The same in the SHA-1 and SHA-256 banks, which event logs of other machines have
    bytes.fromhex("b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236"): _SEPARATOR_ONLY,
    bytes.fromhex("3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969"): _SEPARATOR_ONLY,
}
_SOMEWHERE = {
    (0, _EC2_FIRMWARE_PCR0): "the value that every genuine document so far has shown",
    (7, SECURE_BOOT_OFF_PCR7_SHA384): "Secure Boot is off and no keys are enrolled; the same on every such machine",
}
_FROM_OUTSIDE = "NOT zeros: something came from outside the image"
_SET_BY = {
    4: "set by the programs that ran",
    11: "set by the image, then by systemd's boot phases",
    12: _FROM_OUTSIDE,
    13: _FROM_OUTSIDE,
}
"""Of the PCRs whose values come of what booted alone, and not of the machine."""


def pcr_sentence(index: PcrIndex, digest: bytes) -> str:
    """Return what PCR `index` stands for and what is known about `digest`, as one sentence without a full stop."""
    meaning = _MEANINGS.get(index)
    if meaning is None:
        meaning = "dynamic launch, which EC2 does not use" if index in _DYNAMIC_LAUNCH else "not assigned"
    return f"{meaning}: {_value(index, digest)}"


def _value(index: PcrIndex, digest: bytes) -> str:
    if digest in {bytes(len(digest)), b"\xff" * len(digest)}:  # of whatever bank
        digest = digest[:1] * SHA384_BYTES
    if digest == ZERO_SHA384 and index in ALWAYS_MEASURED:
        return "all zeros, which no measured boot leaves: do not trust this machine"
    if digest in _ANYWHERE:
        return _ANYWHERE[digest]
    return _SOMEWHERE.get((index, digest)) or _SET_BY.get(index, "depends on the machine and on what booted")
