# SPDX-License-Identifier: Apache-2.0
"""What an image needs of a root that somebody else made: kernel, modules, stub, and the programs of the initrd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.errors import FormatError
from strongroom.formats.uki import Architecture
from strongroom.imaging.tree.tree import Tree

STUBS: Mapping[Architecture, str] = MappingProxyType(
    {Architecture.X86_64: "linuxx64.efi.stub", Architecture.ARM64: "linuxaa64.efi.stub"}
)
"""systemd-stub by processor (systemd-stub(7))."""
PROGRAMS = ("/usr/lib/systemd/systemd", "/usr/sbin/veritysetup")
"""What opens the root in the initrd, and starts the system in it."""
_STUB_FOLDER = "/usr/lib/systemd/boot/efi"
_MODULES = "/usr/lib/modules"
_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "/usr/lib/systemd/systemd": "systemd (systemd-sysv on Debian)",
        "/usr/sbin/veritysetup": "veritysetup (cryptsetup-bin on Debian)",
        "the kernel": "kernel (linux-image-cloud-amd64 on Debian)",
        "the stub": "systemd-boot (systemd-boot-efi on Debian)",
    }
)
"""For what is missing, the package of Amazon Linux 2023, and Debian's."""


@dataclass(frozen=True, slots=True)
class BootParts:
    """Where in a tree the parts of its boot are: paths that lead through no link."""

    version: str
    """Of the kernel, as in the name of its folder of modules."""
    kernel: str
    modules: str
    """The folder of its modules."""
    config: str
    """The kernel's configuration, empty where the tree has none."""
    stub: str
    programs: tuple[str, ...]


def find_boot_parts(tree: Tree, architecture: Architecture, *, programs: Sequence[str] = PROGRAMS) -> BootParts:
    """Return the parts of a tree. Raises FormatError that names everything that is missing, and more than one kernel.

    Amazon Linux keeps the kernel with its modules, Debian in /boot.
    """
    kernels = dict(_kernels(tree))
    if len(kernels) > 1:
        raise FormatError(
            "base.several-kernels",
            f"expected one kernel in the tree, found {len(kernels)}: {', '.join(sorted(kernels))}",
            remedy="Leave one kernel with its modules in it.",
        )
    stub = tree.resolve(f"{_STUB_FOLDER}/{STUBS[architecture]}")
    found = {name: tree.resolve(name) for name in programs}
    missing = [name for name, node in found.items() if node is None or not node.is_executable]
    missing += ["the kernel"] * (not kernels) + ["the stub"] * (stub is None)
    if missing or stub is None:
        raise FormatError(
            "base.missing",
            f"expected a tree that can boot, found it without {', '.join(missing)}",
            remedy=f"Install in it: {'; '.join(_PACKAGES.get(name, name) for name in missing)}.",
        )
    ((version, kernel),) = kernels.items()
    places = (f"{_MODULES}/{version}/config", f"/boot/config-{version}")
    configs = [node.path for node in map(tree.resolve, places) if node is not None and node.is_file]
    return BootParts(
        version=version,
        kernel=kernel,
        modules=_path(tree, f"{_MODULES}/{version}"),
        config=configs[0] if configs else "",
        stub=stub.path,
        programs=tuple(node.path for node in found.values() if node is not None),
    )


def _kernels(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the version of each kernel that has modules, and where it is."""
    for folder in tree.children(_MODULES):
        for place in (f"{folder.path}/vmlinuz", f"/boot/vmlinuz-{folder.name}"):
            node = tree.resolve(place)
            if folder.is_folder and node is not None and node.is_file:
                yield folder.name, node.path
                break


def _path(tree: Tree, path: str) -> str:
    node = tree.resolve(path)
    return path if node is None else node.path
