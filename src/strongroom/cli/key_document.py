# SPDX-License-Identifier: Apache-2.0
"""The attestation document of a request that is tried out: a real one, one as an image would give, or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from strongroom.appraisal.evidence import (
    AT_DOCUMENT_TIME,
    AtDocumentTime,
    VerifiedEnclaveEvidence,
    VerifiedEvidence,
    verify_enclave_evidence,
    verify_evidence,
)
from strongroom.cli.paths import PATH, named
from strongroom.cli.policy_file import read_measurements_file
from strongroom.cli.verify_console import expect_own_console, read_presented
from strongroom.cli.verify_trust import read_roots
from strongroom.crypto.public_keys import KeyKind, key_kind
from strongroom.errors import Finding, Severity, UsageError
from strongroom.keypolicy.context import EnclavePcrs, NitroTpmPcrs

MAX_AGE = timedelta(minutes=5)
"""How old a document may be for KMS (docs/twin.md, `five-minutes`)."""
_AS_MEASURED = Finding(
    "key.document-as-measured",
    "nobody made this document: its PCRs are those that the measurements file predicts, and it has no others",
    severity=Severity.NOTE,
)


@dataclass(frozen=True, slots=True)
class Document:
    """What a request shows of its document, if it has one, and what the reader should know about it."""

    attestation: NitroTpmPcrs | EnclavePcrs | None
    made: datetime | None = None
    """The document's own time."""
    notices: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentChoice:
    """What the options say about the document."""

    document: Path | None
    measurements: Path | None
    no_document: bool
    enclave: bool
    root: tuple[Path, ...]

    @property
    def given(self) -> bool:
        """Tell whether the options say anything, be it that there is none."""
        return self.document is not None or self.measurements is not None or self.no_document

    def read(self, at: datetime | AtDocumentTime | None) -> Document:
        """Read and verify it, as of `at` or of its own time.

        Raises UsageError, FormatError, NotAuthentic, NotTrusted, LocalFault.
        """
        self._expect_one()
        if self.measurements is not None:
            pcrs = read_measurements_file(self.measurements).pcrs
            return Document(NitroTpmPcrs(pcrs), notices=(_AS_MEASURED,))
        if self.document is None:
            return Document(None)
        evidence = self._verified(self.document, AT_DOCUMENT_TIME if at is None else at)
        kind = EnclavePcrs if isinstance(evidence, VerifiedEnclaveEvidence) else NitroTpmPcrs
        return Document(kind(evidence.pcrs), evidence.timestamp, tuple(_other_key(evidence.public_key)))

    def _expect_one(self) -> None:
        kinds = {"--document": self.document, "--measurements": self.measurements, "--no-document": self.no_document}
        given = [name for name, value in kinds.items() if value]
        if len(given) > 1:
            raise UsageError("key.which-document", f"expected one of {', '.join(kinds)}, found {' and '.join(given)}")
        if (self.enclave or self.root) and self.document is None:
            name = "--enclave" if self.enclave else "--root"
            raise UsageError("key.which-document", f"expected --document with {name}, found none")

    def _verified(self, path: Path, at: datetime | AtDocumentTime) -> VerifiedEvidence | VerifiedEnclaveEvidence:
        verify = verify_enclave_evidence if self.enclave else verify_evidence
        with named(path):
            presented = read_presented(path)
            evidence = verify(presented.evidence, roots=read_roots(self.root, ()), at=at)
        expect_own_console(presented, evidence)
        return evidence


def _other_key(public_key: bytes | None) -> Iterator[Finding]:
    found = "none" if public_key is None else key_kind(public_key)
    if found is not KeyKind.RSA:
        said = f"KMS encrypts to RSA keys only and would refuse this document: its public key is {found}"
        yield Finding("key.document-key", said, severity=Severity.WARNING)


def age_notices(document: Document, now: datetime) -> Iterator[Finding]:
    """Yield what to know about a document that KMS would not take `now`."""
    if document.made is not None and not timedelta(0) <= now - document.made <= MAX_AGE:
        said = (
            f"the document is of {document.made.isoformat()}, and KMS takes none above five minutes: this is the "
            "answer to a fresh one with its PCRs"
        )
        yield Finding("key.document-age", said, severity=Severity.NOTE)


DOCUMENT_OPTIONS = (
    click.option("--document", type=PATH, help="An attestation document, or a saved console with a receipt; verified."),
    click.option("--measurements", type=PATH, help="A document as an image with these measurements would give."),
    click.option("--no-document", is_flag=True, help="A request without a document: the default."),
    click.option("--enclave", is_flag=True, help="The document is a Nitro Enclaves one."),
    click.option("--root", multiple=True, type=PATH, help="PEM file of roots to trust, instead of AWS's."),
)
"""In the order of `--help`."""
