# SPDX-License-Identifier: Apache-2.0
"""Guests of the attacker's own: kernel, stub and command line of the image, and a small system in the initrd.

They answer what the image's kernel and command line allow somebody who is root in it, in seconds and whatever the image
holds. The system is Debian's busybox and a script; what it says goes to the first serial port, whatever the command
line says about consoles. It reads words there, too.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence

from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.uki_variant import variant
from strongroom.twin.debian import fetch_debian_uki_parts
from strongroom.twin.initrd import (
    InitrdEntry,
    build_initrd,
    character_device_entry,
    folder_entry,
    link_entry,
    program_entry,
)

APPLETS = ("sh", "mount", "cat", "dd", "dmesg", "echo", "grep", "sleep", "sync", "tail", "tr")
_BEGIN = """#!/bin/sh
exec >/dev/ttyS0 2>&1 </dev/ttyS0
mount -t proc proc /proc
mount -t sysfs sysfs /sys
"""
_WAIT = "\nwhile :; do sleep 60; done\n"
_SERIAL = {"major": 4, "minor": 64}
_CONSOLE = {"major": 5, "minor": 1}
_LEVEL = 1


def guest_initrd(arena: Arena, script: str, extra: Sequence[InitrdEntry] = ()) -> bytes:
    """Return an initrd that runs lines of shell and then waits. Raises what `fetch_debian_uki_parts` raises."""
    busybox = arena.shared.get("busybox", lambda: _busybox(arena))
    entries = [
        program_entry("bin/busybox", busybox),
        *(link_entry(f"bin/{name}", "busybox") for name in APPLETS),
        program_entry("init", (_BEGIN + script + _WAIT).encode()),
        *map(folder_entry, ("dev", "proc", "sys")),
        character_device_entry("dev/console", **_CONSOLE),
        character_device_entry("dev/ttyS0", **_SERIAL),
        *extra,
    ]
    return gzip.compress(build_initrd(entries), compresslevel=_LEVEL, mtime=0)


def guest_image(image: bytes, initrd: bytes) -> bytes:
    """Return the image with another initrd."""
    return variant(image, {".initrd": initrd})


def _busybox(arena: Arena) -> bytes:
    return fetch_debian_uki_parts(arena.cache, progress=lambda _: None).busybox.read_bytes()
