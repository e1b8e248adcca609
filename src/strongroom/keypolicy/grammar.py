# SPDX-License-Identifier: Apache-2.0
"""The JSON of policy documents: what KMS takes as text, and values that stand alone or in a list.

IAM User Guide, "Grammar of the IAM JSON policy language"; KMS API reference, PutKeyPolicy. The JSON itself is read
strictly: a lenient reader keeps the last of two equal members, so the text an auditor reads would not be the policy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.tree import Node

MAX_POLICY_BYTES = 32_768
"""A key policy document in bytes (KMS quota "Key policy document size", API reference PutKeyPolicy)."""
_FOREIGN = re.compile("[^\t\n\r\x20-\u00ff]")
"""What PolicyType of the KMS API leaves out: all but tab, line feed, carriage return, and U+0020 to U+00FF."""
_SPEC = "IAM User Guide, grammar of the IAM JSON policy language"


def parse_policy_text(text: str) -> Node:
    """Parse one policy document of at most MAX_POLICY_BYTES. Raises FormatError."""
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        offset = len(text[: foreign.start()].encode())
        raise FormatError(
            "keypolicy.character", "expected U+0020 to U+00FF or white space", offset=offset, spec="KMS PolicyType"
        )
    return strict_json.parse(text.encode(), maximum_bytes=MAX_POLICY_BYTES, spec=_SPEC)


def one_or_more(node: Node) -> tuple[Node, ...]:
    """Return the elements of a list, or the value itself as the only one. Raises FormatError for an empty list."""
    return node.items(minimum=1) if isinstance(node.value, list) else (node,)


def strings(node: Node) -> tuple[str, ...]:
    """Return one string or a list of them. Raises FormatError."""
    return tuple(each.string() for each in one_or_more(node))


def scalars(node: Node) -> tuple[str, ...]:
    """Return strings, booleans and whole numbers as IAM reads them in a condition: as text. Raises FormatError."""
    return tuple(_scalar(each) for each in one_or_more(node))


def _scalar(node: Node) -> str:
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    return str(node.value) if isinstance(node.value, int) else node.string()


def one_or_list(values: Sequence[str]) -> str | list[str]:
    """Return the only value, or all of them as a list: how policies are written."""
    return values[0] if len(values) == 1 else list(values)
