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

from strongroom.errors import FormatError
from strongroom.formats.ber import BerElement, encode_definite, encode_indefinite, parse_ber
from strongroom.ids import CmsBytes, KeyId

MAX_CMS_BYTES = 6144
"""KMS API: CiphertextForRecipient is a CiphertextType of 1 to 6,144 bytes."""
KEY_ID_BYTES = 32
BLOCK_BYTES = 16
MAX_ENCRYPTED_KEY_BYTES = 512
"""RSA-4096."""

_SPEC = "RFC 5652 section 6.1"
_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_CONTEXT_0, _CONTEXT_0_CONSTRUCTED = 0x80, 0xA0
_OID_ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_AES256_CBC = bytes.fromhex("060960864801650304012a")
_VERSION_2 = bytes.fromhex("020102")
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_MGF1_SHA256 = encode_definite(_SEQUENCE, bytes.fromhex("06092a864886f70d010108") + _SHA256)
_OID_OAEP = bytes.fromhex("06092a864886f70d010107")
_OAEP_PARAMETERS = encode_definite(
    _SEQUENCE, encode_definite(_CONTEXT_0_CONSTRUCTED, _SHA256) + encode_definite(0xA1, _MGF1_SHA256)
)


class OaepParameters(enum.Enum):
    """How the envelope names its OAEP parameters. Both mean SHA-256 with MGF1-SHA-256; the values are the encodings."""

    SHA256 = encode_definite(_SEQUENCE, _OID_OAEP + _OAEP_PARAMETERS)
    EMPTY = encode_definite(_SEQUENCE, _OID_OAEP + bytes.fromhex("3000"))


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


def _fail(code: str, message: str, element: BerElement) -> FormatError:
    return FormatError(f"cms.{code}", message, offset=element.offset, spec=_SPEC)


def _members(element: BerElement, tag: int, count: int, what: str) -> tuple[BerElement, ...]:
    if element.tag != tag or len(element.children) != count:
        raise _fail(
            "shape",
            f"expected {what} with tag 0x{tag:02x} and {count} members, "
            f"found tag 0x{element.tag:02x} and {len(element.children)}",
            element,
        )
    return element.children


def _expect_raw(element: BerElement, raw: bytes, what: str) -> None:
    if element.raw != raw:
        raise _fail("unexpected", f"expected {what}, found {element.raw[:32].hex()}", element)


def _octets(element: BerElement, tag: int, sizes: tuple[int, int], what: str) -> bytes:
    minimum, maximum = sizes
    if element.tag != tag or not minimum <= len(element.content) <= maximum:
        raise _fail(
            "octets",
            f"expected {what} of {minimum} to {maximum} bytes with tag 0x{tag:02x}, "
            f"found {len(element.content)} bytes with tag 0x{element.tag:02x}",
            element,
        )
    return element.content


def parse_enveloped_data(data: CmsBytes) -> EnvelopedData:
    """Parse what KMS returned as CiphertextForRecipient. Raises FormatError for any other shape or algorithm."""
    root = parse_ber(data, maximum_bytes=MAX_CMS_BYTES)
    content_type, explicit = _members(root, _SEQUENCE, 2, "ContentInfo")
    _expect_raw(content_type, _OID_ENVELOPED_DATA, "the type envelopedData")
    (body,) = _members(explicit, _CONTEXT_0_CONSTRUCTED, 1, "[0]")
    version, recipients, content = _members(body, _SEQUENCE, 3, "EnvelopedData")
    _expect_raw(version, _VERSION_2, "EnvelopedData version 2")
    (recipient,) = _members(recipients, _SET, 1, "one RecipientInfo")
    key_id, oaep, encrypted_key = _parse_recipient(recipient)
    iv, form, chunks = _parse_content(content)
    return EnvelopedData(KeyId(key_id), encrypted_key, iv, chunks, form, oaep)


def _parse_recipient(element: BerElement) -> tuple[bytes, OaepParameters, bytes]:
    version, key_id, algorithm, encrypted_key = _members(element, _SEQUENCE, 4, "KeyTransRecipientInfo")
    _expect_raw(version, _VERSION_2, "KeyTransRecipientInfo version 2")
    oaep = next((known for known in OaepParameters if known.value == algorithm.raw), None)
    if oaep is None:
        raise _fail("key-algorithm", "expected RSAES-OAEP with SHA-256 and MGF1-SHA-256, found another", algorithm)
    return (
        _octets(key_id, _CONTEXT_0, (KEY_ID_BYTES, KEY_ID_BYTES), "a subjectKeyIdentifier"),
        oaep,
        _octets(encrypted_key, _OCTETS, (1, MAX_ENCRYPTED_KEY_BYTES), "an encrypted key"),
    )


def _parse_content(element: BerElement) -> tuple[bytes, ContentForm, tuple[bytes, ...]]:
    content_type, algorithm, content = _members(element, _SEQUENCE, 3, "EncryptedContentInfo")
    _expect_raw(content_type, _OID_DATA, "content of type data")
    cipher, iv = _members(algorithm, _SEQUENCE, 2, "a content encryption algorithm")
    _expect_raw(cipher, _OID_AES256_CBC, "AES-256-CBC")
    form = ContentForm.PRIMITIVE if content.tag == _CONTEXT_0 else ContentForm.CHUNKS
    chunks = _parse_chunks(content, form)
    length = sum(map(len, chunks))
    if length == 0 or length % BLOCK_BYTES:
        raise _fail("content-length", f"expected a positive multiple of {BLOCK_BYTES} bytes, found {length}", content)
    return _octets(iv, _OCTETS, (BLOCK_BYTES, BLOCK_BYTES), "an IV"), form, chunks


def _parse_chunks(content: BerElement, form: ContentForm) -> tuple[bytes, ...]:
    if form is ContentForm.PRIMITIVE:
        return (content.content,)
    if content.tag != _CONTEXT_0_CONSTRUCTED:
        raise _fail("content", f"expected the content as [0], found tag 0x{content.tag:02x}", content)
    return tuple(_octets(chunk, _OCTETS, (0, MAX_CMS_BYTES), "a chunk of content") for chunk in content.children)


def encode_enveloped_data(envelope: EnvelopedData) -> CmsBytes:
    """Encode exactly as KMS does: the same elements of indefinite length, the same order."""
    recipient = encode_definite(
        _SEQUENCE,
        _VERSION_2
        + encode_definite(_CONTEXT_0, envelope.recipient)
        + envelope.oaep.value
        + encode_definite(_OCTETS, envelope.encrypted_key),
    )
    cipher = encode_definite(_SEQUENCE, _OID_AES256_CBC + encode_definite(_OCTETS, envelope.iv))
    content = encode_indefinite(_SEQUENCE, _OID_DATA + cipher + _encode_chunks(envelope))
    body = encode_indefinite(_SEQUENCE, _VERSION_2 + encode_definite(_SET, recipient) + content)
    return CmsBytes(encode_indefinite(_SEQUENCE, _OID_ENVELOPED_DATA + encode_indefinite(0xA0, body)))


def _encode_chunks(envelope: EnvelopedData) -> bytes:
    if envelope.form is ContentForm.PRIMITIVE:
        return encode_definite(_CONTEXT_0, envelope.encrypted_content)
    chunks = b"".join(encode_definite(_OCTETS, chunk) for chunk in envelope.chunks)
    return encode_indefinite(_CONTEXT_0_CONSTRUCTED, chunks)
