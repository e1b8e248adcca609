# SPDX-License-Identifier: Apache-2.0
"""Attestation documents of the Nitro system: a COSE_Sign1 around a CBOR map.

Two kinds share envelope, fields and root, and mean different things: NitroTPM documents (map key `nitrotpm_pcrs`) and
Nitro Enclaves documents (`pcrs`). Each has its own parser and its own type here, so that one is never taken for the
other (ATTACKS A11).

A parsed document is unverified. It gives out what a verifier needs (the envelope, the certificates, the timestamp it
claims) and no PCR, key, nonce or user data (ATTACKS A22). `unverified_claims` exists for two callers: the verifier,
after its last step, and `strongroom inspect`, which claims no trust.

Sources: EC2 User Guide, "NitroTPM attestation document" (nitrotpm-attestation-document-validate);
aws-nitro-enclaves-nsm-api, docs/attestation_process.md, sections 3.1 and 3.2. Genuine documents differ from the second
in one point, which is accepted: optional fields that were not asked for are present with CBOR null.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from strongroom.errors import FormatError
from strongroom.formats import cbor, cose
from strongroom.formats.cbor import CborItem, Profile
from strongroom.formats.cose import CoseSign1
from strongroom.formats.file_kind import guess_kind, looks_like
from strongroom.formats.names import INSTANCE_ID
from strongroom.formats.pcrs import PCR_COUNT, SHA384_BYTES, PcrBank, PcrDigests, PcrIndex
from strongroom.ids import CertificateDer, EvidenceBytes

MAX_DOCUMENT_BYTES = 16_384
"""Genuine documents have 4,400 to 7,600 bytes; the NSM specification ends at 16 KiB of payload (ATTACKS A10)."""
MAX_CERTIFICATE_BYTES = 1024
MAX_CABUNDLE = 8
"""Genuine bundles hold four certificates; the specification sets no upper bound."""
MAX_FIELD_BYTES = 1024
"""public_key, user_data and nonce, by the CDDL; the text of the NSM specification says 512 for the last two."""
PROTECTED_ES384 = b"\xa1\x01\x38\x22"
"""The map {1: -35}: the only protected header there is (ATTACKS A7)."""
SIGNATURE_BYTES = 96
"""r and s of ECDSA over P-384 (RFC 9053 section 2.1)."""

_SPEC = "EC2 User Guide, NitroTPM attestation document"
_NITROTPM_KEY = "nitrotpm_pcrs"
_ENCLAVE_KEY = "pcrs"
_MODULE_ID_CHARACTERS = 128
_NITROTPM_MODULE = re.compile(rf"{INSTANCE_ID.pattern}-tpm[0-9a-f]{{16}}")
_ENCLAVE_MODULE = re.compile(rf"{INSTANCE_ID.pattern}-enc[0-9a-f]{{16}}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 253_402_300_799_999
"""The end of year 9999, where `datetime` ends."""


@dataclass(frozen=True, slots=True)
class UnverifiedClaims:
    """What a document says. True only if somebody has verified the document; see `appraisal.evidence`."""

    module_id: str
    timestamp: datetime
    pcrs: PcrDigests
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None


@dataclass(frozen=True, slots=True)
class _Document:
    envelope: CoseSign1
    certificate: CertificateDer
    cabundle: tuple[CertificateDer, ...]
    claimed_timestamp: datetime
    _claims: UnverifiedClaims = field(repr=False)


class AttestationDocument(_Document):
    """A parsed NitroTPM document. Nothing in it may be taken for true yet."""

    __slots__ = ()


class EnclaveDocument(_Document):
    """A parsed Nitro Enclaves document. Nothing in it may be taken for true yet."""

    __slots__ = ()


def unverified_claims(document: AttestationDocument | EnclaveDocument) -> UnverifiedClaims:
    """Return what `document` says. For the verifier's last step, and for display that claims no trust."""
    return document._claims  # noqa: SLF001 -- the one door to it


@dataclass(frozen=True, slots=True)
class _Flavour:
    """One of the two kinds: how its documents differ from the other's."""

    name: str
    pcr_key: str
    module_id: re.Pattern[str]
    module_id_shape: str


_NITROTPM = _Flavour("NitroTPM", _NITROTPM_KEY, _NITROTPM_MODULE, "i-<hex>-tpm<16 hex digits>")
_ENCLAVE = _Flavour("Nitro Enclaves", _ENCLAVE_KEY, _ENCLAVE_MODULE, "i-<hex>-enc<16 hex digits>")


def parse_nitrotpm_document(data: EvidenceBytes) -> AttestationDocument:
    """Parse a NitroTPM document, tagged or not. Raises FormatError; an enclave document is refused by name."""
    envelope = _parse_envelope(data)
    return AttestationDocument(envelope, *_parse_payload(envelope, _NITROTPM))


def parse_enclave_document(data: EvidenceBytes) -> EnclaveDocument:
    """Parse a Nitro Enclaves document, tagged or not. Raises FormatError; a NitroTPM document is refused by name."""
    envelope = _parse_envelope(data)
    return EnclaveDocument(envelope, *_parse_payload(envelope, _ENCLAVE))


def _parse_envelope(data: bytes) -> CoseSign1:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise FormatError(
            "document.too-large",
            f"expected an attestation document of at most {MAX_DOCUMENT_BYTES} bytes, found {len(data)}; "
            f"this looks like {guess_kind(data)}",
            offset=MAX_DOCUMENT_BYTES,
            spec=_SPEC,
        )
    if not data.startswith((b"\x84", b"\xd2")):
        raise FormatError(
            "document.not-a-document",
            "expected an attestation document (a COSE_Sign1 message), "
            f"found what looks like {looks_like(data)}, beginning",
            offset=0,
            spec=_SPEC,
        )
    envelope = cose.parse_cose_sign1(data, Profile.AWS, maximum_bytes=MAX_DOCUMENT_BYTES)
    if envelope.protected != PROTECTED_ES384:
        raise FormatError(
            "document.protected-header",
            f"expected the protected header a1013822 (ES384 and nothing else), found {envelope.protected[:32].hex()}; "
            "this is a COSE_Sign1 message of another kind, perhaps a Strongroom bundle",
            offset=data.find(envelope.protected),
            spec="RFC 9053 section 2.1",
        )
    if len(envelope.signature) != SIGNATURE_BYTES:
        raise FormatError(
            "document.signature-length",
            f"expected a signature of {SIGNATURE_BYTES} bytes (r and s), found {len(envelope.signature)}",
            offset=len(data) - len(envelope.signature),
            spec="RFC 9053 section 2.1",
        )
    return envelope


def _parse_payload(
    envelope: CoseSign1, flavour: _Flavour
) -> tuple[CertificateDer, tuple[CertificateDer, ...], datetime, UnverifiedClaims]:
    root = cbor.decode(envelope.payload, Profile.AWS, base_offset=envelope.payload_offset)
    fields = _fields(root, flavour)
    _expect_digest(fields["digest"])
    claims = UnverifiedClaims(
        module_id=_module_id(fields["module_id"], flavour),
        timestamp=_timestamp(fields["timestamp"]),
        pcrs=_pcrs(fields[flavour.pcr_key]),
        public_key=_optional(fields.get("public_key")),
        user_data=_optional(fields.get("user_data")),
        nonce=_optional(fields.get("nonce")),
    )
    cabundle = tuple(map(_certificate, fields["cabundle"].array(minimum=1, maximum=MAX_CABUNDLE)))
    return _certificate(fields["certificate"]), cabundle, claims.timestamp, claims


def _fields(root: CborItem, flavour: _Flavour) -> dict[str, CborItem]:
    try:
        return root.record(
            ("module_id", "digest", "timestamp", flavour.pcr_key, "certificate", "cabundle"),
            ("public_key", "user_data", "nonce"),
        )
    except FormatError:
        _expect_flavour(root, flavour)  # a document of the other kind lacks a key too: it is refused by name
        raise


def _expect_flavour(root: CborItem, wanted: _Flavour) -> None:
    other = _ENCLAVE if wanted is _NITROTPM else _NITROTPM
    keys = {key.scalar for key, _ in root.map()}
    if other.pcr_key in keys and wanted.pcr_key not in keys:
        raise FormatError(
            "document.wrong-kind",
            f"expected a {wanted.name} document (key {wanted.pcr_key}), found a {other.name} document "
            f"(key {other.pcr_key})",
            offset=root.offset,
            spec=_SPEC,
            remedy="`strongroom verify` reads NitroTPM documents, and Nitro Enclaves documents with --enclave.",
        )


def _expect_digest(item: CborItem) -> None:
    if item.text(maximum=16) != PcrBank.SHA384:
        raise FormatError(
            "document.digest", f"expected the digest 'SHA384', found {item.scalar!r}", offset=item.offset, spec=_SPEC
        )


def _module_id(item: CborItem, flavour: _Flavour) -> str:
    value = item.text(minimum=1, maximum=_MODULE_ID_CHARACTERS)
    if not flavour.module_id.fullmatch(value):
        raise FormatError(
            "document.module-id",
            f"expected a module id of the form {flavour.module_id_shape}, found {value!r}",
            offset=item.offset,
            spec=_SPEC,
        )
    return value


def _timestamp(item: CborItem) -> datetime:
    milliseconds = item.uint()
    if not 0 < milliseconds <= _LAST_MILLISECOND:
        raise FormatError(
            "document.timestamp",
            f"expected milliseconds since 1970, more than 0 and before the year 10000, found {milliseconds}",
            offset=item.offset,
            spec=_SPEC,
        )
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _pcrs(item: CborItem) -> PcrDigests:
    pairs = item.map()
    if not pairs:
        raise FormatError("document.no-pcrs", "expected at least one PCR, found none", offset=item.offset, spec=_SPEC)
    digests: list[tuple[PcrIndex, bytes]] = []
    for key, value in pairs:
        index = key.uint()
        if index >= PCR_COUNT:
            raise FormatError(
                "document.pcr-index",
                f"expected a PCR index from 0 to {PCR_COUNT - 1}, found {index}",
                offset=key.offset,
                spec=_SPEC,
            )
        digests.append((PcrIndex(index), value.bytes(minimum=SHA384_BYTES, maximum=SHA384_BYTES)))
    return PcrDigests(tuple(sorted(digests)))


def _certificate(item: CborItem) -> CertificateDer:
    return CertificateDer(item.bytes(minimum=1, maximum=MAX_CERTIFICATE_BYTES))


def _optional(item: CborItem | None) -> bytes | None:
    if item is None or item.is_null():
        return None
    return item.bytes(maximum=MAX_FIELD_BYTES)


def encode_nitrotpm_payload(
    *,
    module_id: str,
    timestamp: datetime,
    pcrs: PcrDigests,
    certificate: CertificateDer,
    cabundle: Sequence[CertificateDer],
    public_key: bytes | None,
    user_data: bytes | None,
    nonce: bytes | None,
) -> bytes:
    """Encode a payload byte for byte as the NitroTPM does: an indefinite map, its key order, nulls for what is absent.

    `timestamp` is cut to whole milliseconds. For emulators; production code only reads documents.
    """
    fields: tuple[tuple[str, cbor.Plain], ...] = (
        ("module_id", module_id),
        ("digest", PcrBank.SHA384.value),
        ("timestamp", (timestamp - _EPOCH) // timedelta(milliseconds=1)),
        (_NITROTPM_KEY, {int(index): digest for index, digest in pcrs.items()}),
        ("certificate", certificate),
        ("cabundle", list(cabundle)),
        ("public_key", public_key),
        ("user_data", user_data),
        ("nonce", nonce),
    )
    return b"\xbf" + b"".join(cbor.encode(key) + cbor.encode(value) for key, value in fields) + b"\xff"
