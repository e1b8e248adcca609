# SPDX-License-Identifier: Apache-2.0
"""Saved consoles, and the failures printed on them."""

import contextlib
import json

from tests.fuzz.target import Target
from tests.nitro_pki import INSTANCE, document

from strongroom.errors import FormatError
from strongroom.formats.console import encode_failure, encode_receipt, parse_console
from strongroom.formats.console_failure import encode_failure_json, parse_failure_json
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.console_text import is_console
from strongroom.formats.pcrs import PcrDigests

HEAD_BYTES = 64
FAILURE = ConsoleFailure("kms.access-denied", "Ask the vendor.", PcrDigests.of({4: b"\x44" * 48, 12: bytes(48)}))
RECORDS = encode_failure(FAILURE) + encode_receipt(b"a document")


def saved(data: bytes) -> None:
    """Read it; then print what is behind its first bytes as a document, and read that: a CRC keeps fuzzers out."""
    with contextlib.suppress(FormatError):
        is_console(data)
        parse_console(data).last_receipt()
    head, printed = data[:HEAD_BYTES], data[HEAD_BYTES:]
    if printed:
        # whatever stands in front may damage one copy's first lines, and nothing else
        found = parse_console(b"strongroom: " + head + b"\n" + encode_receipt(printed))
        assert found.last_receipt().document == printed


def failure(data: bytes) -> None:
    """A failure as it stands behind the CRC of its line: printed, it is found again."""
    parsed = parse_failure_json(data)
    assert parse_console(b"x" + encode_failure(parsed)).failures == (parsed,)


def consoles() -> list[bytes]:
    return [
        b"[    0.000000] Linux\r\n\x1b[0m" + RECORDS,
        json.dumps({"InstanceId": INSTANCE, "Output": RECORDS.decode()}).encode(),
        INSTANCE.encode() + b"\t" + RECORDS[:90] + b"[    1.000000] kernel\r\n" + RECORDS[90:],
        document(),
    ]


def failures() -> list[bytes]:
    return [encode_failure_json(FAILURE)]


def many_records() -> list[bytes]:
    """As many heads, lines, different receipts and endings as fit."""
    receipts = b"".join(encode_receipt(number.to_bytes(2)) for number in range(450))
    return [
        receipts,
        RECORDS * 80,
        b"strongroom-receipt 1 " * 3_000,
        b"strongroom-failure 1 {" + b"} 00000000" * 6_000,
        b"strongroom-failure 1 {} " * 2_700,
        b"\x1b[" * 32_000,
        b"\x1b[0m" * 16_000,
        b"\r" * 65_536,
        json.dumps({"InstanceId": INSTANCE, "Output": RECORDS.decode() * 60}).encode(),
    ]


TARGETS = (
    Target("console.saved", saved, consoles, max_bytes=5_000, worst=many_records),
    Target("console.failure", failure, failures, max_bytes=1_024, worst=many_records),
)
