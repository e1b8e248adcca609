# SPDX-License-Identifier: Apache-2.0
"""Waivers of an audit: which findings somebody has looked at and lets stand, and why (docs/image-audit.md)."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from functools import partial

from strongroom.errors import FormatError
from strongroom.formats.toml_lines import LONG_KEY, line_of
from strongroom.formats.tree import Node, Path

VERSION = 1
MAX_BYTES = 1 << 18
_SPEC = "docs/image-audit.md"
_CODE = re.compile(r"audit\.[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Waiver:
    """Findings of one rule that do not count, and the reason."""

    rule: str
    reason: str
    path: str = ""
    """A pattern (`fnmatch`) that the finding's path has to fit; empty: any."""
    expires: dt.date | None = None
    """The last day, in UTC, on which it holds."""

    def holds(self, today: dt.date) -> bool:
        """Tell whether it still holds."""
        return self.expires is None or today <= self.expires


def parse_waivers(text: str, *, name: str) -> tuple[Waiver, ...]:
    """Parse a TOML file of waivers; `name` is how errors call it. Raises FormatError, with the line where known."""
    root = Node(_toml(text, name), (), partial(_line, text, name), _SPEC)
    members = root.record(("version", "waivers"))
    members["version"].integer(VERSION, VERSION)
    return tuple(map(_waiver, members["waivers"].items(minimum=1)))


def _waiver(node: Node) -> Waiver:
    members = node.record(("rule", "reason"), ("path", "expires"))
    return Waiver(
        rule=members["rule"].text(_CODE, wanted="the id of an audit rule"),
        reason=members["reason"].text(re.compile(r"(?s).*\S.*"), wanted="a reason"),
        path=members["path"].text() if "path" in members else "",
        expires=_date(members["expires"]) if "expires" in members else None,
    )


def _date(node: Node) -> dt.date:
    if not isinstance(node.value, dt.date) or isinstance(node.value, dt.datetime):
        raise node.refused("field.wrong-type", "expected a date without quotes, such as 2030-12-31")
    return node.value


def _toml(text: str, name: str) -> object:
    if len(text) > MAX_BYTES or LONG_KEY.search(text):
        raise FormatError("waivers.too-large", f"{name}: expected at most {MAX_BYTES} characters", spec=_SPEC)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError("waivers.toml", f"{name}: expected TOML: {error}", spec="TOML 1.0") from error


def _line(text: str, name: str, path: Path) -> str:
    dotted = ".".join(map(str, path))
    return f"{name}:{line_of(text, path)}: {dotted}" if path else name
