# SPDX-License-Identifier: Apache-2.0
"""Debian's dosfstools, mtools and sfdisk: other people's writers and readers of disks, for tests to compare with."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "mkfs.vfat": "dosfstools",
    "fsck.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "qemu-img": "qemu-utils",
}


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: install the Debian package {PACKAGES.get(name, 'mtools')} (make setup does)"
    return found


def run(name: str, *arguments: object, stdin: str = "") -> str:
    """Run a tool to its end, without anybody's configuration; its output."""
    # mtools writes short names in code page 850 unless told otherwise, and the reader takes 437
    environment = {"LC_ALL": "C.UTF-8", "MTOOLSRC": str(Path(__file__).with_name("mtools.conf")), "TZ": "UTC"}
    done = subprocess.run(
        [tool(name), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, f"{name} {arguments}: {done.stderr}"
    return done.stdout


def make_volume(file: Path, size_bytes: int, *options: object) -> Path:
    """Format a file of so many bytes. The same options give the same bytes."""
    with file.open("wb") as volume:
        volume.truncate(size_bytes)
    run("mkfs.vfat", "--invariant", *options, file)
    return file
