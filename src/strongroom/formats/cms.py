# SPDX-License-Identifier: Apache-2.0
"""CMS EnvelopedData (RFC 5652 section 6) in the one shape in which AWS KMS sends `CiphertextForRecipient`.

One KeyTransRecipientInfo named by subjectKeyIdentifier, RSAES-OAEP with SHA-256 (RFC 4055 section 4.1), content in
AES-256-CBC (RFC 3565). KMS writes BER with indefinite lengths. Two variants occur in the field and are read as well: an
empty parameter SEQUENCE for OAEP (KMS around 2020, still SHA-256) and the content as one primitive [0]. Everything else
is refused.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strongroom.formats.ber import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    BerElement,
    encode_definite,
    encode_indefinite,
    parse_ber,
)
from strongroom.formats.pkcs7 import OID_DATA
from strongroom.ids import CmsBytes, KeyId

MAX_CMS_BYTES = 6144
"""KMS API: CiphertextForRecipient is a CiphertextType of 1 to 6,144 bytes."""
KEY_ID_BYTES = 32
BLOCK_BYTES = 16
MAX_ENCRYPTED_KEY_BYTES = 512
"""RSA-4096."""

_SPEC = "RFC 5652 section 6.1"
_CONTEXT_0, _CONTEXT_0_CONSTRUCTED, _CONTEXT_1_CONSTRUCTED = 0x80, 0xA0, 0xA1
_OID_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
_OID_AES256_CBC = bytes.fromhex("60864801650304012a")
_VERSION_2 = b"\x02"
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_MGF1_SHA256 = encode_definite(SEQUENCE, bytes.fromhex("06092a864886f70d010108") + _SHA256)
_OID_OAEP = bytes.fromhex("06092a864886f70d010107")
_OAEP_PARAMETERS = encode_definite(
    SEQUENCE,
    encode_definite(_CONTEXT_0_CONSTRUCTED, _SHA256) + encode_definite(_CONTEXT_1_CONSTRUCTED, _MGF1_SHA256),
)


class OaepParameters(enum.Enum):
    """How the envelope names its OAEP parameters. Both mean SHA-256 with MGF1-SHA-256; the values are the encodings."""

    SHA256 = encode_definite(SEQUENCE, _OID_OAEP + _OAEP_PARAMETERS)
    EMPTY = encode_definite(SEQUENCE, _OID_OAEP + bytes.fromhex("3000"))


class ContentForm(enum.Enum):
    """How the encrypted content is written: OCTET STRING chunks in a constructed [0], or one primitive [0]."""

    CHUNKS = "chunks"
    PRIMITIVE = "primitive"


@dataclass(frozen=True, slots=True)
class EnvelopedData:
    """A parsed envelope, still closed. `recipient` is the subjectKeyIdentifier; `iv` has 16 bytes."""

    recipient: KeyId
    encrypted_key: bytes
    iv: bytes
    chunks: tuple[bytes, ...]
    form: ContentForm = ContentForm.CHUNKS
    oaep: OaepParameters = OaepParameters.SHA256

    @property
    def encrypted_content(self) -> bytes:
        """The ciphertext: a positive multiple of 16 bytes."""
        return b"".join(self.chunks)


def parse_enveloped_data(data: CmsBytes) -> EnvelopedData:
    """Parse what KMS returned as CiphertextForRecipient. Raises FormatError for any other shape or algorithm."""
    root = parse_ber(data, maximum_bytes=MAX_CMS_BYTES, spec=_SPEC)
    content_type, explicit = root.unpack(SEQUENCE, (OID, _CONTEXT_0_CONSTRUCTED))
    content_type.expect_content(_OID_ENVELOPED_DATA, "the type envelopedData")
    (body,) = explicit.unpack(_CONTEXT_0_CONSTRUCTED, (SEQUENCE,))
    version, recipients, content = body.unpack(SEQUENCE, (INTEGER, SET, SEQUENCE))
    version.expect_content(_VERSION_2, "EnvelopedData version 2")
    (recipient,) = recipients.unpack(SET, (SEQUENCE,))
    key_id, oaep, encrypted_key = _parse_recipient(recipient)
    iv, form, chunks = _parse_content(content)
    return EnvelopedData(KeyId(key_id), encrypted_key, iv, chunks, form, oaep)


def _parse_recipient(element: BerElement) -> tuple[bytes, OaepParameters, bytes]:
    version, key_id, algorithm, encrypted_key = element.unpack(SEQUENCE, (INTEGER, _CONTEXT_0, SEQUENCE, OCTET_STRING))
    version.expect_content(_VERSION_2, "KeyTransRecipientInfo version 2")
    oaep = next((known for known in OaepParameters if known.value == algorithm.raw), None)
    if oaep is None:
        raise algorithm.refused(
            "cms.key-algorithm", "expected RSAES-OAEP with SHA-256 and MGF1-SHA-256, found another algorithm"
        )
    return (
        _octets(key_id, (KEY_ID_BYTES, KEY_ID_BYTES), "a subjectKeyIdentifier"),
        oaep,
        _octets(encrypted_key, (1, MAX_ENCRYPTED_KEY_BYTES), "an encrypted key"),
    )


def _parse_content(element: BerElement) -> tuple[bytes, ContentForm, tuple[bytes, ...]]:
    content_type, algorithm, content = element.open(SEQUENCE, minimum=3, maximum=3)
    content_type.expect_tag(OID)
    content_type.expect_content(OID_DATA, "content of type data")
    cipher, iv = algorithm.unpack(SEQUENCE, (OID, OCTET_STRING))
    cipher.expect_content(_OID_AES256_CBC, "AES-256-CBC")
    form = ContentForm.PRIMITIVE if content.tag == _CONTEXT_0 else ContentForm.CHUNKS
    chunks = _parse_chunks(content, form)
    length = sum(map(len, chunks))
    if length == 0 or length % BLOCK_BYTES:
        raise content.refused(
            "cms.content-length", f"expected a positive multiple of {BLOCK_BYTES} bytes, found {length}"
        )
    return _octets(iv, (BLOCK_BYTES, BLOCK_BYTES), "an IV"), form, chunks


def _parse_chunks(content: BerElement, form: ContentForm) -> tuple[bytes, ...]:
    if form is ContentForm.PRIMITIVE:
        return (content.content,)
    content.expect_tag(_CONTEXT_0_CONSTRUCTED)
    for chunk in content.children:
        chunk.expect_tag(OCTET_STRING)
    return tuple(chunk.content for chunk in content.children)


def _octets(element: BerElement, sizes: tuple[int, int], what: str) -> bytes:
    minimum, maximum = sizes
    if not minimum <= len(element.content) <= maximum:
        raise element.refused(
            "cms.octets", f"expected {what} of {minimum} to {maximum} bytes, found {len(element.content)}"
        )
    return element.content


def encode_enveloped_data(envelope: EnvelopedData) -> CmsBytes:
    """Encode exactly as KMS does: the same elements of indefinite length, the same order."""
    version = encode_definite(INTEGER, _VERSION_2)
    recipient = encode_definite(
        SEQUENCE,
        version
        + encode_definite(_CONTEXT_0, envelope.recipient)
        + envelope.oaep.value
        + encode_definite(OCTET_STRING, envelope.encrypted_key),
    )
    cipher = encode_definite(
        SEQUENCE, encode_definite(OID, _OID_AES256_CBC) + encode_definite(OCTET_STRING, envelope.iv)
    )
    content = encode_indefinite(SEQUENCE, encode_definite(OID, OID_DATA) + cipher + _encode_chunks(envelope))
    body = encode_indefinite(SEQUENCE, version + encode_definite(SET, recipient) + content)
    kind = encode_definite(OID, _OID_ENVELOPED_DATA)
    return CmsBytes(encode_indefinite(SEQUENCE, kind + encode_indefinite(_CONTEXT_0_CONSTRUCTED, body)))


def _encode_chunks(envelope: EnvelopedData) -> bytes:
    if envelope.form is ContentForm.PRIMITIVE:
        return encode_definite(_CONTEXT_0, envelope.encrypted_content)
    chunks = b"".join(encode_definite(OCTET_STRING, chunk) for chunk in envelope.chunks)
    return encode_indefinite(_CONTEXT_0_CONSTRUCTED, chunks)
