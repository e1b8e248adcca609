# SPDX-License-Identifier: Apache-2.0
"""The COSE_Sign1 around the payload: shape, headers, algorithm, length of the signature (ATTACKS A7)."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .. import cbor
from ..recipe import ES384, Case, Edit, Recipe, raw_signature, setting, sig_structure

_ALG = cbor.integer(1)
_MINUS_35 = cbor.integer(-35)


def _header(*pairs: tuple[bytes, bytes]) -> bytes:
    return cbor.map_of(pairs)


def _alg(value: bytes) -> Edit:
    """Name another algorithm, and sign with ES384 all the same."""
    return setting(protected=_header((_ALG, value)))


def _ecdsa(algorithm: int, hash_algorithm: object) -> Edit:
    """Name another ECDSA, and sign with that one: to whoever follows the header, all is well."""

    def sign(recipe: Recipe, payload: bytes) -> bytes:
        return raw_signature(recipe.chain.leaf_key, sig_structure(recipe.protected, payload), hash_algorithm)

    return setting(protected=_header((_ALG, cbor.integer(algorithm))), sign=sign)


def _mac(recipe: Recipe, payload: bytes) -> bytes:
    """Make a MAC under the public key, which everybody has."""
    spki = recipe.chain.leaf_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(spki, sig_structure(recipe.protected, payload), "sha384")


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:48]), int.from_bytes(signature[48:]))


def _member(position: int, encoded: bytes) -> Edit:
    return setting(members={position: encoded})


def _unprotected(*pairs: tuple[bytes, bytes]) -> dict[int, bytes]:
    return {1: _header(*pairs)}


def _prefix(tag: bytes) -> Edit:
    return setting(change_document=lambda document: tag + document)


def _shape(change: Callable[[list[bytes]], list[bytes]]) -> Edit:
    return setting(change_members=change)


_LENIENT = "RFC 9052 lets a reader ignore header parameters that it does not know"

CASES = (
    Case("empty", "envelope-1", "no bytes at all", setting(change_document=lambda _: b"")),
    Case("text", "envelope-1", "a line of text", setting(change_document=lambda _: b"not a document\n")),
    Case("three-members", "envelope-1", "an array without the signature", _shape(lambda m: m[:3])),
    Case("five-members", "envelope-1", "an array of five", _shape(lambda m: [*m, cbor.data(b"")])),
    Case("map", "envelope-1", "a map instead of the array", setting(change_document=lambda d: b"\xa2" + d[1:])),
    Case("tag-sign", "envelope-1", "tag 98, COSE_Sign", _prefix(cbor.head(cbor.TAG, 98))),
    Case("tag-mac", "envelope-1", "tag 17, COSE_Mac0", _prefix(cbor.head(cbor.TAG, 17))),
    Case("tag-twice", "envelope-1", "tag 18 twice", _prefix(cbor.TAG_18 * 2)),
    Case("protected-map", "envelope-1", "the protected header as a map, not in a byte string", _member(0, ES384)),
    Case("unprotected-null", "envelope-1", "null where the unprotected header belongs", _member(1, cbor.NULL)),
    Case("unprotected-array", "envelope-1", "an array where the unprotected header belongs", _member(1, b"\x80")),
    Case("payload-null", "envelope-1", "a detached payload", _member(2, cbor.NULL)),
    Case("payload-empty", "envelope-1", "an empty payload, signed", setting(change_payload=lambda _: b"")),
    Case(
        "payload-map",
        "envelope-1",
        "the payload as a map, not in a byte string",
        setting(change_members=lambda m: [*m[:2], m[2][3:], m[3]]),
    ),
    Case(
        "payload-text",
        "envelope-1",
        "the payload in a text string",
        setting(change_members=lambda m: [*m[:2], bytes([m[2][0] | 0x20]) + m[2][1:], m[3]]),
    ),
    Case("signature-null", "envelope-1", "null for the signature", _member(3, cbor.NULL)),
    Case(
        "signature-text",
        "envelope-1",
        "the signature as hex, in a text string",
        setting(change_members=lambda m: [*m[:3], cbor.text(m[3][2:].hex())]),
    ),
    Case("alg-absent", "envelope-2", "an empty map for a protected header", setting(protected=_header())),
    Case("alg-absent-empty", "envelope-2", "an empty byte string for a protected header", setting(protected=b"")),
    Case(
        "alg-unprotected",
        "envelope-2",
        "the algorithm in the unprotected header alone",
        setting(protected=_header(), members=_unprotected((_ALG, _MINUS_35))),
    ),
    Case("alg-es256", "envelope-2", "ES256, and signed with SHA-256", _ecdsa(-7, hashes.SHA256())),
    Case("alg-es512", "envelope-2", "ES512, and signed with SHA-512", _ecdsa(-36, hashes.SHA512())),
    Case("alg-eddsa", "envelope-2", "EdDSA", _alg(cbor.integer(-8))),
    Case(
        "alg-hmac",
        "envelope-2",
        "HMAC 384/384 under the leaf's public key",
        setting(protected=_header((_ALG, cbor.integer(6))), sign=_mac),
    ),
    Case("alg-text", "envelope-2", "the algorithm as the text ES384", _alg(cbor.text("ES384"))),
    Case("alg-positive", "envelope-2", "+34: the sign lost, the argument the same", _alg(cbor.integer(34))),
    Case("alg-null", "envelope-2", "null for the algorithm", _alg(cbor.NULL)),
    Case(
        "alg-label-text",
        "envelope-2",
        "the label as the text 1",
        setting(protected=_header((cbor.text("1"), _MINUS_35))),
    ),
    Case(
        "crit",
        "envelope-3",
        "a critical header parameter that nobody knows",
        setting(
            protected=_header(
                (_ALG, _MINUS_35),
                (cbor.integer(2), cbor.array([cbor.integer(-70001)])),
                (cbor.integer(-70001), cbor.NULL),
            )
        ),
    ),
    Case(
        "alg-in-both",
        "envelope-3",
        "ES256 in the unprotected header beside ES384 in the protected one",
        setting(members=_unprotected((_ALG, cbor.integer(-7)))),
        reason="RFC 9052 section 3: a reader SHOULD refuse a label in both, and must take the protected one",
    ),
    Case(
        "protected-kid",
        "envelope-2",
        "a key id beside the algorithm",
        setting(protected=_header((_ALG, _MINUS_35), (cbor.integer(4), cbor.data(b"key")))),
        reason=_LENIENT,
    ),
    Case(
        "unprotected-kid",
        "envelope-3",
        "a key id in the unprotected header",
        setting(members=_unprotected((cbor.integer(4), cbor.data(b"key")))),
        reason=_LENIENT,
    ),
    Case("signature-empty", "envelope-4", "an empty signature", setting(change_signature=lambda _: b"")),
    Case("signature-95", "envelope-4", "the last byte is missing", setting(change_signature=lambda s: s[:-1])),
    Case("signature-97", "envelope-4", "a zero byte after s", setting(change_signature=lambda s: s + b"\0")),
    Case(
        "signature-98",
        "envelope-4",
        "r and s of 49 bytes, each with a zero in front",
        setting(change_signature=lambda s: b"\0" + s[:48] + b"\0" + s[48:]),
    ),
    Case("signature-der", "envelope-4", "r and s in DER, as certificates have them", setting(change_signature=_der)),
    Case(
        "signature-p256",
        "envelope-4",
        "64 bytes, as ES256 has them",
        setting(change_signature=lambda s: s[:32] + s[48:80]),
    ),
)
