# SPDX-License-Identifier: Apache-2.0
"""What `strongroom verify` was given: a document, or a saved console with a receipt in it (docs/formats/console.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strongroom.appraisal.evidence import VerifiedEnclaveEvidence, VerifiedEvidence
from strongroom.crypto.public_keys import KeyKind, key_kind
from strongroom.errors import Finding, FormatError, NotTrusted, Severity
from strongroom.flows.files import read_file
from strongroom.formats.attestation_document import parse_nitrotpm_document
from strongroom.formats.console import parse_console
from strongroom.formats.console_model import Console, DamagedReceipt, Receipt
from strongroom.formats.console_text import MAX_CONSOLE_BYTES, is_console
from strongroom.ids import EvidenceBytes

_UNASKED = Finding(
    "console.unchallenged",
    "this is a receipt: the machine printed it by itself when it booted and NOBODY CHALLENGED IT. Whoever saved the "
    "console may have taken it from another time or another machine",
    severity=Severity.WARNING,
)
_WHOSE = Finding("console.whose", "the file does not say whose console it is", severity=Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Presented:
    """The evidence to verify, and the console it was found in, if it was."""

    evidence: EvidenceBytes
    console: Console | None = None

    @property
    def facts(self) -> Mapping[str, object]:
        """What `--json` says of the console: nothing for a document."""
        if self.console is None:
            return {}
        return {
            "console": {
                "receipt": self.console.last_receipt().name,
                "complete": len(self.console.complete),
                "damaged": [str(receipt) for receipt in self.console.damaged],
                "failures": len(self.console.failures),
                "instance_id": self.console.instance_id,
                "challenged": False,
            }
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """What the text says of it."""
        if self.console is None:
            return ()
        name, complete = self.console.last_receipt().name, len(self.console.complete)
        which = "the only complete one" if complete == 1 else f"the last of {complete} complete ones"
        damaged = f"; damaged: {len(self.console.damaged)}" if self.console.damaged else ""
        failures = f"; failures: {len(self.console.failures)}" if self.console.failures else ""
        return (f"from a saved console: receipt {name}, {which}{damaged}{failures}",)


def read_presented(path: Path) -> Presented:
    """Read a document, or a console and the last complete receipt in it. Raises FormatError when there is none."""
    data = read_file(path, maximum_bytes=MAX_CONSOLE_BYTES)
    if not is_console(data):
        return Presented(EvidenceBytes(data))
    console = parse_console(data)
    return Presented(console.last_receipt().document, console)


def expect_own_console(presented: Presented, evidence: VerifiedEvidence | VerifiedEnclaveEvidence) -> None:
    """Return if the console is not another instance's than the receipt's. Raises NotTrusted (ATTACKS A14).

    Whoever controls one machine can print on its console what another one has signed.
    """
    said = None if presented.console is None else presented.console.instance_id
    if said is not None and said != evidence.instance_id:
        raise NotTrusted(
            "console.other-instance",
            f"expected a receipt of {said}, whose console this is, found one of {evidence.instance_id}",
            remedy="Somebody has printed another machine's receipt on this console, or put two files together.",
        )


def console_notices(presented: Presented, evidence: VerifiedEvidence | VerifiedEnclaveEvidence) -> tuple[Finding, ...]:
    """Return what the reader of a verdict about a receipt has to know; nothing for a document."""
    console = presented.console
    if console is None:
        return ()
    return (
        _UNASKED,
        *([_WHOSE] if console.instance_id is None else []),
        *_later_damage(console.receipts),
        *_later_claims(console, evidence),
        *_other_key(evidence.public_key),
    )


def _later_damage(receipts: Sequence[Receipt | DamagedReceipt]) -> Iterator[Finding]:
    last = receipts[-1]
    if isinstance(last, DamagedReceipt):
        said = f"a later receipt, perhaps of a later boot, cannot be read: {last}"
        yield Finding("console.later-damage", said, severity=Severity.WARNING)


def _later_claims(console: Console, evidence: VerifiedEvidence | VerifiedEnclaveEvidence) -> Iterator[Finding]:
    """Yield a warning where an earlier receipt says that it is younger than the last: one was printed again."""
    for receipt in console.complete[:-1]:
        made = _claimed_time(receipt)
        if made is not None and made > evidence.timestamp:
            said = (
                f"receipt {receipt.name} stands before this one and says that it was made later, at {made}: this one "
                "may have been printed again, to cover a later boot"
            )
            yield Finding("console.later-receipt", said, severity=Severity.WARNING)


def _claimed_time(receipt: Receipt) -> datetime | None:
    """Return when a receipt says that it was made, which nobody has verified; None for one that says nothing."""
    try:
        return parse_nitrotpm_document(receipt.document).claimed_timestamp
    except FormatError:
        return None


def _other_key(public_key: bytes | None) -> Iterator[Finding]:
    found = "none" if public_key is None else key_kind(public_key)
    if found is not KeyKind.EC:
        said = f"receipts carry an EC key, which KMS cannot use; this document carries {found}"
        yield Finding("console.other-key", said, severity=Severity.NOTE)
