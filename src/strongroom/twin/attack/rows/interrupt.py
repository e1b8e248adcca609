# SPDX-License-Identifier: Apache-2.0
"""A non-maskable interrupt, which the owner may send to any instance (SendDiagnosticInterrupt), to get at memory (B12).

A guest with the image's kernel and command line holds the canary in memory alone: what lies in its initrd is rotated by
13 letters, which stands for what an instance gets sealed and opens. After the interrupt everything that the owner can
read is searched. Without the guard there is a crash kernel, which writes the memory to a disk as kdump does.
"""

from __future__ import annotations

import codecs

from strongroom.errors import LocalFault
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.boots import await_any, running
from strongroom.twin.attack.guest import guest_image, guest_initrd
from strongroom.twin.attack.kexec_program import ON_CRASH, kexec_program
from strongroom.twin.attack.remains import lay_down, search
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.uki_variant import command_line_variant
from strongroom.twin.initrd import InitrdEntry, file_entry, program_entry
from strongroom.twin.qemu.hardware import Hardware

GOES_ON = "kernel: goes on after the interrupt"
_ATTEMPTS = 3
"""A crash kernel does not come up every time."""
_SECONDS = 120
_READY, _DUMPED = "[guest: the secret is in memory]", "[attacker: memory is on the disk]"
_CONFUSED = "trying to continue"
"""What Linux says of an interrupt that it knows no reason for (arch/x86/kernel/nmi.c)."""
_MEMORY_MIB = 384
_DUMP_BYTES = 512 << 20
_HOLD = "tr a-z n-za-m < /sealed > /opened\n"
_CRASH_KERNEL = "crashkernel=128M unknown_nmi_panic"
_DUMP = f"""
mount -t devtmpfs devtmpfs /dev
dd if=/proc/vmcore of=/dev/nvme1n1 bs=1M
sync
echo '{_DUMPED}'
"""


def _play(arena: Arena) -> Ending:
    initrd = guest_initrd(arena, f"{_HOLD}echo '{_READY}'", [_sealed(arena)])
    return _tried(arena, guest_image(arena.target.image, initrd), "interrupt")


def _play_without(arena: Arena) -> Ending:
    """Keep a crash kernel ready, which takes a kernel without lockdown, and panic at such an interrupt."""
    image = command_line_variant(arena.target.image, drop="lockdown=.*", add=_CRASH_KERNEL)
    extra = [
        _sealed(arena),
        program_entry("kexec", kexec_program("console=ttyS0 nr_cpus=1 irqpoll reset_devices", flags=ON_CRASH)),
        file_entry("kernel", bytes(arena.target.uki.kernel)),
        file_entry("initrd", guest_initrd(arena, _DUMP)),
    ]
    initrd = guest_initrd(arena, f"{_HOLD}/kexec && echo '{_READY}'", extra)
    return _tried(arena, guest_image(image, initrd), "interrupt-without")


def _tried(arena: Arena, image: bytes, name: str) -> Ending:
    """Try again where it came to nothing: he may launch and interrupt as often as he likes."""
    ending: Ending = NotPlayed("it was not tried")
    for attempt in range(_ATTEMPTS):
        try:
            ending = _interrupted(arena, image, f"{name}-{attempt}")
        except LocalFault as fault:
            if fault.code != "attack.no-boot":
                raise
            ending = NotPlayed(f"{fault.code}: {fault.message}")
        if not isinstance(ending, NotPlayed):
            break
    return ending


def _interrupted(arena: Arena, image: bytes, name: str) -> Ending:
    remains_folder = arena.folder / f"{name}.remains"
    with arena.own_disk(name, image) as disk, arena.empty_disk(f"{name}.dump", _DUMP_BYTES) as dump:
        hardware = Hardware(disk, disks_behind=(dump,), memory_mib=_MEMORY_MIB)
        with running(arena, hardware) as instance:
            await_any(instance, [_READY], seconds=_SECONDS)
            instance.machine.interrupt()
            reached = await_any(instance, [_CONFUSED, _DUMPED], seconds=_SECONDS)
            places = lay_down(instance, remains_folder, whole_disks=[1])
    remains = search(places, arena.canary, scratch=arena.folder)
    if remains.sightings:
        return Reached(f"{remains}")
    if reached == _DUMPED:
        return NotPlayed(f"memory was written to the disk, but {remains}")
    return Stopped(GOES_ON, f"{remains}")


def _sealed(arena: Arena) -> InitrdEntry:
    return file_entry("sealed", codecs.encode(arena.canary.text, "rot13").encode())


ROWS = (
    Row(
        name="interrupt",
        attack="B12",
        title="a non-maskable interrupt, and a search of all that the owner can read",
        guards=(GOES_ON,),
        removed="an image with a crash kernel that panics at such an interrupt",
        play=_play,
        play_without=_play_without,
    ),
)
