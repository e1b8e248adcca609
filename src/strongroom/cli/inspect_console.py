# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for saved consoles: which receipts and failures are in it. Nothing is verified here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from strongroom.cli.inspect_document import ReadDocument, read_document
from strongroom.cli.inspection import Inspection
from strongroom.cli.pcr_output import pcr_lines, pcr_members
from strongroom.crypto.public_keys import key_kind
from strongroom.errors import FormatError
from strongroom.formats.console import parse_console
from strongroom.formats.console_model import Console, ConsoleFailure, DamagedReceipt, Receipt
from strongroom.formats.console_text import is_console
from strongroom.formats.pcr_meanings import pcr_sentence

_POINTER = "`strongroom verify` verifies the receipt in it."


def recognise(data: bytes) -> Inspection | None:
    """Describe a saved console; None for anything else. Raises FormatError."""
    if not is_console(data):
        return None
    console = parse_console(data)
    receipts = [_read(receipt) for receipt in console.receipts]
    facts: Mapping[str, object] = {
        "instance_id": console.instance_id,
        "challenged": False,
        "receipts": [_receipt_facts(read) for read in receipts],
        "failures": [_failure_facts(failure) for failure in console.failures],
        "unreadable": console.unreadable,
        "other_versions": console.other_versions,
    }
    return Inspection("console", "a saved console of an instance", tuple(_lines(console, receipts)), facts, _POINTER)


@dataclass(frozen=True, slots=True)
class _ReadReceipt:
    """A receipt, and what the document in it says; None, and why, where it says nothing."""

    receipt: Receipt | DamagedReceipt
    document: ReadDocument | None
    problem: str


def _read(receipt: Receipt | DamagedReceipt) -> _ReadReceipt:
    if isinstance(receipt, DamagedReceipt):
        return _ReadReceipt(receipt, None, str(receipt))
    try:
        document = read_document(receipt.document)
    except FormatError as error:
        return _ReadReceipt(receipt, None, f"the document in it cannot be read: {error}")
    return _ReadReceipt(receipt, document, "" if document else "what is in it is no attestation document")


def _lines(console: Console, receipts: Sequence[_ReadReceipt]) -> Iterator[str]:
    whose = (
        f"says that it is the console of {console.instance_id}" if console.instance_id else "does not say whose it is"
    )
    yield f"The file {whose}."
    complete, damaged = len(console.complete), len(console.damaged)
    yield f"Receipts: {complete} complete, {damaged} damaged. The machine printed them by itself: nobody challenged it."
    for read in receipts:
        yield f"  {_receipt_line(read)}"
    yield f"Failures: {len(console.failures)}. Anybody can print one."
    for failure in console.failures:
        yield f"  {failure.code}: {failure.remedy or 'no remedy is known'}"
        for index, digest in failure.pcrs.items():
            yield from pcr_lines(index, digest, pcr_sentence(index, digest), indent="    ")
    if console.unreadable:
        yield f"Damaged records: {console.unreadable}. Each is printed twice: the other copy may be among those above."
    if console.other_versions:
        yield f"Records of other versions: {console.other_versions}. A newer Strongroom may read them."


def _receipt_line(read: _ReadReceipt) -> str:
    state = "damaged" if isinstance(read.receipt, DamagedReceipt) else "complete"
    if read.document is None:
        return f"receipt {read.receipt.name}, {state}: {read.problem}"
    says = read.document.claims
    key = "none" if says.public_key is None else key_kind(says.public_key)
    made = f"says that {says.module_id} made it at {says.timestamp.isoformat()}"
    return f"receipt {read.receipt.name}, {state}: {made}; public key: {key}"


def _receipt_facts(read: _ReadReceipt) -> dict[str, object]:
    return {
        "name": read.receipt.name,
        "lines": read.receipt.total,
        "complete": isinstance(read.receipt, Receipt),
        "problem": read.problem or None,
        "document": None if read.document is None else {"kind": read.document.kind, **read.document.facts},
    }


def _failure_facts(failure: ConsoleFailure) -> dict[str, object]:
    return {"code": failure.code, "remedy": failure.remedy, "pcrs": pcr_members(failure.pcrs)}
