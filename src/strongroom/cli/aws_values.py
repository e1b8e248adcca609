# SPDX-License-Identifier: Apache-2.0
"""Values of options as the AWS CLI version 2 takes them (AWS CLI User Guide, "Specifying parameter values").

`fileb://PATH` is the bytes of a file, `file://PATH` its text; blobs as text are base64. Of the shorthand for maps the
plain part is read, `KEY=VALUE,KEY=VALUE`; where quoting begins, JSON is asked for, so that nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path

from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.formats import strict_json
from strongroom.formats.names import PARTITION, REGION
from strongroom.ids import Region

_BYTES, _TEXT = "fileb://", "file://"
_PAIR = re.compile(r"([A-Za-z0-9_.#/:-]+)=((?:[A-Za-z0-9_.#/:@+%*-][A-Za-z0-9_.#/:@+%*=-]*)?)")
_OF_KMS = re.compile(rf"arn:{PARTITION.pattern}:kms:({REGION.pattern}):.*")
_MAX_TEXT_BYTES = 64 * 1024


def read_blob(option: str, value: str, *, maximum_bytes: int) -> bytes:
    """Return 1 to `maximum_bytes` bytes. Raises UsageError for what is no base64, and what `read_file` raises."""
    if value.startswith(_BYTES):
        return read_file(_path(value, _BYTES), maximum_bytes=maximum_bytes)
    try:
        data = base64.b64decode("".join(_text(value).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(
            "usage.blob",
            f"expected base64 in {option}, found something else",
            remedy="Bytes in a file are fileb://PATH; base64 in a file is file://PATH.",
        ) from error
    if not 1 <= len(data) <= maximum_bytes:
        raise UsageError("usage.blob", f"expected 1 to {maximum_bytes} bytes in {option}, found {len(data)}")
    return data


def read_map(option: str, value: str) -> dict[str, str]:
    """Return a map of texts: JSON, or KEY=VALUE,KEY=VALUE. Raises UsageError, FormatError, and what `read_file` raises.

    A key that stands twice is refused.
    """
    text = _text(value)
    if text.lstrip().startswith("{"):
        data = text.encode("utf-8", "surrogateescape")  # an argument may hold bytes that are no text
        root = strict_json.parse(data, maximum_bytes=_MAX_TEXT_BYTES, spec=f"{option}: a map of strings")
        return {key: node.text() for key, node in root.table()}
    pairs = [_pair(option, part) for part in text.split(",")]
    if len(dict(pairs)) != len(pairs):
        raise UsageError("usage.map", f"expected each key once in {option}, found one twice")
    return dict(pairs)


def region_of(key_id: str) -> Region | None:
    """Return the Region in an ARN of KMS; None for a key that is named otherwise."""
    found = _OF_KMS.fullmatch(key_id)
    return Region(found[1]) if found else None


def _pair(option: str, text: str) -> tuple[str, str]:
    found = _PAIR.fullmatch(text)
    if found is None:
        raise UsageError(
            "usage.map",
            f"expected KEY=VALUE,KEY=VALUE or a JSON object in {option}, found {text[:100]!r}",
            remedy='With spaces, quotes or commas inside, write JSON: \'{"key": "value, another"}\'.',
        )
    return found[1], found[2]


def _text(value: str) -> str:
    if not value.startswith(_TEXT):
        return value
    path = _path(value, _TEXT)
    try:
        return read_file(path, maximum_bytes=_MAX_TEXT_BYTES).decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "usage.not-text", f"expected text in {path}, found other bytes", remedy=f"Bytes are {_BYTES}{path}."
        ) from error


def _path(value: str, prefix: str) -> Path:
    """Return the path behind a prefix; as in the AWS CLI, `~` is the home of whoever asks."""
    return Path(os.path.expanduser(value.removeprefix(prefix)))  # noqa: PTH111 -- which raises without a home
