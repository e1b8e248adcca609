# SPDX-License-Identifier: Apache-2.0
"""An image's specification (docs/formats/image-spec.md), from text to frozen types."""

from __future__ import annotations

import re
from collections.abc import Mapping

from strongroom.formats.image_paths import LIBRARY
from strongroom.formats.image_spec_model import (
    Base,
    BaseKind,
    DebianBase,
    FileContent,
    ImageSpec,
    PathBase,
    SpecFile,
    SpecUnit,
    SpecUser,
)
from strongroom.formats.image_spec_parts import agent_of, kernel_of, secure_boot_of, state_of
from strongroom.formats.toml_tree import parse_toml
from strongroom.formats.tree import Node
from strongroom.formats.uki import Architecture

VERSION = 1
MAX_BYTES = 1 << 20
SPEC = "docs/formats/image-spec.md"
"""Plain HTTP, as Debian's own: what counts is the archive's signature, which apt verifies."""

_SUITE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,63}")
"""Debian Policy, section 5.6.1."""
_MIRROR = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%+-]{1,255}){0,16}/?")
_PATH = re.compile(r"(?=.{2,1024}\Z)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._+@:=,~-]{1,255})+")
_MODE = re.compile(r"0[0-7]{3}")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}\.(?:service|socket|target|timer|path|mount)")
_RESERVED = ("/dev", "/proc", "/sys", "/run", "/tmp", "/boot", "/var/tmp")  # noqa: S108 -- folders of the image
_MAX_ID = 65_533
"""Above it lie nobody and numbers that mean "none" (Debian Policy, section 9.2.2)."""
_FIRST_ID = 100
MAX_TEXT = 1 << 16


def parse_image_spec(data: bytes, *, name: str) -> ImageSpec:
    """Parse a specification. `name` is how errors call the file. Raises FormatError, with the line."""
    return image_spec_of(parse_toml(data, name=name, maximum_bytes=MAX_BYTES, spec=SPEC))


def image_spec_of(root: Node) -> ImageSpec:
    """Return what the table of a specification says, wherever it stands. Raises FormatError."""
    optional = ("files", "users", "units", "kernel", "agent", "state", "secure-boot")
    members = root.record(("version", "image", "base"), optional)
    members["version"].integer(VERSION, VERSION)
    image = members["image"].record(("name",), ("architecture",))
    architecture = image["architecture"].member(Architecture) if "architecture" in image else Architecture.X86_64
    return ImageSpec(
        name=image["name"].id(),
        architecture=architecture,
        base=_base(members["base"]),
        files=_files(members.get("files")),
        users=_users(members.get("users")),
        units=_units(members.get("units")),
        kernel=kernel_of(members.get("kernel")),
        agent=agent_of(members["agent"]) if "agent" in members else None,
        state=state_of(members["state"]) if "state" in members else None,
        secure_boot=secure_boot_of(members["secure-boot"]) if "secure-boot" in members else None,
    )


def _base(node: Node) -> Base:
    kind = node.members(("kind",))["kind"].member(BaseKind)
    if kind is not BaseKind.DEBIAN:
        return PathBase(kind, node.record(("kind", "path"))["path"].text())
    members = node.record(("kind", "suite"), ("packages", "mirror", "security-mirror"))
    packages = members.get("packages")
    names = () if packages is None else packages.items(maximum=1024)
    found = tuple(each.text(_PACKAGE, wanted="the name of a Debian package") for each in names)
    return DebianBase(
        suite=members["suite"].text(_SUITE, wanted="the name of a suite, such as bookworm"),
        packages=found if packages is None else packages.distinct(found),
        mirror=_mirror(members, "mirror"),
        security_mirror=_mirror(members, "security-mirror"),
    )


def _mirror(members: Mapping[str, Node], key: str) -> str | None:
    wanted = "the http or https URL of a mirror, without user and query"
    return members[key].text(_MIRROR, wanted=wanted).rstrip("/") if key in members else None


def _files(node: Node | None) -> tuple[SpecFile, ...]:
    nodes = () if node is None else node.items(maximum=1024)
    files = tuple(_file(each) for each in nodes)
    if node is not None:
        node.distinct(each.path for each in files)
    return files


def _file(node: Node) -> SpecFile:
    members = node.record(("path",), ("source", "contents", "mode", "owner", "group"))
    path = members["path"].text(_PATH, wanted="an absolute path of plain characters, without . and ..")
    for reserved in (*_RESERVED, LIBRARY):
        if path == reserved or path.startswith(f"{reserved}/"):
            raise members["path"].refused(
                "image-spec.reserved-path",
                f"expected a path outside {reserved}, found {path}",
                remedy="What lies there belongs to the running system or to the agent.",
            )
    mode = members["mode"].text(_MODE, wanted="four octal digits such as 0644") if "mode" in members else "0644"
    owner = _account(members["owner"]) if "owner" in members else "root"
    return SpecFile(
        path=path,
        content=_content(node, members),
        mode=int(mode, 8),
        owner=owner,
        group=_account(members["group"]) if "group" in members else owner,
    )


def _account(node: Node) -> str | int:
    if isinstance(node.value, int):
        return node.integer(0, _MAX_ID)
    return node.text(_ACCOUNT, wanted="the name or the number of a user or a group")


def _content(node: Node, members: Mapping[str, Node]) -> FileContent:
    if ("source" in members) == ("contents" in members):
        raise node.refused("image-spec.content", "expected either 'source' (a path) or 'contents' (the text)")
    if "source" in members:
        return FileContent(text=None, source=members["source"].text())
    return FileContent(text=members["contents"].string(maximum=MAX_TEXT), source=None)


def _users(node: Node | None) -> tuple[SpecUser, ...]:
    nodes = () if node is None else node.items(maximum=256)
    users = tuple(_user(each) for each in nodes)
    if node is not None:
        node.distinct(each.name for each in users)
        node.distinct(str(each.uid) for each in users)
    return users


def _user(node: Node) -> SpecUser:
    members = node.record(("name", "uid"), ("home", "groups"))
    groups = members["groups"].items(maximum=64) if "groups" in members else ()
    return SpecUser(
        name=members["name"].text(_ACCOUNT, wanted="the name of a user (a-z, 0-9, _ and -)"),
        uid=members["uid"].integer(_FIRST_ID, _MAX_ID),
        home=members["home"].text(_PATH, wanted="an absolute path") if "home" in members else "/nonexistent",
        groups=tuple(group.text(_ACCOUNT, wanted="the name of a group") for group in groups),
    )


def _units(node: Node | None) -> tuple[SpecUnit, ...]:
    nodes = () if node is None else node.items(maximum=256)
    units = tuple(_unit(each) for each in nodes)
    if node is not None:
        node.distinct(each.name for each in units)
    return units


def _unit(node: Node) -> SpecUnit:
    members = node.record(("name",), ("source", "contents", "enable"))
    given = "source" in members or "contents" in members
    return SpecUnit(
        name=members["name"].text(_UNIT, wanted="the name of a unit, such as acme.service"),
        content=_content(node, members) if given else None,
        enable=members["enable"].boolean() if "enable" in members else True,
    )
