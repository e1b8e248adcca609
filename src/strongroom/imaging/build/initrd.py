# SPDX-License-Identifier: Apache-2.0
"""The initrd: busybox, veritysetup, a few modules, and one script that opens the root or stops the machine.

Everything in it comes from the packages of this build, nothing from the machine that builds.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator, Mapping

from strongroom.errors import FormatError
from strongroom.formats.cpio import encode_cpio
from strongroom.imaging.build.shared_libraries import libraries_of
from strongroom.imaging.tree.tree import Tree

MODULES = ("dm-verity", "erofs", "virtio_net", "virtio_pci", "ena")
"""What opens the root, and the network cards of EC2 (ENA) and of QEMU. NVMe and TPM are built into Debian's kernel."""
STATE_MODULES = ("dm-crypt", "ext4")
VERITYSETUP = "/usr/sbin/veritysetup"
_APPLETS = ("sh", "cat", "echo", "grep", "insmod", "mkdir", "mount", "poweroff", "sed", "sleep", "switch_root")
_FILE, _PROGRAM = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_FOLDER, _LINK = stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
_FOLDERS = ("dev", "proc", "run", "sys", "root")
INIT = b"""#!/bin/sh
# Opens the root under dm-verity, or switches the machine off. It asks nobody anything.
export PATH=/bin DM_DISABLE_UDEV=1
stop() { echo "strongroom-initrd: $1" > /dev/console; sleep 1; poweroff -f; }
partition() {
  for each in /sys/class/block/*/uevent; do
    if grep -q "^PARTNAME=$1\\$" "$each"; then echo "/dev/$(sed -n 's/^DEVNAME=//p' "$each")"; return; fi
  done
}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /run/cryptsetup
for module in $(cat /modules/order); do insmod "/modules/$module" || stop "cannot load $module"; done
hash=$(sed -n 's/^\\(.* \\)\\{0,1\\}roothash=\\([0-9a-f]\\{64\\}\\)\\( .*\\)\\{0,1\\}$/\\2/p' /proc/cmdline)
[ -n "$hash" ] || stop "no root hash on the command line"
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  root=$(partition root) verity=$(partition verity)
  [ -n "$root" ] && [ -n "$verity" ] && break
  sleep 0.5
done
[ -n "$root" ] && [ -n "$verity" ] || stop "no partitions called root and verity"
veritysetup open --panic-on-corruption "$root" root "$verity" "$hash" || stop "the root does not fit its hash"
mount -t erofs -o ro /dev/mapper/root /root || stop "cannot mount the root"
for each in dev proc sys; do mount --move "/$each" "/root/$each"; done
exec switch_root /root /usr/lib/systemd/systemd
"""


def build_initrd(root: Tree, busybox: bytes, modules: Mapping[str, bytes]) -> bytes:
    """Return the archive, not compressed; veritysetup and its libraries come from `root`.

    Raises FormatError for a root without them.
    """
    if root.resolve(VERITYSETUP) is None:
        raise FormatError("image.no-part", f"expected {VERITYSETUP} in the base, for the initrd, found none")
    return encode_cpio(sorted({each[0]: each for each in _entries(root, busybox, modules)}.values()))


def _entries(root: Tree, busybox: bytes, modules: Mapping[str, bytes]) -> Iterator[tuple[str, int, bytes]]:
    yield "init", _PROGRAM, INIT
    yield "bin/busybox", _PROGRAM, busybox
    for name in _APPLETS:
        yield f"bin/{name}", _LINK, b"busybox"
    yield "bin/veritysetup", _PROGRAM, bytes(root.view(VERITYSETUP))
    folders = {"bin", "modules", *_FOLDERS}
    for path in libraries_of(root, (VERITYSETUP,)):
        inside = path.lstrip("/")
        yield inside, _PROGRAM, bytes(root.view(path))
        folders.update(_above(inside))
    for name, contents in modules.items():
        yield f"modules/{name}.ko", _FILE, contents
    yield "modules/order", _FILE, "".join(f"{name}.ko\n" for name in modules).encode()
    for folder in folders:
        yield folder, _FOLDER, b""


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
