# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents and their signatures, ours in EC2's shape."""

import base64

from tests import identity_signer
from tests.fuzz.target import Target

from strongroom.appraisal.identity import verify_unsafe_legacy_pkcs7
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.identity_document import parse_identity_document
from strongroom.formats.identity_signature import decode_signature_file
from strongroom.formats.pkcs7 import parse_signed_data

DOCUMENT = identity_signer.document()
PINNED = {identity_signer.REGION: identity_signer.dsa_certificate(name=identity_signer.FIXED)}


def document(data: bytes) -> None:
    parse_identity_document(data)


def pkcs7(data: bytes) -> None:
    """What is signed stands in the file, or in the chunks of it."""
    signed = parse_signed_data(data)
    assert len(signed.content) < len(data)
    assert signed.signature in data


def dsa(data: bytes) -> None:
    """Only what passes the parser gets to the arithmetic. The key is the same in every run."""
    assert verify_unsafe_legacy_pkcs7(DOCUMENT, data, certificates=PINNED).instance_id == "i-0123456789abcdef0"


def signature_file(data: bytes) -> None:
    """Whatever the armour was: the bytes under it, in plain base64, are the same file."""
    decoded = decode_signature_file(data)
    if decoded != data:
        assert decode_signature_file(base64.encodebytes(decoded)) == decoded


def documents() -> list[bytes]:
    return [DOCUMENT, b"{}"]


def signed() -> list[bytes]:
    return [identity_signer.sign_dsa(DOCUMENT, name=identity_signer.FIXED), identity_signer.sign(DOCUMENT)]


def signed_briefly() -> list[bytes]:
    return [identity_signer.sign(DOCUMENT), identity_signer.sign(b"{}")]


def signature_files() -> list[bytes]:
    text = base64.encodebytes(identity_signer.sign_dsa(b"{}", name=identity_signer.FIXED))
    return [text, b"-----BEGIN PKCS7-----\n" + text + b"-----END PKCS7-----\n", base64.encodebytes(bytes(128))]


TARGETS = (
    Target("identity.document", document, documents),
    Target("identity.pkcs7", pkcs7, signed_briefly),
    Target("identity.dsa", dsa, signed, (FormatError, NotAuthentic)),
    Target("identity.signature-file", signature_file, signature_files),
)
