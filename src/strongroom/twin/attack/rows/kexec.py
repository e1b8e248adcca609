# SPDX-License-Identifier: Apache-2.0
"""Another kernel from the running one, so that everything measured still fits (B9)."""

from __future__ import annotations

from strongroom.measure.predict import measure_image
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.boots import Boot, boot_until
from strongroom.twin.attack.guest import guest_image, guest_initrd
from strongroom.twin.attack.kexec_program import kexec_program
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.uki_variant import command_line_variant
from strongroom.twin.initrd import file_entry, program_entry
from strongroom.twin.qemu.hardware import Hardware

LOCKDOWN = "kernel: lockdown"
_SECONDS = 180
_ANOTHER, _FAILED = "[attacker: another kernel]", "[kexec: error "
_WHY = "Lockdown:"
_SCRIPT = f"""
echo '[attacker: root in the guest]'
/kexec
code=$?
dmesg | grep {_WHY} | tail -n 1
echo "{_FAILED}$code]"
"""


def _boot(arena: Arena, image: bytes, name: str) -> tuple[Boot, bytes]:
    second = guest_initrd(arena, f"echo '{_ANOTHER}'")
    extra = [
        program_entry("kexec", kexec_program("console=ttyS0")),
        file_entry("kernel", bytes(arena.target.uki.kernel)),
        file_entry("initrd", second),
    ]
    guest = guest_image(image, guest_initrd(arena, _SCRIPT, extra))
    with arena.own_disk(name, guest) as disk:
        return boot_until(arena, Hardware(disk), [_ANOTHER, _FAILED], seconds=_SECONDS), guest


def _ending(arena: Arena, image: bytes, name: str) -> Ending:
    boot, guest = _boot(arena, image, name)
    if _ANOTHER not in boot.console:
        why = boot.line_with(_WHY)
        said = f"{boot.line_with(_FAILED)} {why}".strip()
        return Stopped(LOCKDOWN if why else "kernel: refuses kexec", said)
    asked = arena.vendor.ask(arena.safe(admitted=(measure_image(guest, secure_boot=None).pcrs,)), boot.instance)
    if asked.secret == arena.canary.text:
        return Reached(f"{_ANOTHER}, every gate as it was, and KMS gives {asked.secret}")
    return NotPlayed(f"another kernel runs, but {asked.refused_by} refused: a PCR moved")


def _play(arena: Arena) -> Ending:
    return _ending(arena, arena.target.image, "kexec")


def _play_without(arena: Arena) -> Ending:
    return _ending(arena, command_line_variant(arena.target.image, drop="lockdown=.*"), "kexec-without")


ROWS = (
    Row(
        name="kexec",
        attack="B9",
        title="root in the guest starts another kernel, and no PCR moves",
        guards=(LOCKDOWN,),
        removed="an image without lockdown= on its command line",
        play=_play,
        play_without=_play_without,
    ),
)
