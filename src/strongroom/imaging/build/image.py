# SPDX-License-Identifier: Apache-2.0
"""The unified kernel image: kernel, initrd and command line behind Debian's EFI stub (systemd-stub(7), UAPI.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.formats.uki import assemble_uki
from strongroom.imaging.build.workshop import Workshop
from strongroom.imaging.kernel_modules import find_modules, in_order
from strongroom.imaging.stub_mark import missing_mark

KERNEL_ARGUMENTS = (
    "console=ttyS0",
    "quiet",
    "ro",
    "panic=-1",
    "lockdown=integrity",
    "nohibernate",
    "efi=noruntime",
    "efi_pstore.pstore_disable=1",
    "rd.shell=0",
    "rd.emergency=halt",
    "systemd.gpt_auto=0",
    "systemd.getty_auto=no",
    "systemd.import_credentials=no",
    "systemd.verity_root_options=panic-on-corruption",
    "systemd.volatile=state",
)
"""After `roothash=`. docs/formats/image-spec.md says why for each."""
_LEVEL = "-19"


@dataclass(frozen=True, slots=True)
class BootParts:
    """What of the unpacked packages boots."""

    release: str
    """The kernel's version, as `uname -r` says it."""
    kernel: bytes
    config: bytes
    stub: bytes
    busybox: bytes
    modules: Mapping[str, bytes]
    """In the order in which they are loaded."""


def unpack_boot_parts(debs: Sequence[Path], modules: Sequence[str], workshop: Workshop) -> BootParts:
    """Return the parts of the packages. Raises LocalFault for packages that are not what they should be."""
    tree = workshop.make("boot")
    for deb in debs:
        workshop.run("unpacking the kernel", ["dpkg-deb", "--extract", str(deb), str(tree)])
    kernel = _one(tree, "boot/vmlinuz-*")
    release = kernel.name.removeprefix("vmlinuz-")
    return BootParts(
        release=release,
        kernel=kernel.read_bytes(),
        config=_one(tree, f"boot/config-{release}").read_bytes(),
        stub=_one(tree, "usr/lib/systemd/boot/efi/linuxx64.efi.stub").read_bytes(),
        busybox=_one(tree, "**/bin/busybox").read_bytes(),
        modules=in_order(modules, find_modules(tree)),
    )


def command_line(root_hash: str, further: Sequence[str]) -> str:
    """Return the kernel's command line for a root."""
    return " ".join((f"roothash={root_hash}", *KERNEL_ARGUMENTS, *further))


def compress(initrd: bytes, workshop: Workshop) -> bytes:
    """Return an initrd as the kernel unpacks it. One thread, so that the bytes do not depend on the machine."""
    plain, packed = workshop.folder / "initrd", workshop.folder / "initrd.zst"
    plain.write_bytes(initrd)
    workshop.run(
        "compressing the initrd", ["zstd", "--quiet", _LEVEL, "-T1", "--no-progress", str(plain), "-o", str(packed)]
    )
    return packed.read_bytes()


def assemble(parts: BootParts, os_release: bytes, line: str, initrd: bytes) -> bytes:
    """Return the image, not signed."""
    return assemble_uki(parts.stub, [*_sections(parts, os_release, line, initrd)])


def _sections(parts: BootParts, os_release: bytes, line: str, initrd: bytes) -> Iterator[tuple[str, bytes]]:
    yield from missing_mark(parts.stub)
    yield ".osrel", os_release
    yield ".cmdline", line.encode() + b"\0"
    yield ".uname", parts.release.encode()
    yield ".initrd", initrd
    yield ".linux", parts.kernel


def _one(tree: Path, pattern: str) -> Path:
    found = sorted(tree.glob(pattern))
    if len(found) != 1 or found[0].is_symlink():
        raise LocalFault("image.no-part", f"expected one {pattern} in the packages of the boot, found {len(found)}")
    return found[0]
