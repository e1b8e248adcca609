# SPDX-License-Identifier: Apache-2.0
"""Signatures that do not fit (ATTACKS A1, A8). What is changed after signing is changed to what the verifier wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes

from .. import cbor
from ..certificates import MADE_AT, MODULE, REGION, SHAPES, Chain, Issuer, N, chain, good_chain, issue, key, leaf_named
from ..recipe import (
    ES384,
    NONCE,
    PCR4,
    PCRS,
    Case,
    Edit,
    Recipe,
    both,
    fields,
    flip,
    milliseconds,
    pcr_map,
    raw_signature,
    setting,
    sig_structure,
    swap,
)

_OLD = bytes(range(32))
_OTHER_PCR4 = bytes(range(48))
_AN_HOUR_AGO = milliseconds(MADE_AT) - 3_600_000
_OTHER_MODULE = "i-0fedcba9876543210-tpm0000000000000000"


def _changed(change: Callable[[bytes], bytes]) -> Edit:
    return setting(change_signature=change)


def _scalars(r: int | None, s: int | None) -> Edit:
    """Replace r or s."""

    def change(signature: bytes) -> bytes:
        first = signature[:48] if r is None else r.to_bytes(48)
        second = signature[48:] if s is None else s.to_bytes(48)
        return first + second

    return _changed(change)


def _signed(signer: Any = None, *, algorithm: Any = None, message: Callable[[bytes], bytes] | None = None) -> Edit:
    """Sign with another key or hash, or over other bytes."""

    def sign(recipe: Recipe, payload: bytes) -> bytes:
        signed = message(payload) if message else sig_structure(recipe.protected, payload)
        return raw_signature(signer or recipe.chain.leaf_key, signed, algorithm)

    return setting(sign=sign)


def _tampered(old: bytes, new: bytes, **signed: bytes) -> Edit:
    """Sign the fields in `signed`, then put `new` in the place of `old`."""
    return both(fields(**signed), setting(tamper=swap(old, new)))


def _reversed(signature: bytes) -> bytes:
    return signature[47::-1] + signature[:47:-1]


def _other_leaf(recipe: Recipe) -> None:
    """Bring another instance's leaf, from the same issuer, for a document that the good leaf's key has signed."""
    issuer = Issuer(key("instance"), SHAPES["instance"].subject)
    other = issue(SHAPES["leaf"], key("second leaf").public_key(), issuer)
    recipe.chain = Chain(good_chain().ders | {"leaf": other}, good_chain().keys)


def _renamed_module(recipe: Recipe) -> None:
    """Rename the module after signing, to what the leaf says."""
    recipe.chain = chain(leaf=leaf_named(f"{_OTHER_MODULE}.{REGION}.aws"))
    recipe.tamper = swap(cbor.text(MODULE), cbor.text(_OTHER_MODULE))


def _another_documents(recipe: Recipe, _: bytes) -> bytes:
    """Take the signature of the same document with user data."""
    other = Recipe(fields={"user_data": cbor.data(b"theirs")})
    return raw_signature(recipe.chain.leaf_key, sig_structure(ES384, other.wrap(other.pairs())))


CASES = (
    Case("r-first", "signature-1", "a bit of r's first byte flipped", _changed(flip(0))),
    Case("r-last", "signature-1", "a bit of r's last byte flipped", _changed(flip(47))),
    Case("s-first", "signature-1", "a bit of s's first byte flipped", _changed(flip(48))),
    Case("s-last", "signature-1", "a bit of s's last byte flipped", _changed(flip(95))),
    Case("swapped", "signature-1", "s and r exchanged", _changed(lambda s: s[48:] + s[:48])),
    Case("little-endian", "signature-1", "r and s with their bytes in reverse", _changed(_reversed)),
    Case("r-zero", "signature-2", "r is 0", _scalars(0, None)),
    Case("s-zero", "signature-2", "s is 0", _scalars(None, 0)),
    Case("both-zero", "signature-2", "r and s are 0", _scalars(0, 0)),
    Case("r-n", "signature-2", "r is n", _scalars(N, None)),
    Case("s-n", "signature-2", "s is n", _scalars(None, N)),
    Case("both-n", "signature-2", "r and s are n", _scalars(N, N)),
    Case("all-ones", "signature-2", "r and s are 2^384-1", _scalars((1 << 384) - 1, (1 << 384) - 1)),
    Case(
        "tampered-nonce",
        "signature-1",
        "the nonce of another session, replaced after signing by the right one",
        _tampered(_OLD, NONCE, nonce=cbor.data(_OLD)),
    ),
    Case(
        "tampered-pcr",
        "signature-1",
        "PCR 4 of another image, replaced after signing by the right one",
        _tampered(_OTHER_PCR4, PCR4, nitrotpm_pcrs=pcr_map(PCRS | {4: _OTHER_PCR4})),
    ),
    Case(
        "tampered-timestamp",
        "signature-1",
        "an hour old, and made young after signing",
        _tampered(
            cbor.integer(_AN_HOUR_AGO), cbor.integer(milliseconds(MADE_AT)), timestamp=cbor.integer(_AN_HOUR_AGO)
        ),
    ),
    Case(
        "tampered-public-key",
        "signature-1",
        "the public key, replaced after signing by the one that is expected",
        both(
            _tampered(b"the machine's key", b"the middleman's..", public_key=cbor.data(b"the machine's key")),
            setting(public_key=b"the middleman's.."),
        ),
    ),
    Case(
        "tampered-user-data",
        "signature-1",
        "a bit of the user data flipped; nobody compares it",
        _tampered(b"user data", b"user date", user_data=cbor.data(b"user data")),
    ),
    Case(
        "tampered-module", "signature-1", "the module id changed after signing to what the leaf says", _renamed_module
    ),
    Case(
        "tampered-order",
        "signature-1",
        "two keys of the payload exchanged after signing",
        setting(
            tamper=swap(
                cbor.text("public_key") + cbor.NULL + cbor.text("user_data") + cbor.NULL,
                cbor.text("user_data") + cbor.NULL + cbor.text("public_key") + cbor.NULL,
            )
        ),
    ),
    Case("other-leaf", "signature-1", "another leaf of the same issuer", _other_leaf),
    Case("stranger", "signature-1", "signed with a stranger's key", _signed(key("stranger"))),
    Case("issuer", "signature-1", "signed with the key of the leaf's issuer", _signed(key("instance"))),
    Case(
        "another-documents",
        "signature-1",
        "the signature of the same document with user data",
        setting(sign=_another_documents),
    ),
    Case("sha256", "signature-1", "signed with SHA-256 under the header of ES384", _signed(algorithm=hashes.SHA256())),
    Case("sha512", "signature-1", "signed with SHA-512 under the header of ES384", _signed(algorithm=hashes.SHA512())),
    Case(
        "payload-alone",
        "signature-1",
        "the signature covers the payload, not the Sig_structure",
        _signed(message=lambda payload: payload),
    ),
    Case(
        "external-aad",
        "signature-1",
        "signed with external data",
        _signed(message=lambda payload: sig_structure(ES384, payload, aad=b"\0")),
    ),
    Case(
        "context",
        "signature-1",
        "signed in the context of COSE_Sign",
        _signed(message=lambda payload: sig_structure(ES384, payload, context="Signature")),
    ),
    Case(
        "no-protected",
        "signature-1",
        "signed with an empty protected header",
        _signed(message=lambda payload: sig_structure(b"", payload)),
    ),
)
