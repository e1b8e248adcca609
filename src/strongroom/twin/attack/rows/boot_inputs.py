# SPDX-License-Identifier: Apache-2.0
r"""What the owner of the account adds to a boot of the vendor's own image: variables, and files beside it (B1 to B4).

The image is not touched, so its PCR 4 stays; what is added, systemd-stub measures elsewhere (systemd-stub(7)).
"""

from __future__ import annotations

from collections.abc import Callable

from strongroom.formats.efi_variables import EfiVariables
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.boots import Boot, boot_to_kernel
from strongroom.twin.attack.disk import put_on_esp
from strongroom.twin.attack.gates import GatedAttack
from strongroom.twin.attack.target import BOOT_PATH
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.variables import file_option, option_variables

ADDED = "attacked=by-the-owner"
COMMAND_LINE = f"console=ttyS0 ignore_loglevel init=/bin/sh {ADDED}"
BESIDE = f"{BOOT_PATH}.extra.d"
"""Where systemd-stub looks for credentials and extensions of an image."""
_OPTION_NUMBER = 0x42
_EXTENSION_BYTES = 64 * 1024
_CREDENTIAL = b"passwd.plaintext-password.root=owned"


def _with_load_options(arena: Arena) -> Boot:
    path = "\\" + BOOT_PATH.replace("/", "\\")
    variables = option_variables("Boot", [file_option(path, command_line=COMMAND_LINE)], first=_OPTION_NUMBER)
    hardware = Hardware(arena.target.disk, variables=EfiVariables(variables))
    return boot_to_kernel(arena, hardware, awaited=ADDED)


def _with_file(name: str, contents: bytes) -> Callable[[Arena], Boot]:
    def boots(arena: Arena) -> Boot:
        with arena.disk_copy(name) as disk:
            put_on_esp(disk, {f"{BESIDE}/{name}": contents})
            return boot_to_kernel(arena, Hardware(disk))

    return boots


ROWS = tuple(
    each.row()
    for each in (
        GatedAttack(
            "command-line",
            "B1",
            "another kernel command line in a UEFI boot option",
            _with_load_options,
            gates=(12,),
            mark=ADDED,
        ),
        GatedAttack(
            "credential",
            "B2",
            "a credential on the system partition, beside the image",
            _with_file("root.cred", _CREDENTIAL),
            gates=(12,),
        ),
        GatedAttack(
            "sysext",
            "B3",
            "a system extension on the system partition, beside the image",
            _with_file("evil.sysext.raw", bytes(_EXTENSION_BYTES)),
            gates=(13,),
        ),
        GatedAttack(
            "confext",
            "B4",
            "a configuration extension on the system partition, beside the image",
            _with_file("evil.confext.raw", bytes(_EXTENSION_BYTES)),
            gates=(12, 13),
        ),
    )
)
