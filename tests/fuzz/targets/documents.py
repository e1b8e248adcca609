# SPDX-License-Identifier: Apache-2.0
"""Attestation documents of both kinds, ours in the shape of AWS's."""

from tests import nitro_pki
from tests.fuzz.target import Target

from strongroom.errors import FormatError
from strongroom.formats.attestation_document import (
    encode_nitrotpm_payload,
    parse_enclave_document,
    parse_nitrotpm_document,
    unverified_claims,
)
from strongroom.formats.cose import encode_cose_sign1


def nitrotpm(data: bytes) -> None:
    """A document of one kind is none of the other, and what it claims can be written as AWS writes it."""
    document = parse_nitrotpm_document(data)
    refuses(parse_enclave_document, data)
    claims = unverified_claims(document)
    payload = encode_nitrotpm_payload(
        module_id=claims.module_id,
        timestamp=claims.timestamp,
        pcrs=claims.pcrs,
        certificate=document.certificate,
        cabundle=document.cabundle,
        public_key=claims.public_key,
        user_data=claims.user_data,
        nonce=claims.nonce,
    )
    envelope = document.envelope
    again = parse_nitrotpm_document(encode_cose_sign1(envelope.protected, payload, envelope.signature))
    assert unverified_claims(again) == claims
    assert (again.certificate, again.cabundle) == (document.certificate, document.cabundle)


def enclave(data: bytes) -> None:
    parse_enclave_document(data)
    refuses(parse_nitrotpm_document, data)


def refuses(parse, data: bytes) -> None:
    try:
        parse(data)
    except FormatError:
        return
    raise AssertionError("one file is two kinds of document")


def enclave_document() -> bytes:
    return nitro_pki.enclave_document(nitro_pki.enclave_pki())


def nitrotpm_documents() -> list[bytes]:
    good = nitro_pki.document()
    return [good, nitro_pki.raw_document(), b"\xd2" + good, enclave_document()]


def enclave_documents() -> list[bytes]:
    return [enclave_document(), nitro_pki.document()]


TARGETS = (
    Target("documents.nitrotpm", nitrotpm, nitrotpm_documents, max_bytes=8_192),
    Target("documents.enclave", enclave, enclave_documents, max_bytes=8_192),
)
