# SPDX-License-Identifier: Apache-2.0
"""`agent.toml`: which bundles an image opens, and where it delivers them (docs/formats/agent.md).

It is measured with the image. What it says of users is names: whether they exist, the instance finds out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from strongroom.formats.image_paths import RUN_FOLDER, SECRETS_FOLDER
from strongroom.formats.toml_tree import parse_toml
from strongroom.formats.tree import Node

FILE_NAME = "agent.toml"
VERSION = 1
MAX_BYTES = 65_536
MAX_BUNDLES = 256
MAX_ID = 2**32 - 2
"""Of a user or a group: the last number means "none" (chown(2))."""
MODES: Mapping[str, int] = {"0400": 0o400, "0440": 0o440}
"""Nobody writes a delivered file, and nobody reads it but its owner and, perhaps, a group."""
ROOT = "root"
_SPEC = "docs/formats/agent.md"
_ACCOUNT_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
"""Of a user or a group (useradd(8))."""
_FOLDER = re.compile(rf"(?=.{{1,255}}\Z){re.escape(RUN_FOLDER)}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,62}}){{1,8}}")
_BUNDLE_KEYS = ("folder", "owner", "group", "mode")


class BundleOrigin(StrEnum):
    """Where the agent gets its bundles from. Wherever they come from, only signatures count."""

    IMAGE = "image"
    """From the image itself; user data is not even read."""
    USER_DATA = "user-data"
    """From the place that user data names (docs/formats/agent.md, "User data")."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One bundle: every file in it goes to `folder/ENTRY`."""

    bundle: str
    folder: str
    owner: str | int = ROOT
    """A user of the image, by name or number."""
    group: str | int | None = None
    """A group of the image. None is the group that the owner has in /etc/passwd."""
    mode: int = 0o400


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The content of one `agent.toml`, with all defaults applied."""

    origin: BundleOrigin
    deliveries: tuple[Delivery, ...]


def parse_agent_config(data: bytes, *, name: str = FILE_NAME) -> AgentConfig:
    """Parse an `agent.toml`. Raises FormatError, with the line."""
    root = parse_toml(data, name=name, maximum_bytes=MAX_BYTES, spec=_SPEC)
    members = root.record(("version", "bundles-from", "bundles"))
    members["version"].integer(VERSION, VERSION)
    return agent_config_of(members["bundles-from"], members["bundles"])


def agent_config_of(origin: Node, bundles: Node) -> AgentConfig:
    """Return what two keys of a file say, such as those of an image's specification. Raises FormatError."""
    found = [(node, _delivery(node)) for _, node in bundles.table(minimum=1, maximum=MAX_BUNDLES)]
    for node, delivery in found:
        for _, other in found:
            if other is not delivery and _is_within(delivery.folder, other.folder):
                raise node.refused(
                    "agent.shared-folder",
                    f"expected a folder of its own, found {delivery.folder}, where {other.bundle} is delivered",
                    remedy="Files of two bundles could replace each other. Name another folder.",
                )
    return AgentConfig(origin.member(BundleOrigin), tuple(delivery for _, delivery in found))


def _is_within(folder: str, other: str) -> bool:
    return folder == other or folder.startswith(f"{other}/")


def _delivery(node: Node) -> Delivery:
    bundle = node.key().id()
    members = node.record((), _BUNDLE_KEYS)
    wanted = f"a folder below {RUN_FOLDER}, without . and .."
    return Delivery(
        bundle=bundle,
        folder=members["folder"].text(_FOLDER, wanted=wanted) if "folder" in members else f"{SECRETS_FOLDER}/{bundle}",
        owner=_account(members["owner"]) if "owner" in members else ROOT,
        group=_account(members["group"]) if "group" in members else None,
        mode=members["mode"].pick(MODES) if "mode" in members else MODES["0400"],
    )


def _account(node: Node) -> str | int:
    if isinstance(node.value, int):
        return node.integer(0, MAX_ID)
    return node.text(_ACCOUNT_NAME, wanted="the name or the number of a user or a group")


def encode_agent_config(config: AgentConfig) -> bytes:
    """Return an `agent.toml` that says all of it, defaults too; same content, same bytes."""
    lines = [f"version = {VERSION}", f"bundles-from = {_toml(config.origin.value)}"]
    for delivery in config.deliveries:
        lines += ["", f"[bundles.{delivery.bundle}]", f"folder = {_toml(delivery.folder)}"]
        lines.append(f"owner = {_toml(delivery.owner)}")
        if delivery.group is not None:
            lines.append(f"group = {_toml(delivery.group)}")
        lines.append(f"mode = {_toml(f'{delivery.mode:04o}')}")
    return ("\n".join(lines) + "\n").encode()


def _toml(value: str | int) -> str:
    """Return a name, a path or a number as TOML has it; none of ours holds what JSON and TOML write differently."""
    return json.dumps(value)
