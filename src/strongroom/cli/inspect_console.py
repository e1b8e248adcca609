# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for saved consoles: which receipts and failures are in it. Nothing is verified here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strongroom.cli import inspect_document
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
    facts: Mapping[str, object] = {
        "instance_id": console.instance_id,
        "challenged": False,
        "receipts": [_receipt_facts(receipt) for receipt in console.receipts],
        "failures": [_failure_facts(failure) for failure in console.failures],
        "unreadable": console.unreadable,
        "other_versions": console.other_versions,
    }
    return Inspection("console", "a saved console of an instance", tuple(_lines(console)), facts, _POINTER)


def _lines(console: Console) -> Iterator[str]:
    whose = (
        f"says that it is the console of {console.instance_id}" if console.instance_id else "does not say whose it is"
    )
    yield f"The file {whose}."
    complete, damaged = len(console.complete), len(console.damaged)
    yield f"Receipts: {complete} complete, {damaged} damaged. The machine printed them by itself: nobody challenged it."
    for receipt in console.receipts:
        yield f"  {_receipt_line(receipt)}"
    yield f"Failures: {len(console.failures)}. Anybody can print one."
    for failure in console.failures:
        yield f"  {failure.code}: {failure.remedy or 'no remedy is known'}"
        for index, digest in failure.pcrs.items():
            yield from pcr_lines(index, digest, pcr_sentence(index, digest), indent="    ")
    if console.unreadable:
        yield f"Damaged records: {console.unreadable}. Each is printed twice: the other copy may be among those above."
    if console.other_versions:
        yield f"Records of other versions: {console.other_versions}. A newer Strongroom may read them."


def _receipt_line(receipt: Receipt | DamagedReceipt) -> str:
    if isinstance(receipt, DamagedReceipt):
        return f"receipt {receipt.name}, damaged: {receipt}"
    document, problem = _document(receipt)
    if document is None:
        return f"receipt {receipt.name}, complete: {problem}"
    says = document.facts
    key = says["public_key"]
    kind = "none" if key is None else key_kind(bytes.fromhex(str(key)))
    made = f"says that {says['module_id']} made it at {says['timestamp']}"
    return f"receipt {receipt.name}, complete: {made}; public key: {kind}"


def _document(receipt: Receipt) -> tuple[Inspection | None, str]:
    """Return what the document says; where it says nothing, why."""
    try:
        found = inspect_document.recognise(receipt.document)
    except FormatError as error:
        return None, f"the document in it cannot be read: {error}"
    return found, "" if found else "what is in it is no attestation document"


def _receipt_facts(receipt: Receipt | DamagedReceipt) -> dict[str, object]:
    facts: dict[str, object] = {"name": receipt.name, "lines": receipt.total}
    if isinstance(receipt, DamagedReceipt):
        return facts | {"complete": False, "problem": str(receipt), "document": None}
    document, problem = _document(receipt)
    says = None if document is None else {"kind": document.kind, **document.facts}
    return facts | {"complete": True, "problem": problem or None, "document": says}


def _failure_facts(failure: ConsoleFailure) -> dict[str, object]:
    return {"code": failure.code, "remedy": failure.remedy, "pcrs": pcr_members(failure.pcrs)}
