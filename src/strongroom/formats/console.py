# SPDX-License-Identifier: Apache-2.0
"""Records on an instance's console, written and read (docs/formats/console.md).

A serial console loses and mixes bytes, so every record carries its CRC-32 and is printed twice. The CRC
finds damage, and nobody relies on it for more, because the document inside a receipt is signed.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES
from strongroom.formats.console_failure import MAX_FAILURE_BYTES, encode_failure_json, parse_failure_json
from strongroom.formats.console_model import VERSION, Console, ConsoleFailure, DamagedReceipt, Receipt
from strongroom.formats.console_text import in_one_line, read_console_text
from strongroom.formats.file_kind import RECORD_MARK
from strongroom.ids import EvidenceBytes

CHUNK_BYTES = 57
"""Of the document, in one line: 76 characters of base64."""
MAX_LINES = -(-MAX_DOCUMENT_BYTES // CHUNK_BYTES)
COPIES = 2
MAX_RECEIPTS = 64
MAX_FAILURES = 256

_SPEC = "docs/formats/console.md"
_RECEIPT_HEAD = f"strongroom-receipt {VERSION} "
_FAILURE_HEAD = f"strongroom-failure {VERSION} "
_LINE = re.compile(
    _RECEIPT_HEAD.encode() + rb"(?P<name>[0-9a-f]{8}) (?P<number>[1-9][0-9]{0,2})/(?P<total>[1-9][0-9]{0,2}) "
    rb"(?P<chunk>[A-Za-z0-9+/]{2,76}={0,2}) (?P<crc>[0-9a-f]{8})"
)
_FAILURE_END = re.compile(rb"\} ([0-9a-f]{8})")
_MAX_RECORD_BYTES = len(_FAILURE_HEAD) + MAX_FAILURE_BYTES + len(" 00000000")


def encode_receipt(document: EvidenceBytes) -> bytes:
    """Return the lines that carry a document, twice. Raises FormatError for one that is empty or too large."""
    if not 1 <= len(document) <= MAX_DOCUMENT_BYTES:
        raise FormatError(
            "console.document-size",
            f"expected a document of 1 to {MAX_DOCUMENT_BYTES} bytes, found {len(document)}",
            spec=_SPEC,
        )
    chunks = [document[at : at + CHUNK_BYTES] for at in range(0, len(document), CHUNK_BYTES)]
    head = f"{_RECEIPT_HEAD}{_crc(document)}"
    lines = (_line(f"{head} {n}/{len(chunks)} {base64.b64encode(chunk).decode()}") for n, chunk in enumerate(chunks, 1))
    return b"".join(lines) * COPIES


def encode_failure(failure: ConsoleFailure) -> bytes:
    """Return the line that carries a failure, twice. Raises FormatError for a failure that could not be read."""
    return _line(_FAILURE_HEAD + encode_failure_json(failure).decode()) * COPIES


def _line(record: str) -> bytes:
    return f"{record} {_crc(record.encode())}\n".encode()


def _crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


def parse_console(data: bytes) -> Console:
    """Read a saved console, in any of the forms of docs/formats/console.md.

    Raises FormatError for a file that is too large or without output, and for more records than anybody prints.
    Damaged records raise nothing here: other records may be whole. `Console.last_receipt` raises for want of a receipt.
    """
    saved = read_console_text(data)
    found = _Found()
    for kind, version, record in _records(in_one_line(saved.text)):
        if version != str(VERSION).encode():
            found.other_versions += 1
        elif not (found.add_line(record) if kind == b"receipt" else found.add_failure(record)):
            found.unreadable += 1
    return Console(
        receipts=tuple(pending.result() for pending in found.receipts.values()),
        failures=tuple(found.failures.values()),
        unreadable=found.unreadable,
        other_versions=found.other_versions,
        instance_id=saved.instance_id,
    )


def _records(text: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield kind, version and text of whatever begins like a record. The text ends where the next one begins."""
    marks = list(RECORD_MARK.finditer(text))
    bounds = [*(mark.start() for mark in marks), len(text)]
    for mark, (start, end) in zip(marks, itertools.pairwise(bounds), strict=True):
        yield mark[1], mark[2], text[start : min(end, start + _MAX_RECORD_BYTES)]


@dataclass(slots=True)
class _Pending:
    """A receipt while its lines are collected. A line that stands there with two contents counts as damaged."""

    name: str
    total: int
    chunks: dict[int, bytes | None] = field(default_factory=dict)

    def add(self, number: int, chunk: bytes) -> None:
        self.chunks[number] = chunk if self.chunks.get(number, chunk) == chunk else None

    def result(self) -> Receipt | DamagedReceipt:
        chunks = [self.chunks.get(number) for number in range(1, self.total + 1)]
        missing = tuple(number for number, chunk in enumerate(chunks, 1) if chunk is None)
        document = b"".join(chunk or b"" for chunk in chunks)
        if missing or _crc(document) != self.name or len(document) > MAX_DOCUMENT_BYTES:
            return DamagedReceipt(self.name, self.total, missing)
        return Receipt(self.name, self.total, EvidenceBytes(document))


@dataclass(slots=True)
class _Found:
    """What has been read so far. The `add_` methods say whether the text was a record."""

    receipts: dict[tuple[str, int], _Pending] = field(default_factory=dict)
    failures: dict[bytes, ConsoleFailure] = field(default_factory=dict)
    unreadable: int = 0
    other_versions: int = 0

    def add_line(self, record: bytes) -> bool:
        line = _LINE.match(record)
        if line is None or _crc(record[: line.end("chunk")]).encode() != line["crc"]:
            return False
        name, number, total = line["name"].decode(), int(line["number"]), int(line["total"])
        chunk = _chunk(line["chunk"], is_last=number == total)
        if chunk is None or not number <= total <= MAX_LINES:
            return False
        pending = self.receipts.pop((name, total), None) or _Pending(name, total)
        self.receipts[name, total] = pending  # at the end now: receipts stand in the order in which they end
        pending.add(number, chunk)
        _expect_at_most(MAX_RECEIPTS, len(self.receipts), "receipts")
        return True

    def add_failure(self, record: bytes) -> bool:
        body = _intact_json(record)
        if body is None:
            return False
        try:
            failure = parse_failure_json(body)
        except FormatError:
            return False  # whoever wrote it, it is no failure of this version: counted like what is damaged
        self.failures.setdefault(body, failure)
        _expect_at_most(MAX_FAILURES, len(self.failures), "failures")
        return True


def _expect_at_most(limit: int, count: int, what: str) -> None:
    if count > limit:
        raise FormatError(
            f"console.too-many-{what}",
            f"expected at most {limit} different {what} in one console, found more",
            spec=_SPEC,
            remedy="Cut the file to the boots that matter.",
        )


def _chunk(text: bytes, *, is_last: bool) -> bytes | None:
    """Return the bytes of a line: as many as its place asks for, in canonical base64. None for anything else."""
    try:
        chunk = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    fits = 1 <= len(chunk) <= CHUNK_BYTES if is_last else len(chunk) == CHUNK_BYTES
    return chunk if fits and base64.b64encode(chunk) == text else None


def _intact_json(record: bytes) -> bytes | None:
    """Return the JSON of a failure whose CRC fits, or None."""
    for end in _FAILURE_END.finditer(record):
        if _crc(record[: end.start() + 1]).encode() == end[1]:
            return record[len(_FAILURE_HEAD) : end.start() + 1]
    return None
