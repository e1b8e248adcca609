# SPDX-License-Identifier: Apache-2.0
"""What NitroTPM documents look like. Nothing is asked of the account: the documents are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conformance.aws.documents import Need
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.workbench import Workbench

from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, PcrIndex

PCR0 = "6e901b16932f6e036747d7a57696e4a2cc864008ebc016826ca1d7bd42ab5ac8286ccf49cde6c0284cbc4b63d978a2ec"
"""PCR 0 of all genuine documents that were examined."""
ZERO, ONES = "00" * 48, "ff" * 48


@probe("document-leaf", Need.ANY, requests=0)
def document_leaf(bench: Workbench) -> Ask:
    """How long the certificate of a document lives, and how it is numbered."""
    leaf = bench.document(Need.ANY).leaf
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    minted = datetime.fromtimestamp(leaf.serial_number, UTC) if leaf.serial_number < 1 << 32 else None
    return lambda: {
        "life": str(ends - begins),
        "number": "its second" if minted == begins + timedelta(seconds=3) else "another",
    }


@probe("document-constants", Need.ANY, requests=0)
def document_constants(bench: Workbench) -> Ask:
    """PCRs that are the same whatever was booted."""
    pcrs = {index: value.hex() for index, value in bench.document(Need.ANY).claims.pcrs.items()}

    def all_are(value: str, name: str, *indices: int) -> str:
        others = [str(index) for index in indices if pcrs.get(PcrIndex(index)) != value]
        return f"not in {', '.join(others)}" if others else name

    def ask() -> Seen:
        return {
            "0": all_are(PCR0, "the constant", 0),
            "2, 3, 6": all_are(SEPARATOR_ONLY_SHA384.hex(), "one separator", 2, 3, 6),
            "16, 23": all_are(ZERO, "zero", 16, 23),
            "17 to 22": all_are(ONES, "ones", *range(17, 23)),
        }

    return ask
