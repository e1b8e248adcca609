# SPDX-License-Identifier: Apache-2.0
"""The JSON of a failure on a console: one encoding, parsed strictly (docs/formats/console.md, "Failures")."""

from __future__ import annotations

import json
import re

from strongroom.formats import strict_json
from strongroom.formats.console_model import MAX_REMEDY_CHARACTERS, ConsoleFailure
from strongroom.formats.pcrs import PCR_COUNT, SHA384_BYTES, PcrDigests
from strongroom.formats.tree import Node

MAX_FAILURE_BYTES = 8000

_SPEC = "docs/formats/console.md"
_CODE = re.compile(r"(?=.{1,128}\Z)[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
_INDICES = {str(index): index for index in range(PCR_COUNT)}


def encode_failure_json(failure: ConsoleFailure) -> bytes:
    """Return the one encoding of a failure. Raises FormatError for one that `parse_failure_json` would refuse."""
    body = _encode(failure)
    parse_failure_json(body)
    return body


def parse_failure_json(data: bytes) -> ConsoleFailure:
    """Parse the one encoding of a failure. Raises FormatError."""
    root = strict_json.parse(data, maximum_bytes=MAX_FAILURE_BYTES, spec=_SPEC)
    members = root.record(("code", "pcrs", "remedy"))
    failure = ConsoleFailure(
        code=members["code"].text(_CODE, wanted="an error's code"),
        remedy=members["remedy"].string(maximum=MAX_REMEDY_CHARACTERS),
        pcrs=_pcrs(members["pcrs"]),
    )
    if _encode(failure) != data:
        raise root.refused("console.not-canonical", "expected the one encoding of this failure, found another")
    return failure


def _encode(failure: ConsoleFailure) -> bytes:
    members = {
        "code": failure.code,
        "pcrs": {str(index): digest.hex() for index, digest in failure.pcrs.items()},
        "remedy": failure.remedy,
    }
    text = json.dumps(members, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    # Both stand in strings only, so their escapes change nothing but the looks (docs/formats/console.md).
    return text.replace("[", "\\u005b").replace("strongroom-", "strongroom\\u002d").encode()


def _pcrs(node: Node) -> PcrDigests:
    digests: dict[int, bytes] = {}
    for _, digest in node.table(maximum=PCR_COUNT):
        index = digest.key().pick(_INDICES)
        digests[index] = digest.hex(size_bytes=SHA384_BYTES)
    return PcrDigests.of(digests)
