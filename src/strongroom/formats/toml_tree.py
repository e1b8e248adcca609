# SPDX-License-Identifier: Apache-2.0
"""TOML 1.0 from bytes to a `Node` whose errors name the line."""

from __future__ import annotations

import tomllib
from functools import partial

from strongroom.errors import FormatError
from strongroom.formats.toml_lines import LONG_KEY, line_of
from strongroom.formats.tree import Node, Path, shown


def parse_toml(data: bytes, *, name: str, maximum_bytes: int, spec: str) -> Node:
    """Parse one TOML file. `name` is how errors call it, `spec` what governs its fields. Raises FormatError."""
    if len(data) > maximum_bytes:
        raise FormatError("toml.too-large", f"{name}: expected at most {maximum_bytes} bytes, found more", spec=spec)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("toml.not-utf8", f"{name}: expected UTF-8", offset=error.start, spec="TOML 1.0") from error
    if LONG_KEY.search(text):
        raise FormatError("toml.long-key", f"{name}: expected at most 32 names in a dotted key, found more", spec=spec)
    try:
        tree: object = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is an integer of too many digits
        raise FormatError("toml.syntax", f"{name}: expected TOML: {error}", spec="TOML 1.0") from error
    return Node(tree, (), partial(_place, text, name), spec)


def _place(text: str, name: str, path: Path) -> str:
    dotted = ".".join(str(step) if str(step).isprintable() else shown(step) for step in path)
    return f"{name}:{line_of(text, path)}: {dotted}" if path else name
