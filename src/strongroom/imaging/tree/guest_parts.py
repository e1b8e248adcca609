# SPDX-License-Identifier: Apache-2.0
"""What a helper guest is made of: Debian's kernel with the drivers of file systems, busybox, and tar.

Fetched with apt once, without root, into a cache.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.formats.cpio import encode_cpio
from strongroom.imaging.apt import REMEDY, Apt, Progress
from strongroom.imaging.kernel_modules import find_modules, in_order

KERNEL, INITRD = "kernel", "initrd"
_META = "linux-image-cloud-amd64"
_PACKAGES = ("busybox-static", "tar", "libacl1", "libselinux1", "libpcre2-8-0", "libc6")
_DRIVERS = ("xfs", "btrfs", "f2fs")
_USED_BY_NAME = ("crc32c-intel", "xxhash_generic", "blake2b_generic", "sha256_generic")
"""Modules that drivers ask the kernel for by what they do (`softdep`)."""
_PROGRAMS = {"bin/busybox": ("bin/busybox", "usr/bin/busybox"), "bin/tar": ("bin/tar", "usr/bin/tar")}
_LIBRARIES = ("libc.so.6", "libacl.so.1", "libselinux.so.1", "libpcre2-8.so.0", "ld-linux-x86-64.so.2")
_LIBRARY_FOLDER = "lib/x86_64-linux-gnu"
_FILE, _PROGRAM = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_FOLDER, _LINK = stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
_FOLDERS = ("bin", "dev", "proc", "sys", "tree", "modules", "lib", _LIBRARY_FOLDER, "lib64")
INIT = b"""#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs devtmpfs /dev
$b mount -t sysfs sysfs /sys
for module in $($b cat /modules/order); do $b insmod /modules/$module 2>/dev/null; done
for wait in 1 2 3 4 5 6 7 8 9 10; do
  for disk in /sys/block/nvme*; do
    case "$($b cat $disk/device/serial)" in
      input*) input=/dev/${disk##*/} ;;
      output*) output=/dev/${disk##*/} ;;
    esac
  done
  [ -n "$input" ] && [ -n "$output" ] && break
  $b sleep 0.2
done
if $b mount -t "$helper_kind" -o ro "$input" /tree; then
  /bin/tar --format=posix --xattrs --xattrs-include='*' --numeric-owner --one-file-system -C /tree -cf "$output" . \\
    && echo "HELPER READY" || echo "HELPER FAILED: tar"
else
  echo "HELPER FAILED: mount"
fi
$b sync
$b poweroff -f
"""
"""`helper_kind` is a word of the kernel's command line, which becomes a variable here."""


@dataclass(frozen=True, slots=True)
class GuestParts:
    """A kernel and an initrd that start the guest."""

    kernel: Path
    initrd: Path


def guest_parts(cache: Path, *, progress: Progress) -> GuestParts:
    """Return the parts from a cache, after fetching them there if they are missing.

    Raises LocalFault where there is no apt or the disk is full, ServiceFault where packages cannot be had.
    """
    folder = cache / "helper-guest"
    if not (folder / INITRD).is_file():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as scratch:
                _fetch(Path(scratch), folder, progress)
        except OSError as error:
            raise LocalFault("guest.cache", f"cannot write {cache}: {error.strerror}") from error
    return GuestParts(folder / KERNEL, folder / INITRD)


def _fetch(scratch: Path, folder: Path, progress: Progress) -> None:
    apt = Apt.prepare(scratch / "apt", "amd64")
    progress("reading Debian's package lists")
    apt.run("apt-get", "update", "-qq")
    packages = (apt.dependency(_META, "linux-image-"), *_PACKAGES)
    progress(f"downloading {', '.join(packages)}")
    downloads, tree, ready = (scratch / name for name in ("packages", "tree", "ready"))
    downloads.mkdir()
    apt.run("apt-get", "download", "-qq", *packages, folder=downloads)
    for package in sorted(downloads.glob("*.deb")):
        apt.unpack(package, tree)
    ready.mkdir()
    shutil.copyfile(_one(tree, ("boot/vmlinuz-*",)), ready / KERNEL)
    (ready / INITRD).write_bytes(encode_cpio(_entries(tree)))
    try:
        ready.rename(folder)
    except OSError:
        if not (folder / INITRD).is_file():  # otherwise another run was faster
            raise


def _entries(tree: Path) -> Iterator[tuple[str, int, bytes]]:
    for folder in _FOLDERS:
        yield folder, _FOLDER, b""
    for name, places in _PROGRAMS.items():
        yield name, _PROGRAM, _one(tree, places).read_bytes()
    for library in _LIBRARIES:
        yield f"{_LIBRARY_FOLDER}/{library}", _PROGRAM, _one(tree, (f"**/x86_64-linux-gnu/{library}",)).read_bytes()
    yield "lib64/ld-linux-x86-64.so.2", _LINK, f"/{_LIBRARY_FOLDER}/ld-linux-x86-64.so.2".encode()
    order = in_order((*_USED_BY_NAME, *_DRIVERS), find_modules(tree))
    for name, contents in order.items():
        yield f"modules/{name}.ko", _FILE, contents
    yield "modules/order", _FILE, "".join(f"{name}.ko\n" for name in order).encode()
    yield "init", _PROGRAM, INIT


def _one(tree: Path, places: Sequence[str]) -> Path:
    found = sorted({path.resolve() for place in places for path in tree.glob(place)})
    if len(found) != 1 or not found[0].is_relative_to(tree.resolve()):
        raise LocalFault("guest.contents", f"expected one {places[0]} in the packages, found {found}", remedy=REMEDY)
    return found[0]
