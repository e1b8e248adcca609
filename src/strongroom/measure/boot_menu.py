# SPDX-License-Identifier: Apache-2.0
r"""A disk whose firmware starts a menu, and not the image itself: systemd-boot, as kiwi, mkosi and NixOS install it.

A menu lists the unified kernel images of `\EFI\Linux` and the entries of `\loader\entries`, and starts one of them:
which one, UEFI variables and files beside them say (systemd-boot(7)), and it hands command lines and credentials on. So
what such a disk boots is not one image, and no measurements are given for it (ATTACKS B1, B6).
"""

from __future__ import annotations

import re

from strongroom.errors import FormatError
from strongroom.formats.pe import PeImage, parse_pe
from strongroom.measure.disk import BootFile

_SPEC = "systemd-boot(7), UAPI Boot Loader Specification"
_MAGIC = re.compile(rb"#### LoaderInfo: (systemd-boot \S{1,60}) ####\0*")
_MAX_MAGIC_BYTES = 200


def expect_no_menu(boots: BootFile) -> None:
    r"""Let through what is a unified kernel image, or neither that nor a menu.

    Raises FormatError for a program without a kernel that says it is a menu, or beside which `\EFI\Linux` holds images.
    """
    image = parse_pe(boots.image)
    if any(section.name == ".linux" for section in image.sections):
        return
    name = _loader_name(image)
    if name or boots.unified:
        listed = ", ".join(rf"\EFI\Linux\{file}" for file in boots.unified) or "nothing that was found"
        raise FormatError(
            "disk.boot-menu",
            f"expected the unified kernel image itself in {boots}, found {name or 'another program'}, which starts "
            f"what it finds at run time: {listed}",
            spec=_SPEC,
            remedy=f"Have the image builder put the unified kernel image at {boots.path}, without a menu beside it; "
            "docs/disks.md says how for kiwi, mkosi and NixOS.",
        )


def _loader_name(image: PeImage) -> str:
    for section in image.sections:
        if section.name == ".sdmagic":
            found = _MAGIC.fullmatch(bytes(image.contents(section)[:_MAX_MAGIC_BYTES]))
            return found.group(1).decode("ascii", "replace") if found else ""
    return ""
