# SPDX-License-Identifier: Apache-2.0
"""`appliance.xml`: the description itself (KIWI NG documentation, "Image Description Elements").

Schema version 7.5 is that of Amazon Linux 2023's kiwi; newer ones read it and convert it.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from strongroom.formats.uki import Architecture
from strongroom.imaging.kiwi.plan import BASE_PACKAGES, COLLECTIONS, WITHOUT, KiwiPlan

SCHEMA_VERSION = "7.5"
EDIT_SCRIPT = "edit_boot_install.sh"
SIGNING_KEY = "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-amazon-linux-2023"
"""The key of Amazon Linux's packages, where Amazon Linux keeps it: on the machine that builds."""
_MACHINES = {Architecture.X86_64: "x86_64", Architecture.ARM64: "aarch64"}
"""As kiwi spells them, which goes by `uname -m`."""


def appliance(plan: KiwiPlan) -> bytes:
    """Return the description. Equal plans give equal bytes."""
    image = ET.Element("image", schemaversion=SCHEMA_VERSION, name=plan.name)
    _describe(image, plan)
    _prefer(image, plan)
    repository = ET.SubElement(image, "repository", type="rpm-md", alias="amazon-linux")
    source = ET.SubElement(repository, "source", path=plan.repository)
    ET.SubElement(source, "signing", key=SIGNING_KEY)
    repository.set("sourcetype", "mirrorlist")
    _install(image, plan)
    ET.indent(image)
    text: str = ET.tostring(image, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _describe(image: ET.Element, plan: KiwiPlan) -> None:
    description = ET.SubElement(image, "description", type="system")
    _text(description, "author", "strongroom image kiwi")
    _text(description, "contact", "the vendor of this image")
    _text(description, "specification", f"{plan.name}: an attestable image, booted without a menu")


def _prefer(image: ET.Element, plan: KiwiPlan) -> None:
    preferences = ET.SubElement(image, "preferences", arch=_MACHINES[plan.architecture])
    _text(preferences, "version", "1.0.0")
    _text(preferences, "packagemanager", "dnf")
    _text(preferences, "rpm-excludedocs", "true")
    _text(preferences, "rpm-check-signatures", "true")
    _text(preferences, "timezone", "UTC")
    _text(preferences, "release-version", "2023")
    kind = ET.SubElement(preferences, "type", _type(plan))
    configuration = ET.SubElement(kind, "oemconfig")
    _text(configuration, "oem-resize", "false")
    ET.SubElement(kind, "bootloader", name="systemd_boot", timeout="0")
    initrd = ET.SubElement(kind, "initrd", action="setup")
    ET.SubElement(initrd, "dracut", uefi="true")
    _text(kind, "size", str(plan.disk_gibibytes)).set("unit", "G")


def _type(plan: KiwiPlan) -> dict[str, str]:
    """Return the disk: an ESP with one UKI, and a read-only erofs root whose every block dm-verity checks."""
    return {
        "image": "oem",
        "filesystem": "xfs",
        "firmware": "uefi",
        "kernelcmdline": " ".join(plan.kernel_arguments),
        "overlayroot": "true",
        "overlayroot_write_partition": "false",
        "overlayroot_readonly_filesystem": "erofs",
        "overlayroot_readonly_partsize": str(plan.root_mebibytes),
        "erofscompression": "lz4hc,level=12",
        "verity_blocks": "all",
        "eficsm": "false",
        "bootpartition": "false",
        "efipartsize": str(plan.esp_mebibytes),
        "editbootinstall": EDIT_SCRIPT,
    }


def _install(image: ET.Element, plan: KiwiPlan) -> None:
    packages = ET.SubElement(image, "packages", type="image")
    for name in COLLECTIONS:
        ET.SubElement(packages, "namedCollection", name=name)
    for name in sorted({*BASE_PACKAGES, *plan.packages}):
        ET.SubElement(packages, "package", name=name)
    for name in sorted({*WITHOUT} - {*plan.packages}):
        ET.SubElement(packages, "ignore", name=name)
    first = ET.SubElement(image, "packages", type="bootstrap")
    for name in ("system-release", "dnf"):
        ET.SubElement(first, "package", name=name)


def _text(parent: ET.Element, name: str, words: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = words
    return element
