# SPDX-License-Identifier: Apache-2.0
"""Kernel, EFI stub and busybox from Debian's own packages, for images that the twin boots.

No root, and nothing of the system changes: apt runs with package lists and a cache of its own, over the sources of
/etc/apt, and checks their signatures as always; packages are unpacked, not installed. What was fetched stays in a
folder, so the next run needs no network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.uki import Architecture
from strongroom.imaging.apt import REMEDY, Apt, Progress

MAX_PART_BYTES = 256 << 20
_MANIFEST = "parts.json"
_PARTS = ("kernel", "stub", "busybox")


@dataclass(frozen=True, slots=True)
class UkiParts:
    """Files to make a bootable UKI of, and the version of each package that they came from."""

    kernel: Path
    stub: Path
    busybox: Path
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Flavour:
    debian: str
    kernel_package: str
    stub_name: str


_FLAVOURS = {
    Architecture.X86_64: _Flavour("amd64", "linux-image-cloud-amd64", "linuxx64.efi.stub"),
    Architecture.ARM64: _Flavour("arm64", "linux-image-cloud-arm64", "linuxaa64.efi.stub"),
}


def fetch_debian_uki_parts(
    cache_dir: Path, *, progress: Progress, architecture: Architecture = Architecture.X86_64
) -> UkiParts:
    """Return the parts from `cache_dir`, after fetching them there if they are missing or damaged.

    Raises LocalFault where there is no apt or the disk is full, ServiceFault where packages cannot be had.
    """
    folder = cache_dir / f"debian-{architecture.value}"
    found = _cached(folder)
    if found is not None:
        return found
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache_dir) as scratch:
            _fetch(Path(scratch), folder, _FLAVOURS[architecture], progress)
    except OSError as error:
        raise LocalFault("debian.cache", f"cannot write {cache_dir}: {error.strerror}") from error
    found = _cached(folder)
    if found is None:
        raise LocalFault("debian.cache", f"expected the parts in {folder}, found them changed while they were written")
    return found


def _fetch(scratch: Path, folder: Path, flavour: _Flavour, progress: Progress) -> None:
    apt = Apt.prepare(scratch / "apt", flavour.debian)
    progress("reading Debian's package lists")
    apt.run("apt-get", "update", "-qq")
    packages = (apt.dependency(flavour.kernel_package, "linux-image-"), "systemd-boot-efi", "busybox-static")
    progress(f"downloading {', '.join(packages)}")
    downloads = scratch / "packages"
    downloads.mkdir()
    apt.run("apt-get", "download", "-qq", *packages, folder=downloads)
    progress("unpacking them")
    tree, ready = scratch / "tree", scratch / "ready"
    versions = dict(sorted(apt.unpack(package, tree) for package in sorted(downloads.glob("*.deb"))))
    ready.mkdir()
    _collect(tree, ready, flavour, versions)
    if folder.exists():  # damaged, or just written by somebody else: either way ours is good
        folder.rename(scratch / "old")
    try:
        ready.rename(folder)
    except OSError:
        if not folder.exists():  # otherwise another run was faster, and the caller looks at what it wrote
            raise


def _collect(tree: Path, ready: Path, flavour: _Flavour, versions: Mapping[str, str]) -> None:
    patterns = {
        "kernel": ("boot/vmlinuz-*",),
        "stub": (f"usr/lib/systemd/boot/efi/{flavour.stub_name}",),
        "busybox": ("bin/busybox", "usr/bin/busybox"),
    }
    digests = {}
    for part, places in patterns.items():
        found = sorted(path for place in places for path in tree.glob(place))
        if len(found) != 1:
            raise LocalFault(
                "debian.contents", f"expected one {part} in the packages, found {len(found)}", remedy=REMEDY
            )
        shutil.copyfile(found[0], ready / part)
        digests[part] = _digest(ready / part)
    manifest = {"sha256": digests, "versions": dict(versions)}
    write_file(ready / _MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n", mode=PUBLIC_MODE)


def _cached(folder: Path) -> UkiParts | None:
    """Return what the folder holds if every file is what it was when it was fetched."""
    try:
        manifest = json.loads(read_file(folder / _MANIFEST, maximum_bytes=65_536))
        if any(_digest(folder / part) != manifest["sha256"][part] for part in _PARTS):
            return None
        versions = {str(name): str(version) for name, version in manifest["versions"].items()}
    except (LocalFault, FormatError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return UkiParts(folder / "kernel", folder / "stub", folder / "busybox", versions)


def _digest(path: Path) -> str:
    return hashlib.sha256(read_file(path, maximum_bytes=MAX_PART_BYTES)).hexdigest()
