# SPDX-License-Identifier: Apache-2.0
"""The types of an image's specification (docs/formats/image-spec.md), with all defaults applied.

Paths of `source`, `trust` and so on are as written: the reader of the file knows what they are relative to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from strongroom.formats.agent_config import AgentConfig
from strongroom.formats.uki import Architecture

DEBUG = "debug"
"""VARIANT_ID of an image with a way to log in, which no audit passes. Others have that of their profile."""


class BaseKind(StrEnum):
    """What an image is made from."""

    DEBIAN = "debian"
    """Debian's packages, by mmdebstrap."""
    TREE = "tree"
    """A root tree that lies in a folder, or in a tar file."""
    OCI = "oci"
    """A container image in OCI's layout: a folder, or a tar file."""


@dataclass(frozen=True, slots=True)
class DebianBase:
    """Packages of one suite. `mirror` and `security_mirror` are URLs; None: those of the machine that builds."""

    suite: str
    packages: tuple[str, ...]
    mirror: str | None = None
    security_mirror: str | None = None


@dataclass(frozen=True, slots=True)
class PathBase:
    """A tree or a container image that somebody else made, and where it lies."""

    kind: BaseKind
    path: str


Base: TypeAlias = DebianBase | PathBase


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file holds: the text in the specification, or a file beside it. One of the two."""

    text: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One file of the image. `owner` and `group` are names or numbers of the image."""

    path: str
    content: FileContent
    mode: int
    owner: str | int
    group: str | int


@dataclass(frozen=True, slots=True)
class SpecUser:
    """A user without a password or a shell, and a group of the same name and number."""

    name: str
    uid: int
    home: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpecUnit:
    """A systemd unit; its text, and whether it starts at boot. No content: one that comes with a package."""

    name: str
    content: FileContent | None
    enable: bool


@dataclass(frozen=True, slots=True)
class SpecKernel:
    """Kernel arguments after the required ones, and modules that are loaded beside those every image needs."""

    arguments: tuple[str, ...]
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpecAgent:
    """The agent. `trust` is the path of a trust.json; None is derived from the project. `bundles` is a folder."""

    config: AgentConfig
    trust: str | None
    bundles: str | None


@dataclass(frozen=True, slots=True)
class SpecState:
    """A partition for state that is encrypted under an attested key; its size in MiB."""

    size_mib: int


@dataclass(frozen=True, slots=True)
class SpecSecureBoot:
    """Who signs the image: paths, and for `key` perhaps the ARN of a KMS key. Never part of the image.

    `pk`, `kek` and `db` are paths of certificates; where they are not given, the signing certificate is each of them.
    """

    key: str
    certificate: str
    pk: str
    kek: tuple[str, ...]
    db: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The content of one specification."""

    name: str
    architecture: Architecture
    base: Base
    files: tuple[SpecFile, ...]
    users: tuple[SpecUser, ...]
    units: tuple[SpecUnit, ...]
    kernel: SpecKernel
    agent: SpecAgent | None
    state: SpecState | None
    secure_boot: SpecSecureBoot | None
