# SPDX-License-Identifier: Apache-2.0
"""Disks laid out as other people's image builders lay them out, with small contents: kiwi, mkosi and NixOS's repart.

Each builder by default installs systemd-boot, which starts the unified kernel image from `EFI/Linux`; each can be told
to put that image where the firmware looks instead.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tests.disks import LINUX, Part, gpt_disk, partition
from tests.fat_volumes import Tree, make_fat
from tests.images import RETURN_SUCCESS, make_pe, make_uki

AMAZON_LINUX = b'NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nVARIANT_ID=production\n'
ROOT_X86_64 = uuid.UUID("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")
ROOT_VERITY_X86_64 = uuid.UUID("2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5")
SYSTEMD_BOOT = b"#### LoaderInfo: systemd-boot %s ####\0"


def systemd_boot(version: bytes | None) -> bytes:
    magic = [(".sdmagic", SYSTEMD_BOOT % version)] if version else []
    return make_pe([(".text", RETURN_SUCCESS), *magic])


@dataclass(frozen=True)
class Builder:
    """What a builder makes: its image, the menu that it installs by default, and how it names things."""

    image: bytes
    name: str
    menu: bytes
    esp: str
    rest: tuple[Part, ...]
    loader: Tree

    def _disk(self, tree: Tree) -> bytes:
        esp = partition(make_fat(tree).data, name=self.esp)
        return gpt_disk(esp, *self.rest)

    def direct(self) -> bytes:
        """The image where the firmware looks, and nothing else."""
        return self._disk({"EFI": {"BOOT": {"BOOTX64.EFI": self.image}}})

    def with_menu(self) -> bytes:
        """As the builder does by default."""
        efi: Tree = {
            "BOOT": {"BOOTX64.EFI": self.menu},
            "systemd": {"systemd-bootx64.efi": self.menu},
            "Linux": {self.name: self.image},
        }
        return self._disk({"EFI": efi, "loader": self.loader})

    def doubled(self) -> bytes:
        """The image where the firmware looks, and where a menu would look too."""
        return self._disk({"EFI": {"BOOT": {"BOOTX64.EFI": self.image}, "Linux": {self.name: self.image}}})


_CONFIGURED: Tree = {"loader.conf": b"timeout 0\n", "entries": {}}
BUILDERS = {
    # the stub of Amazon Linux and its menu do not name themselves; verity's hashes follow the data on one partition
    "kiwi": Builder(
        make_uki(version=None, osrel=AMAZON_LINUX, cmdline=b"root=overlay:MAPPER=verityroot rd.shell=0"),
        "kiwi.efi",
        systemd_boot(None),
        "p.UEFI",
        (Part(4000, 4100, "p.lxreadonly", LINUX),),
        _CONFIGURED,
    ),
    "mkosi": Builder(
        make_uki(version=b"257.9-1~deb13u1", cmdline=b"roothash=" + b"ab" * 32),
        "debian-6.12.57+deb13-amd64.efi",
        systemd_boot(b"257.9-1~deb13u1"),
        "esp",
        (Part(4000, 4100, "root-x86-64", ROOT_X86_64), Part(4101, 4110, "root-x86-64-verity", ROOT_VERITY_X86_64)),
        {**_CONFIGURED, "entries.srel": b"type1\n"},
    ),
    "nixos": Builder(
        make_uki(version=b"257.10", osrel=b"ID=nixos\n", cmdline=b"init=/nix/store/x/init usrhash=" + b"cd" * 32),
        "nixos_25.11.efi",
        systemd_boot(b"257.10"),
        "boot",
        (Part(4000, 4100, "store", LINUX),),
        _CONFIGURED,
    ),
}
