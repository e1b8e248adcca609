# SPDX-License-Identifier: Apache-2.0
"""A disk that boots a busybox guest with a script of the test's, and what the guest needs for its network."""

from collections.abc import Sequence

from tests.boot.machine import COMMAND_LINE
from tests.disks import gpt_disk, partition
from tests.fat_volumes import make_fat

from strongroom.formats.uki import assemble_uki
from strongroom.twin.debian import UkiParts
from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    file_entry,
    folder_entry,
    link_entry,
    program_entry,
)

APPLETS = (
    "sh",
    "mount",
    "cat",
    "echo",
    "poweroff",
    "reboot",
    "insmod",
    "ip",
    "nc",
    "nslookup",
    "wget",
    "sleep",
    "printf",
    "grep",
    "tail",
    "sed",
    "ntpd",
)
NETWORK = """
for module in /modules/*; do insmod $module || echo "NOT LOADED $module"; done
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
"""


def busybox_initrd(parts: UkiParts, script: str, applets: Sequence[str] = APPLETS) -> bytes:
    """An initrd that runs a script, and switches the machine off after it."""
    init = f"""#!/bin/sh
mount -t sysfs sysfs /sys
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
echo 1 > /proc/sys/kernel/printk
{script}
poweroff -f
"""
    return build_initrd(
        [
            program_entry("bin/busybox", parts.busybox.read_bytes()),
            *(link_entry(f"bin/{name}", "busybox") for name in applets),
            *(
                file_entry(f"modules/{number:02d}-{module.name}", module.read_bytes())
                for number, module in enumerate(parts.network_modules)
            ),
            file_entry("etc/resolv.conf", b"nameserver 10.0.2.3\n"),
            program_entry("init", init.encode()),
            folder_entry("proc"),
            folder_entry("sys"),
            folder_entry("dev"),
            character_device_entry("dev/console", major=5, minor=1),
            character_device_entry("dev/null", major=1, minor=3),
        ]
    )


def busybox_image(parts: UkiParts, script: str, command_line: bytes = COMMAND_LINE) -> bytes:
    sections = [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", command_line),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", busybox_initrd(parts, script)),
    ]
    return bytes(assemble_uki(parts.stub.read_bytes(), sections))


def disk_of(image: bytes, **more: bytes) -> bytes:
    """A GPT disk with one EFI system partition; `more` are files in its root."""
    tree = {"EFI": {"BOOT": {"BOOTX64.EFI": image}}} | {name.replace("_", "."): data for name, data in more.items()}
    return bytes(gpt_disk(partition(make_fat(tree, kind=32).data)))
