# SPDX-License-Identifier: Apache-2.0
"""What one boot asks of a TPM, as commands.

Counts and arguments are those of a boot of a UKI that was listened to: OVMF 2022.11 and Linux 6.1 in QEMU (tpm-crb), a
TPM with four banks. Digests are made up, and commands of one kind stand together: in the boot they alternate. What the
tests' guest reads of PCRs by itself is left out.
"""

from __future__ import annotations

from tests.tpm_commands import DIGEST_SIZES, EMPTY, PLATFORM, SHA256, Command, digests, selection, sized, u16, u32

_PCRS, _PROPERTIES, _COMMANDS = 5, 6, 2
"""TPM_CAP (Part 2, section 6.12)."""
_FIRST_PROPERTIES = (0x105, 0x10B, 0x10C, 0x11E, 0x11F, 0x129)
_ASKED_FOR_BANKS = 77
_READ_IN_ALL_BANKS = (3, 7, 0, 1, 4, 5, 9, 2, 6)
"""PCRs that firmware and stub read before they extend them."""
_EACH_READ = 4
_IMA = range(10)
"""PCRs whose digest Linux extends PCR 10 with."""
_EXTENDS = 36
_MEASURED_INTO = 11
EXTEND = Command(
    "PCR_Extend", (_MEASURED_INTO,), digests(*((bank, bytes(size)) for bank, size in DIGEST_SIZES.items())), EMPTY
).content
"""PCR_Extend with a digest for each of the four banks."""


def _capability(capability: int, first: int) -> Command:
    return Command("GetCapability", (), u32(capability) + u32(first) + u32(1))


def _boot() -> tuple[bytes, ...]:
    read_all = [Command("PCR_Read", (), selection(*((b, [pcr]) for b in DIGEST_SIZES))) for pcr in _READ_IN_ALL_BANKS]
    commands = [
        Command("ReadClock"),  # QEMU wants to know which TPM it is: refused, for it was not started
        Command("Startup", (), u16(0)),
        *[Command("SelfTest", (), bytes([1]))] * 2,
        *[_capability(_PCRS, 0)] * _ASKED_FOR_BANKS,
        *(_capability(_PROPERTIES, first) for first in _FIRST_PROPERTIES),
        *[_capability(_COMMANDS, 0x11F)] * 2,
        *read_all * _EACH_READ,
        *(Command("PCR_Read", (), selection((SHA256, [pcr]))) for pcr in _IMA),
        Command("HierarchyChangeAuth", (PLATFORM,), sized(bytes(range(1, 65))), EMPTY),
        Command("Shutdown", (), u16(0)),
    ]
    plain = [command.content for command in commands]
    return (*plain[:-2], *[EXTEND] * _EXTENDS, *plain[-2:])


BOOT = _boot()
"""The commands of one boot, from power on to power off."""
