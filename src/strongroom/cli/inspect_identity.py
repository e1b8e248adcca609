# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for instance identity documents and their signatures. Nothing is verified here."""

from __future__ import annotations

import re

from strongroom.appraisal.identity import IdentityKind
from strongroom.cli.identity_report import NO_AGE, NOT_INTEGRITY, identity_members
from strongroom.cli.inspection import Inspection
from strongroom.errors import FormatError
from strongroom.formats.file_kind import IDENTITY_MARKS
from strongroom.formats.identity_document import (
    MAX_IDENTITY_DOCUMENT_BYTES,
    IdentityDocument,
    parse_identity_document,
)
from strongroom.formats.identity_signature import MAX_SIGNATURE_FILE_BYTES, decode_signature_file
from strongroom.formats.oids import describe_oid
from strongroom.formats.pkcs7 import (
    OID_DSA_WITH_SHA1,
    OID_RSA,
    OID_SHA1,
    OID_SHA256,
    OID_SHA256_WITH_RSA,
    OID_SIGNED_DATA,
    parse_signed_data,
)

_SIGNED_DATA = re.compile(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...)\x06\x09" + re.escape(OID_SIGNED_DATA), re.DOTALL)
_PLAIN_SIGNATURE_BYTES = 128
_KINDS = {
    (OID_SHA256, OID_RSA): IdentityKind.RSA2048,
    (OID_SHA256, OID_SHA256_WITH_RSA): IdentityKind.RSA2048,
    (OID_SHA1, OID_DSA_WITH_SHA1): IdentityKind.PKCS7,
}
_POINTER = "`strongroom identity verify` says whether EC2 signed it."


def recognise(data: bytes) -> Inspection | None:
    """Describe an identity document or a signature of one; None for anything else. Raises FormatError."""
    if len(data) <= MAX_IDENTITY_DOCUMENT_BYTES and data.lstrip().startswith(b"{") and _is_marked(data):
        document = parse_identity_document(data)
        return Inspection(
            "identity-document", "an instance identity document", _lines(document), identity_members(document), _POINTER
        )
    signature = _signature(data)
    if _SIGNED_DATA.match(signature) and _is_marked(signature):
        return _pkcs7(signature)
    if len(signature) == _PLAIN_SIGNATURE_BYTES and data.isascii():
        return _plain_signature()
    return None


def _is_marked(data: bytes) -> bool:
    return all(mark in data for mark in IDENTITY_MARKS)


def _signature(data: bytes) -> bytes:
    """Return the bytes of what may be a signature, nothing for what cannot be one."""
    if len(data) > MAX_SIGNATURE_FILE_BYTES:
        return b""
    try:
        return decode_signature_file(data)
    except FormatError:
        return b""


def _pkcs7(signature: bytes) -> Inspection:
    signed = parse_signed_data(signature)
    document = parse_identity_document(signed.content)
    kind = _KINDS.get((signed.digest_algorithm, signed.signature_algorithm))
    served = (
        f"The metadata service calls such a signature `{kind}`: {kind.algorithm}."
        if kind
        else f"Its algorithms are {describe_oid(signed.digest_algorithm)} and "
        f"{describe_oid(signed.signature_algorithm)}, which EC2 does not use together."
    )
    return Inspection(
        "identity-pkcs7",
        "a PKCS#7 signature that holds an instance identity document",
        (served, *_lines(document)),
        {"signature_kind": kind, **identity_members(document)},
        _POINTER,
    )


def _plain_signature() -> Inspection:
    return Inspection(
        "identity-signature",
        f"base64 of {_PLAIN_SIGNATURE_BYTES} bytes, as long as the `{IdentityKind.SIGNATURE}` of an instance identity "
        "document",
        (f"If it is one: {IdentityKind.SIGNATURE.algorithm}, over the document, of which nothing shows in it.",),
        {"signature_kind": IdentityKind.SIGNATURE},
        _POINTER,
    )


def _lines(document: IdentityDocument) -> tuple[str, ...]:
    claim = (
        f"It says: {document.instance_id} of account {document.account_id} runs {document.image_id} in "
        f"{document.region} (zone {document.availability_zone}) on {document.instance_type}, {document.architecture}, "
        f"last started at {document.pending_time}."
    )
    return (claim, "Even where EC2 says so:", f"  {NOT_INTEGRITY}", f"  {NO_AGE}")
