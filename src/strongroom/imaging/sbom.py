# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of an image: CycloneDX 1.6 in JSON (ECMA-424; cyclonedx.org/docs/1.6/json).

What stands in it follows from the image alone: the time is the build's, and the serial number a digest of the content.
So equal images have equal bills. Licences are those that Debian's copyright files name, in Debian's words.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.build_record import Base, DebianPackage, FileDigest
from strongroom.formats.dpkg_status import InstalledPackage, parse_dpkg_status
from strongroom.formats.uki import Architecture
from strongroom.imaging.provenance import package_url
from strongroom.imaging.tree.tree import Tree

SBOM_NAME = "sbom.cdx.json"
ROOT, INITRD, UKI = "root", "initrd", "uki"
"""Where of the image a component lies."""
DPKG_STATUS = "/var/lib/dpkg/status"
MAX_STATUS_BYTES = 64 << 20
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_PLACE = "strongroom:place"
_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # of OIDs; what follows is no UUID of anybody else
_LICENCE = re.compile(r"^License:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_MACHINE_READABLE = re.compile(r"\A(?:#.*\n|\s*\n)*Format(?:-Specification)?:", re.IGNORECASE)
"""Debian, copyright-format 1.0: only files that begin so are lists of fields."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of an image that somebody else, or the vendor, wrote."""

    kind: str
    """`library`, `application` or `file`, as CycloneDX has them."""
    name: str
    version: str
    reference: str
    """A package URL, or `file:` and the path in the image: what tells it from the others."""
    places: tuple[str, ...] = (ROOT,)
    sha256: bytes = b""
    """Of the package's file, or of the file itself; empty where it is not known."""
    licences: tuple[str, ...] = ()
    supplier: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an image is, and what it is made of."""

    image: str
    architecture: Architecture
    variant: str
    base: Base
    source_date_epoch: int
    components: tuple[Component, ...]


def debian_components(
    tree: Tree, packages: Sequence[DebianPackage], base: Base, *, elsewhere: Mapping[str, tuple[str, ...]]
) -> tuple[Component, ...]:
    """Return a component for each package of the tree, and for each of `packages` that only lies elsewhere.

    `elsewhere` says which packages, by name, are in the initrd or the UKI. What the tree says is installed and has no
    `.deb` among `packages` has no digest. Raises FormatError for a broken status file, and where versions disagree.
    """
    digests = {each.identity: each for each in packages}
    components = []
    for installed in _installed(tree):
        package = DebianPackage(installed.name, installed.version, installed.architecture, b"")
        known = digests.pop(package.identity, package)
        if known.version != package.version:
            raise FormatError(
                "sbom.version",
                f"expected {known.name} {known.version} in the image, found {package.version}: its digest is another's",
            )
        places = (ROOT, *elsewhere.get(installed.name, ()))
        licences = _licences(tree, installed.name)
        components.append(_debian(known, base, places=places, licences=licences, supplier=installed.maintainer))
    for package in digests.values():
        places = elsewhere.get(package.name, (INITRD,))
        components.append(_debian(package, base, places=places, licences=_licences(tree, package.name)))
    return tuple(components)


def python_component(name: str, version: str, *, sha256: bytes, licence: str) -> Component:
    """Return the component of a wheel from PyPI."""
    reference = f"pkg:pypi/{quote(name.lower().replace('_', '-'))}@{quote(version)}"
    return Component("library", name, version, reference, sha256=sha256, licences=(licence,) if licence else ())


def agent_component(version: str) -> Component:
    """Return the component of our own agent."""
    return Component(
        "application",
        "strongroom-agent",
        version,
        f"pkg:generic/strongroom-agent@{quote(version)}",
        licences=("Apache-2.0",),
    )


def file_components(files: Iterable[FileDigest]) -> tuple[Component, ...]:
    """Return a component for each file of the vendor, by its path in the image."""
    return tuple(Component("file", each.name, "", f"file:{each.name}", sha256=each.sha256) for each in files)


def encode_sbom(bill: Bill) -> bytes:
    """Return the bill: JSON, equal for equal images."""
    content = _content(bill)
    number = uuid.uuid5(_NAMESPACE, hashlib.sha256(strict_json.encode(content)).hexdigest())
    return strict_json.encode({**content, "serialNumber": f"urn:uuid:{number}"})


def _content(bill: Bill) -> dict[str, object]:
    itself = f"image:{bill.image}"
    ordered = sorted(bill.components, key=lambda each: each.reference)
    moment = datetime.fromtimestamp(bill.source_date_epoch, UTC)
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "component": {
                "type": "operating-system",
                "bom-ref": itself,
                "name": bill.image,
                "properties": [
                    {"name": "strongroom:architecture", "value": bill.architecture.value},
                    {"name": "strongroom:base", "value": f"{bill.base.kind} {bill.base.name}"},
                    {"name": "strongroom:variant", "value": bill.variant},
                ],
            },
        },
        "components": [_component(each) for each in ordered],
        "dependencies": [{"ref": itself, "dependsOn": [each.reference for each in ordered]}],
    }


def _component(component: Component) -> dict[str, object]:
    written: dict[str, object] = {
        "type": component.kind,
        "bom-ref": component.reference,
        "name": component.name,
        "properties": [{"name": _PLACE, "value": place} for place in component.places],
    }
    if component.version:
        written["version"] = component.version
    if component.reference.startswith("pkg:"):
        written["purl"] = component.reference
    if component.sha256:
        written["hashes"] = [{"alg": "SHA-256", "content": component.sha256.hex()}]
    if component.licences:
        written["licenses"] = [{"license": {"name": licence}} for licence in component.licences]
    if component.supplier:
        written["supplier"] = {"name": component.supplier}
    return written


def _installed(tree: Tree) -> Iterator[InstalledPackage]:
    if tree.resolve(DPKG_STATUS) is not None:
        yield from parse_dpkg_status(tree.read(DPKG_STATUS, maximum_bytes=MAX_STATUS_BYTES))


def _debian(
    package: DebianPackage, base: Base, *, places: Sequence[str], licences: tuple[str, ...], supplier: str = ""
) -> Component:
    return Component(
        "library",
        package.name,
        package.version,
        package_url(package, base),
        places=tuple(dict.fromkeys(places)),
        sha256=package.sha256,
        licences=licences,
        supplier=supplier,
    )


def _licences(tree: Tree, package: str) -> tuple[str, ...]:
    """Return what a package's copyright file calls its licences; nothing where it is gone, or prose."""
    path = f"/usr/share/doc/{package}/copyright"
    node = tree.resolve(path)
    if node is None or not node.is_file:
        return ()
    text = tree.text(path)
    return tuple(sorted(set(_LICENCE.findall(text)))) if _MACHINE_READABLE.match(text) else ()
