# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for attestation documents of both kinds. Nothing is verified here."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.cli.inspection import Inspection
from strongroom.cli.pcr_output import hex_member, pcr_lines, pcr_members
from strongroom.crypto.certificates import CertificateFacts, describe_certificate
from strongroom.errors import FormatError
from strongroom.formats.attestation_document import (
    AttestationDocument,
    EnclaveDocument,
    UnverifiedClaims,
    parse_enclave_document,
    parse_nitrotpm_document,
    unverified_claims,
)
from strongroom.formats.file_kind import FileKind, guess_kind
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex
from strongroom.ids import EvidenceBytes

_LONGEST_SHOWN_BYTES = 64
_ENCLAVE_MEANINGS = {
    0: "the enclave image",
    1: "its kernel and first ramdisk",
    2: "its application",
    3: "the IAM role of the parent instance",
    4: "the id of the parent instance",
    8: "the certificate that signed the enclave image",
}


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a document says, of either kind. Nothing of it is verified."""

    is_nitrotpm: bool
    claims: UnverifiedClaims
    certificates: tuple[CertificateFacts, ...]
    """From the leaf to the root."""

    @property
    def kind(self) -> str:
        """A stable word for machines."""
        return "nitrotpm-document" if self.is_nitrotpm else "enclave-document"

    @property
    def facts(self) -> dict[str, object]:
        """What `--json` prints; its keys are stable."""
        claims = self.claims
        return {
            "module_id": claims.module_id,
            "timestamp": claims.timestamp.isoformat(),
            "public_key": hex_member(claims.public_key),
            "user_data": hex_member(claims.user_data),
            "nonce": hex_member(claims.nonce),
            "pcrs": pcr_members(claims.pcrs),
            "certificates": [_certificate_facts(certificate) for certificate in self.certificates],
        }


def recognise(data: bytes) -> Inspection | None:
    """Describe an attestation document, NitroTPM or enclave; None for anything else. Raises FormatError."""
    found = read_document(data)
    if found is None:
        return None
    title = "a NitroTPM attestation document" if found.is_nitrotpm else "a Nitro Enclaves attestation document"
    pointer = f"`strongroom verify{'' if found.is_nitrotpm else ' --enclave'}` says whether it is authentic."
    return Inspection(found.kind, title, _lines(found), found.facts, pointer)


def read_document(data: bytes) -> ReadDocument | None:
    """Parse an attestation document and its certificates; None for anything else. Raises FormatError."""
    if guess_kind(data) is not FileKind.ATTESTATION_DOCUMENT:
        return None
    document = _parse(EvidenceBytes(data))
    certificates = tuple(describe_certificate(der) for der in (document.certificate, *reversed(document.cabundle)))
    return ReadDocument(isinstance(document, AttestationDocument), unverified_claims(document), certificates)


def _parse(data: EvidenceBytes) -> AttestationDocument | EnclaveDocument:
    try:
        return parse_nitrotpm_document(data)
    except FormatError as error:
        if error.code == "document.wrong-kind":
            return parse_enclave_document(data)
        raise


def _lines(found: ReadDocument) -> tuple[str, ...]:
    claims, certificates = found.claims, found.certificates
    sentence = pcr_sentence if found.is_nitrotpm else _enclave_sentence
    return (
        f"It says that it was made by {claims.module_id} at {claims.timestamp:%Y-%m-%d %H:%M:%S.%f} UTC.",
        f"Public key: {_shown(claims.public_key)}",
        f"User data:  {_shown(claims.user_data)}",
        f"Nonce:      {_shown(claims.nonce)}",
        "",
        *(line for pcr, digest in claims.pcrs.items() for line in pcr_lines(pcr, digest, sentence(pcr, digest))),
        "",
        "Certificates, from the leaf to the root (each must be valid when the document is verified):",
        *(f"  {c.begins:%Y-%m-%d %H:%M:%S} to {c.ends:%Y-%m-%d %H:%M:%S} UTC  {c.subject}" for c in certificates),
        f"  SHA-256 of the root: {certificates[-1].sha256.hex()}",
    )


def _enclave_sentence(index: PcrIndex, digest: bytes) -> str:
    meaning = _ENCLAVE_MEANINGS.get(index, "for the enclave's own use")
    if digest != ZERO_SHA384:
        return meaning
    if index == PcrIndex(0):
        return f"{meaning}: all zeros, so this enclave runs in debug mode: do not trust it"
    return f"{meaning}: all zeros, nothing was measured into it"


def _shown(value: bytes | None) -> str:
    if value is None:
        return "none"
    rest = "…" if len(value) > _LONGEST_SHOWN_BYTES else ""
    return f"{len(value)} bytes {value[:_LONGEST_SHOWN_BYTES].hex()}{rest}"


def _certificate_facts(certificate: CertificateFacts) -> dict[str, object]:
    return {
        "subject": certificate.subject,
        "begins": certificate.begins.isoformat(),
        "ends": certificate.ends.isoformat(),
        "sha256": certificate.sha256.hex(),
    }
