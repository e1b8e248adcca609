# SPDX-License-Identifier: Apache-2.0
"""Programs of the attacker's before the image or in its place, and older images of the vendor's (B6, B7, B20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.pcrs import PcrDigests
from strongroom.measure.predict import measure_image
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.boots import Boot, boot_to_kernel
from strongroom.twin.attack.disk import put_on_esp
from strongroom.twin.attack.efi_program import chain_loader, driver, program
from strongroom.twin.attack.gates import GatedAttack
from strongroom.twin.attack.target import BOOT_PATH
from strongroom.twin.attack.uki_variant import older_variant
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.variables import file_option, option_variables

DRIVER_MARK, PROGRAM_MARK, LOADER_MARK = "[attacker: driver]", "[attacker: program]", "[attacker: boot loader]"
_ON_ESP, _ON_FIRMWARE = "EFI/attacker.efi", "\\EFI\\attacker.efi"
_EMPTY_DISK_BYTES = 1 << 20


def _with_option(kind: str, contents: bytes) -> Callable[[Arena], Boot]:
    def boots(arena: Arena) -> Boot:
        variables = EfiVariables(option_variables(kind, [file_option(_ON_FIRMWARE)]))
        with arena.disk_copy(kind) as disk:
            put_on_esp(disk, {_ON_ESP: contents})
            return boot_to_kernel(arena, Hardware(disk, variables=variables))

    return boots


def _through_a_loader(arena: Arena) -> Boot:
    with arena.disk_copy("chain-load") as disk:
        put_on_esp(disk, {BOOT_PATH: chain_loader(arena.target.image, LOADER_MARK)})
        return boot_to_kernel(arena, Hardware(disk))


def _behind_an_empty_disk(arena: Arena) -> Boot:
    with arena.empty_disk("empty", _EMPTY_DISK_BYTES) as empty:
        return boot_to_kernel(arena, Hardware(arena.target.disk, disks_before=(empty,)))


def _older(arena: Arena) -> bytes:
    return arena.shared.get("older image", lambda: older_variant(arena.target.image))


def _an_older_image(arena: Arena) -> Boot:
    with arena.disk_copy("older") as disk:
        put_on_esp(disk, {BOOT_PATH: _older(arena)})
        return boot_to_kernel(arena, Hardware(disk))


def _admits_older(arena: Arena) -> Sequence[PcrDigests]:
    return [measure_image(_older(arena), secure_boot=None).pcrs]


ROWS = tuple(
    each.row()
    for each in (
        GatedAttack(
            "chain-load",
            "B6",
            "another boot loader that starts the image",
            _through_a_loader,
            gates=(4,),
            mark=LOADER_MARK,
        ),
        GatedAttack(
            "failed-option",
            "B6",
            "a boot option that fails before the image is tried",
            _behind_an_empty_disk,
            gates=(4,),
        ),
        GatedAttack(
            "old-image",
            "B7",
            "an older release of the vendor's that was withdrawn",
            _an_older_image,
            gates=(4,),
            removed="the older release is still admitted by the key policy",
            admits=_admits_older,
        ),
        GatedAttack(
            "driver",
            "B20",
            "an EFI driver of a Driver#### option, before the image",
            _with_option("Driver", driver(DRIVER_MARK)),
            gates=(2,),
            mark=DRIVER_MARK,
        ),
        GatedAttack(
            "preparation",
            "B20",
            "an EFI program of a SysPrep#### option, before the image",
            _with_option("SysPrep", program(PROGRAM_MARK)),
            gates=(4,),
            mark=PROGRAM_MARK,
        ),
    )
)
