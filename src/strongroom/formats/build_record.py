# SPDX-License-Identifier: Apache-2.0
"""The build record, `build.json`: what an image was made of, with what, and what came out.

docs/formats/build-record.md. It holds neither paths nor times of the machine that built, so that two equal builds write
equal records. The file is unsigned; whoever relies on it has to know where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from strongroom.formats import strict_json
from strongroom.formats.tree import Node
from strongroom.formats.uki import Architecture

VERSION = 1
MAX_BUILD_RECORD_BYTES = 4 << 20
"""A hundred packages take 20 KB."""
MAX_SOURCE_DATE_EPOCH = (1 << 32) - 1
"""In seconds: what a FAT volume and an erofs superblock hold, and more."""
MAX_FILE_BYTES = 1 << 50

_SPEC = "docs/formats/build-record.md"
_SHA256_BYTES = 32
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}")
_PACKAGE_VERSION = re.compile(r"[0-9A-Za-z.+~:-]{1,128}")
_ARCHITECTURE = re.compile(r"[a-z0-9-]{1,32}")
"""Debian policy, sections 5.6.7, 5.6.12 and 5.6.8."""
_BASE_KIND = re.compile(r"debian|tree|oci")
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file by its name and what it holds. Names of outputs are those in the output folder."""

    name: str
    sha256: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """One `.deb` that was unpacked into the image or into its initrd."""

    name: str
    version: str
    architecture: str
    """Debian's name: `amd64`, `arm64` or `all`."""
    sha256: bytes
    """Of the `.deb` file."""

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from the other packages of one image."""
        return self.name, self.architecture


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that made a part of the image, and the version that it says it has."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Base:
    """What the root of the image was made from."""

    kind: str
    """`debian`, `tree` or `oci`."""
    name: str
    """The suite of Debian; of a tree or an OCI layout, `sha256:` and the digest of what it holds."""


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """Everything that decides which bytes a build writes, and the digests of what it wrote."""

    image: str
    """The vendor's name for it."""
    architecture: Architecture
    variant: str
    """`production`, `rehearsal` or `debug`, as VARIANT_ID in the image says."""
    source_date_epoch: int
    """Seconds since 1970 that stand for now in the whole build (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    spec: FileDigest
    base: Base
    inputs: tuple[FileDigest, ...] = ()
    """Files of the vendor that went into the image, by the path that they have in it."""
    packages: tuple[DebianPackage, ...] = ()
    tools: tuple[Tool, ...] = ()
    outputs: tuple[FileDigest, ...] = ()

    def output(self, name: str) -> FileDigest | None:
        """Return what stands here of a file of the output folder."""
        return next((each for each in self.outputs if each.name == name), None)


def parse_build_record(data: bytes) -> BuildRecord:
    """Parse a build record. Raises FormatError for anything unknown, duplicate or of the wrong shape."""
    root = strict_json.parse(data, maximum_bytes=MAX_BUILD_RECORD_BYTES, spec=_SPEC)
    members = root.record((*_FIELDS, *_LISTS))
    members["version"].integer(VERSION, VERSION)
    return BuildRecord(
        image=members["image"].id(),
        architecture=members["architecture"].member(Architecture),
        variant=members["variant"].id(),
        source_date_epoch=members["source_date_epoch"].integer(0, MAX_SOURCE_DATE_EPOCH),
        spec=_file(members["spec"]),
        base=_base(members["base"]),
        inputs=_entries(members["inputs"], _file, lambda each: each.name),
        packages=_entries(members["packages"], _package, lambda each: each.identity),
        tools=_entries(members["tools"], _tool, lambda each: each.name),
        outputs=_entries(members["outputs"], _file, lambda each: each.name),
    )


def encode_build_record(record: BuildRecord) -> bytes:
    """Return the file. Lists are sorted, so equal builds give equal bytes."""
    return strict_json.encode(
        {
            "version": VERSION,
            "image": record.image,
            "architecture": record.architecture.value,
            "variant": record.variant,
            "source_date_epoch": record.source_date_epoch,
            "spec": _encode_file(record.spec),
            "base": {"kind": record.base.kind, "name": record.base.name},
            "inputs": _encode_files(record.inputs),
            "packages": [_encode_package(each) for each in sorted(record.packages, key=lambda each: each.identity)],
            "tools": [{"name": each.name, "version": each.version} for each in sorted(record.tools, key=_name)],
            "outputs": _encode_files(record.outputs),
        }
    )


_FIELDS = ("version", "image", "architecture", "variant", "source_date_epoch", "spec", "base")
_LISTS = ("inputs", "packages", "tools", "outputs")


def _name(entry: FileDigest | Tool) -> str:
    return entry.name


def _encode_files(files: Sequence[FileDigest]) -> list[dict[str, object]]:
    return [_encode_file(each) for each in sorted(files, key=_name)]


def _encode_file(file: FileDigest) -> dict[str, object]:
    return {"name": file.name, "sha256": file.sha256.hex(), "size_bytes": file.size_bytes}


def _encode_package(package: DebianPackage) -> dict[str, object]:
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "sha256": package.sha256.hex(),
    }


def _entries(node: Node, read: Callable[[Node], _Entry], key: Callable[[_Entry], Hashable]) -> tuple[_Entry, ...]:
    entries: dict[Hashable, _Entry] = {}
    for item in node.items():
        entry = read(item)
        if key(entry) in entries:
            raise item.refused("build-record.duplicate", "expected each entry once, found this one before")
        entries[key(entry)] = entry
    return tuple(entries.values())


def _file(node: Node) -> FileDigest:
    members = node.record(("name", "sha256", "size_bytes"))
    return FileDigest(
        members["name"].text(wanted="the name of a file"),
        members["sha256"].hex(size_bytes=_SHA256_BYTES),
        members["size_bytes"].integer(0, MAX_FILE_BYTES),
    )


def _package(node: Node) -> DebianPackage:
    members = node.record(("name", "version", "architecture", "sha256"))
    return DebianPackage(
        members["name"].text(_PACKAGE, wanted="the name of a Debian package"),
        members["version"].text(_PACKAGE_VERSION, wanted="the version of a Debian package"),
        members["architecture"].text(_ARCHITECTURE, wanted="an architecture of Debian"),
        members["sha256"].hex(size_bytes=_SHA256_BYTES),
    )


def _tool(node: Node) -> Tool:
    members = node.record(("name", "version"))
    return Tool(members["name"].text(wanted="the name of a program"), members["version"].text(wanted="its version"))


def _base(node: Node) -> Base:
    members = node.record(("kind", "name"))
    return Base(
        members["kind"].text(_BASE_KIND, wanted="debian, tree or oci"),
        members["name"].text(wanted="a suite, or sha256: and a digest"),
    )
