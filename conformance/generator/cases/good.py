# SPDX-License-Identifier: Apache-2.0
"""Documents that must be accepted: whoever refuses everything passes none of these."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .. import cbor
from ..certificates import (
    MODULE,
    REGION,
    SHAPES,
    Chain,
    Extra,
    Issuer,
    N,
    chain,
    good_chain,
    issue,
    key,
    leaf_named,
    rsa_public_key,
)
from ..recipe import PCRS, Edit, Pairs, Recipe, accepted, both, fields, pcr_map, setting

_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
RSA_KEY = rsa_public_key("recipient").public_bytes(*_SPKI)
EC_KEY = key("recipient", "P256").public_key().public_bytes(*_SPKI)
EC_POINT = key("recipient", "P256").public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
TEXT = b"bound by the application"
_SOURCES_DIFFER = "the EC2 User Guide allows 1024 bytes, attestation_process.md 512"


def _nonce(value: bytes) -> Edit:
    return both(fields(nonce=cbor.data(value)), setting(nonce=value))


def _sorted(pairs: Pairs) -> bytes:
    return cbor.map_of(sorted(pairs))


def other_s(signature: bytes) -> bytes:
    """Return the second signature that verifies: (r, n-s)."""
    return signature[:48] + (N - int.from_bytes(signature[48:])).to_bytes(48)


def _short_scalar(offset: int, user_data: bytes) -> Edit:
    """Sign user data that was searched for: r (offset 0) or s (offset 48) begins with a zero byte."""

    def change(signature: bytes) -> bytes:
        assert signature[offset] == 0, "this user data gives no short scalar: search again"
        return signature

    return both(fields(user_data=cbor.data(user_data)), setting(change_signature=change))


def _direct_leaf() -> Chain:
    root = Issuer(key("root"), SHAPES["root"].subject)
    leaf = issue(SHAPES["leaf"], key("leaf").public_key(), root)
    return Chain(good_chain().ders | {"leaf": leaf}, good_chain().keys)


def _limits(recipe: Recipe) -> None:
    recipe.chain = chain(instance={"size": 1024}, leaf={"size": 1024})
    every = dict.fromkeys(range(32), bytes(48)) | PCRS
    recipe.nonce, recipe.public_key, recipe.user_data = b"\xa5" * 512, b"\x5a" * 1024, bytes(512)
    recipe.fields |= {
        "nitrotpm_pcrs": pcr_map(every),
        "public_key": cbor.data(recipe.public_key),
        "user_data": cbor.data(recipe.user_data),
        "nonce": cbor.data(recipe.nonce),
    }


_UNKNOWN = (Extra("1.3.6.1.4.1.32473.2", b"\x05\x00", critical=False),)
_GOV = f"{MODULE}.us-gov-west-1.aws"

CASES = (
    accepted("plain", "good-1", "as the NitroTPM writes it: untagged, an open map, nulls", setting()),
    accepted(
        "tagged",
        "envelope-1",
        "tag 18 in front",
        setting(change_document=lambda d: cbor.TAG_18 + d),
        same_as="good-plain",
    ),
    accepted("definite-map", "cbor-1", "the payload's map has a definite length", setting(wrap=cbor.map_of)),
    accepted(
        "absent-optionals",
        "payload-1",
        "public_key and user_data are absent instead of null",
        setting(missing=("public_key", "user_data")),
    ),
    accepted(
        "reversed-order",
        "payload-1",
        "the payload's keys stand in reverse",
        setting(change_pairs=lambda pairs: pairs[::-1]),
    ),
    accepted(
        "deterministic-order",
        "payload-1",
        "deterministic encoding: a definite map, keys in bytewise order",
        setting(wrap=_sorted),
    ),
    accepted(
        "all-fields",
        "binding-1",
        "an RSA public key, user data and a nonce, all compared",
        both(
            fields(public_key=cbor.data(RSA_KEY), user_data=cbor.data(TEXT)),
            setting(public_key=RSA_KEY, user_data=TEXT),
        ),
    ),
    accepted(
        "not-compared",
        "good-1",
        "a public key and user data that nobody asked for",
        fields(public_key=cbor.data(RSA_KEY), user_data=cbor.data(TEXT)),
    ),
    accepted("empty-user-data", "payload-8", "user_data is an empty byte string", fields(user_data=cbor.data(b""))),
    accepted(
        "ec-key",
        "payload-8",
        "a P-256 key of 91 bytes: KMS wants RSA, the document does not",
        both(fields(public_key=cbor.data(EC_KEY)), setting(public_key=EC_KEY)),
    ),
    accepted(
        "ec-point",
        "payload-8",
        "a bare P-256 point of 65 bytes",
        both(fields(public_key=cbor.data(EC_POINT)), setting(public_key=EC_POINT)),
    ),
    accepted(
        "not-utf8",
        "payload-8",
        "user data and nonce that are no text",
        both(fields(user_data=cbor.data(b"\xff\xfe\x00\x80")), _nonce(b"\xc3\x28\x00\xff")),
    ),
    accepted(
        "limits", "payload-8", "fields of 1024, 512 and 512 bytes, 32 PCRs, two certificates of 1024 bytes", _limits
    ),
    accepted("nonce-1", "nonce-1", "a nonce of one byte", _nonce(b"\x00")),
    accepted("nonce-64", "nonce-1", "a nonce of 64 bytes", _nonce(bytes(range(64)))),
    accepted(
        "five-alone",
        "pcr-1",
        "only the five PCRs that are compared",
        fields(nitrotpm_pcrs=pcr_map({i: PCRS[i] for i in (2, 4, 7, 12, 13)})),
    ),
    accepted(
        "pcr-order",
        "payload-6",
        "PCRs from 23 down to 0",
        fields(nitrotpm_pcrs=pcr_map(dict(sorted(PCRS.items(), reverse=True)))),
    ),
    accepted("gov-region", "name-1", "a region with four parts", setting(chain=chain(leaf=leaf_named(_GOV)))),
    accepted(
        "short-instance-id",
        "kind-2",
        "an instance id of the old, short form",
        both(
            fields(module_id=cbor.text("i-1a2b3c4d-tpm0000000000000000")),
            setting(chain=chain(leaf=leaf_named(f"i-1a2b3c4d-tpm0000000000000000.{REGION}.aws"))),
        ),
        reason="NitroTPM needs instance types younger than the short ids; the shape is not documented",
    ),
    accepted(
        "unknown-extensions",
        "path-7",
        "an unknown extension, not critical, in every certificate below the root",
        setting(
            chain=chain(
                regional={"extra": _UNKNOWN},
                zonal={"extra": _UNKNOWN},
                instance={"extra": _UNKNOWN},
                leaf={"extra": _UNKNOWN},
            )
        ),
    ),
    accepted(
        "critical-usage",
        "path-7",
        "the leaf's key usage is critical (genuine ones are not)",
        setting(chain=chain(leaf={"usage_critical": True})),
    ),
    accepted(
        "roomy-path",
        "path-5",
        "issuers allow longer paths than this one",
        setting(chain=chain(regional={"path_length": 7}, zonal={"path_length": None})),
    ),
    accepted(
        "other-s",
        "signature-3",
        "the other signature, (r, n-s), of good-plain",
        setting(change_signature=other_s),
        same_as="good-plain",
    ),
    accepted("short-r", "signature-1", "r begins with a zero byte", _short_scalar(0, b"search 249")),
    accepted("short-s", "signature-1", "s begins with a zero byte", _short_scalar(48, b"search 55")),
    accepted(
        "user-data-1024",
        "payload-8",
        "user data of 1024 bytes",
        fields(user_data=cbor.data(bytes(1024))),
        reason=_SOURCES_DIFFER,
    ),
    accepted("nonce-1024", "payload-8", "a nonce of 1024 bytes", _nonce(b"\x07" * 1024), reason=_SOURCES_DIFFER),
    accepted(
        "empty-public-key",
        "payload-8",
        "public_key is an empty byte string",
        fields(public_key=cbor.data(b"")),
        reason="the EC2 User Guide allows 0 bytes, attestation_process.md wants 1",
    ),
    accepted(
        "short-path",
        "path-2",
        "the root signs the leaf, cabundle holds the root alone",
        both(setting(chain=_direct_leaf()), fields(cabundle=cbor.array([cbor.data(good_chain().root)]))),
        reason="every genuine path has three certificates between; AWS sets no number",
    ),
)
