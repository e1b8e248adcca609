# SPDX-License-Identifier: Apache-2.0
"""The deny list: certificates, modules and instances that are no longer believed (docs/formats/deny-list.md).

The file is unsigned; whoever relies on it has to know where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from strongroom.formats import strict_json
from strongroom.formats.names import MODULE_ID
from strongroom.formats.tree import Node
from strongroom.ids import InstanceId

VERSION = 1
MAX_DENY_LIST_BYTES = 1_048_576
MAX_REASON_CHARACTERS = 512

_SPEC = "docs/formats/deny-list.md"
_SHA256_BYTES = 32
Denied = TypeVar("Denied", bound=Hashable)


@dataclass(frozen=True, slots=True)
class DenyList:
    """What is denied, and why. `DenyList()` denies nothing."""

    certificates: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))
    """SHA-256 of the DER to the reason."""
    modules: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    instances: Mapping[InstanceId, str] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.certificates) + len(self.modules) + len(self.instances)

    def __or__(self, other: DenyList) -> DenyList:
        """Return a list that denies what either does. Where both do, the reason is that of `self`."""
        return DenyList(
            MappingProxyType({**other.certificates, **self.certificates}),
            MappingProxyType({**other.modules, **self.modules}),
            MappingProxyType({**other.instances, **self.instances}),
        )


def parse_deny_list(data: bytes) -> DenyList:
    """Parse a deny list. Raises FormatError for anything unknown, duplicate or of the wrong shape."""
    root = strict_json.parse(data, maximum_bytes=MAX_DENY_LIST_BYTES, spec=_SPEC)
    members = root.record(("version",), ("certificates", "modules", "instances"))
    members["version"].integer(VERSION, VERSION)
    return DenyList(
        certificates=_entries(members.get("certificates"), "sha256", _sha256),
        modules=_entries(members.get("modules"), "id", _module),
        instances=_entries(members.get("instances"), "id", Node.instance_id),
    )


def _entries(node: Node | None, key: str, read: Callable[[Node], Denied]) -> Mapping[Denied, str]:
    entries: dict[Denied, str] = {}
    for item in () if node is None else node.items():
        members = item.record((key, "reason"))
        denied = read(members[key])
        if denied in entries:
            raise members[key].refused("deny-list.duplicate", "expected each entry once, found this one before")
        reason = members["reason"]
        reason.string(minimum=1, maximum=MAX_REASON_CHARACTERS)
        entries[denied] = reason.text(wanted="a reason in words")
    return MappingProxyType(entries)


def _sha256(node: Node) -> bytes:
    return node.hex(size_bytes=_SHA256_BYTES)


def _module(node: Node) -> str:
    return node.text(MODULE_ID, wanted="a module id such as i-0123456789abcdef0-tpm0000000000000000")
