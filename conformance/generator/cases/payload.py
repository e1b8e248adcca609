# SPDX-License-Identifier: Apache-2.0
"""The payload's fields: there or not, of which type and range, and of which kind of document (ATTACKS A11, A13)."""

from __future__ import annotations

import base64
import struct

from .. import cbor
from ..certificates import INSTANCE, MADE_AT, MODULE, REGION, chain, good_chain, leaf_named
from ..recipe import (
    NONCE,
    PCR4,
    PCRS,
    Case,
    Edit,
    Pairs,
    both,
    fields,
    milliseconds,
    pcr_map,
    setting,
)

_TIMESTAMP = milliseconds(MADE_AT)
_LEAF = good_chain().ders["leaf"]
_BUNDLE = good_chain().bundle
_ENCLAVE = f"{INSTANCE}-enc0123456789abcdef"
_CLOSED = "AWS's CDDL is closed; a reader that passes over what it does not know loses nothing"


def _renamed(old: str, new: str) -> Edit:
    def change(pairs: Pairs) -> Pairs:
        return [(cbor.text(new) if key == cbor.text(old) else key, value) for key, value in pairs]

    return setting(change_pairs=change)


def _added(key: bytes, value: bytes) -> Edit:
    return setting(change_pairs=lambda pairs: [*pairs, (key, value)])


def _pcr(index: bytes, value: bytes) -> Edit:
    """Put a pair in the place of PCR 4's."""
    pairs = [(cbor.integer(i), cbor.data(v)) for i, v in PCRS.items() if i != 4]
    return fields(nitrotpm_pcrs=cbor.map_of([*pairs, (index, value)]))


def _one_more_pcr(index: int) -> Edit:
    return fields(nitrotpm_pcrs=pcr_map(PCRS | {index: bytes(48)}))


def _bundle(position: int, encoded: bytes) -> Edit:
    """Put an encoded item in the place of one certificate of the bundle."""
    items = [cbor.data(der) for der in _BUNDLE]
    items[position] = encoded
    return fields(cabundle=cbor.array(items))


def _pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def _named(module_id: str) -> Edit:
    """Give payload and leaf the same module id."""
    return both(
        fields(module_id=cbor.text(module_id)), setting(chain=chain(leaf=leaf_named(f"{module_id}.{REGION}.aws")))
    )


def _enclave_pcrs() -> bytes:
    return pcr_map({index: PCRS[index] for index in range(16)})


_FLOAT = b"\xfb" + struct.pack(">d", float(_TIMESTAMP))
_BIGNUM = b"\xc2" + cbor.data(_TIMESTAMP.to_bytes(6))
_EPOCH_TAG = b"\xc1" + cbor.integer(_TIMESTAMP)

_MISSING = tuple(
    Case(f"no-{name.replace('_', '-')}", "payload-1", f"{name} is missing", setting(missing=(name,)))
    for name in ("module_id", "digest", "timestamp", "nitrotpm_pcrs", "certificate", "cabundle")
)
_NULL = tuple(
    Case(f"null-{name.replace('_', '-')}", "payload-2", f"{name} is null", fields(**{name: cbor.NULL}))
    for name in ("module_id", "timestamp", "nitrotpm_pcrs", "certificate", "cabundle")
)
_OTHER_TYPES = tuple(
    Case(f"{name.replace('_', '-')}-{kind}", "payload-2", comment, fields(**{name: value}))
    for name, kind, value, comment in (
        ("module_id", "bytes", cbor.data(MODULE.encode()), "module_id is a byte string"),
        ("digest", "bytes", cbor.data(b"SHA384"), "digest is a byte string"),
        ("timestamp", "text", cbor.text(str(_TIMESTAMP)), "timestamp is text"),
        ("timestamp", "float", _FLOAT, "timestamp is a float"),
        ("timestamp", "bignum", _BIGNUM, "timestamp is a bignum"),
        ("timestamp", "tagged", _EPOCH_TAG, "timestamp carries tag 1, of seconds since 1970"),
        ("nitrotpm_pcrs", "array", cbor.array(cbor.data(v) for v in PCRS.values()), "an array of PCRs"),
        ("certificate", "pem", cbor.text(_pem(_LEAF)), "certificate is PEM, in a text string"),
        ("certificate", "array", cbor.array([cbor.data(_LEAF)]), "certificate is in an array"),
        ("cabundle", "bytes", cbor.data(b"".join(_BUNDLE)), "cabundle is one byte string"),
        ("public_key", "text", cbor.text("a key"), "public_key is text"),
        ("public_key", "map", cbor.map_of([(cbor.integer(1), cbor.integer(2))]), "public_key is a COSE_Key"),
        ("user_data", "text", cbor.text("text"), "user_data is text"),
        ("user_data", "false", b"\xf4", "user_data is false"),
        ("user_data", "undefined", b"\xf7", "user_data is undefined"),
        ("nonce", "text", cbor.text(NONCE.hex()), "nonce is text: the right one in hex"),
        ("nonce", "array", cbor.array(map(cbor.integer, NONCE)), "nonce is an array of integers, the right ones"),
    )
)

_FIELDS = (
    Case("array", "payload-1", "an array of the values", setting(wrap=lambda p: cbor.array(value for _, value in p))),
    Case("empty-map", "payload-1", "an empty map", setting(wrap=lambda _: b"\xa0")),
    Case("capital-key", "payload-1", "Timestamp instead of timestamp", _renamed("timestamp", "Timestamp")),
    Case("unknown-key", "payload-1", "a tenth key", _added(cbor.text("region"), cbor.text(REGION)), reason=_CLOSED),
    Case("integer-key", "payload-1", "an integer key", _added(cbor.integer(1), cbor.integer(1)), reason=_CLOSED),
    *_MISSING,
    *_NULL,
    *_OTHER_TYPES,
    Case("module-id-empty", "payload-3", "module_id is empty", fields(module_id=cbor.text(""))),
    Case("digest-sha256", "payload-4", "digest is SHA256", fields(digest=cbor.text("SHA256"))),
    Case("digest-sha512", "payload-4", "digest is SHA512", fields(digest=cbor.text("SHA512"))),
    Case("digest-lower", "payload-4", "digest is sha384", fields(digest=cbor.text("sha384"))),
    Case("digest-empty", "payload-4", "digest is empty", fields(digest=cbor.text(""))),
    Case("timestamp-zero", "payload-5", "timestamp is 0", fields(timestamp=cbor.integer(0))),
    Case("timestamp-negative", "payload-5", "timestamp is negative", fields(timestamp=cbor.integer(-_TIMESTAMP))),
    Case(
        "timestamp-65-bits",
        "payload-5",
        "timestamp is a bignum of 65 bits",
        fields(timestamp=b"\xc2" + cbor.data(((1 << 64) + _TIMESTAMP).to_bytes(9))),
    ),
    Case(
        "timestamp-64-bits",
        "payload-5",
        "timestamp is 2^64-1",
        fields(timestamp=cbor.integer((1 << 64) - 1)),
        reason="AWS's CDDL allows it; malformed and from the future are both right",
    ),
    Case("pcrs-none", "payload-6", "no PCR at all", fields(nitrotpm_pcrs=b"\xa0")),
    Case("pcr-index-32", "payload-6", "a PCR 32", _one_more_pcr(32)),
    Case("pcr-index-negative", "payload-6", "a PCR -1", _one_more_pcr(-1)),
    Case(
        "pcr-index-wraps",
        "payload-6",
        "a PCR 2^32+4 instead of PCR 4: it wraps to 4 in 32 bits",
        _pcr(cbor.integer((1 << 32) + 4), cbor.data(PCR4)),
    ),
    Case("pcr-index-text", "payload-6", "PCR 4 under the text 4", _pcr(cbor.text("4"), cbor.data(PCR4))),
    Case("pcr-index-bytes", "payload-6", "PCR 4 under a byte string", _pcr(cbor.data(b"\x04"), cbor.data(PCR4))),
    Case("pcr-index-float", "payload-6", "PCR 4 under a float", _pcr(b"\xf9\x44\x00", cbor.data(PCR4))),
    Case("pcr-text", "payload-6", "PCR 4 as text, in hex", _pcr(cbor.integer(4), cbor.text(PCR4.hex()))),
    Case("pcr-empty", "payload-6", "PCR 4 is empty", _pcr(cbor.integer(4), cbor.data(b""))),
    Case("pcr-47", "payload-6", "PCR 4 lacks its last byte", _pcr(cbor.integer(4), cbor.data(PCR4[:-1]))),
    Case("pcr-49", "payload-6", "PCR 4 with a byte too many", _pcr(cbor.integer(4), cbor.data(PCR4 + b"\0"))),
    Case(
        "pcr-32",
        "payload-6",
        "PCR 4 of 32 bytes",
        _pcr(cbor.integer(4), cbor.data(PCR4[:32])),
        reason="AWS's CDDL allows the length, which no SHA-384 digest has",
    ),
    Case("certificate-empty", "payload-7", "certificate is empty", fields(certificate=cbor.data(b""))),
    Case("certificate-1025", "payload-7", "a leaf of 1025 bytes", setting(chain=chain(leaf={"size": 1025}))),
    Case(
        "certificate-rubbish",
        "payload-7",
        "certificate is no certificate",
        fields(certificate=cbor.data(b"\x30\x03\x02\x01\x01")),
    ),
    Case(
        "certificate-trailing", "payload-7", "a byte after the leaf's DER", fields(certificate=cbor.data(_LEAF + b"\0"))
    ),
    Case("certificate-half", "payload-7", "the first half of the leaf", fields(certificate=cbor.data(_LEAF[:300]))),
    Case("cabundle-empty", "payload-7", "an empty cabundle", fields(cabundle=b"\x80")),
    Case(
        "cabundle-1025",
        "payload-7",
        "an instance certificate of 1025 bytes",
        setting(chain=chain(instance={"size": 1025})),
    ),
    Case("cabundle-null", "payload-7", "null instead of the zonal certificate", _bundle(2, cbor.NULL)),
    Case("cabundle-text", "payload-7", "PEM instead of the zonal certificate", _bundle(2, cbor.text(_pem(_BUNDLE[2])))),
    Case(
        "cabundle-empty-string",
        "payload-7",
        "an empty string instead of the zonal certificate",
        _bundle(2, cbor.data(b"")),
    ),
    Case(
        "cabundle-rubbish",
        "payload-7",
        "the zonal certificate is no certificate",
        _bundle(2, cbor.data(b"\x30\x03\x02\x01\x01")),
    ),
    Case("public-key-1025", "payload-8", "public_key of 1025 bytes", fields(public_key=cbor.data(bytes(1025)))),
    Case("user-data-1025", "payload-8", "user_data of 1025 bytes", fields(user_data=cbor.data(bytes(1025)))),
    Case(
        "nonce-1025",
        "payload-8",
        "a nonce of 1025 bytes, the right one",
        both(fields(nonce=cbor.data(bytes(1025))), setting(nonce=bytes(1025))),
    ),
)

_KIND = (
    Case(
        "enclave",
        "kind-1",
        "a document of a Nitro Enclave, in every respect",
        both(_named(_ENCLAVE), fields(nitrotpm_pcrs=_enclave_pcrs()), _renamed("nitrotpm_pcrs", "pcrs")),
    ),
    Case(
        "pcrs-key", "kind-1", "a TPM's module id, and PCRs under the enclave's key", _renamed("nitrotpm_pcrs", "pcrs")
    ),
    Case("both-keys", "kind-1", "PCRs under both keys", _added(cbor.text("pcrs"), _enclave_pcrs())),
    Case("enclave-module", "kind-2", "an enclave's module id, and PCRs under the TPM's key", _named(_ENCLAVE)),
    Case(
        "bare-instance",
        "kind-2",
        "the instance id alone for a module id",
        _named(INSTANCE),
        reason="AWS does not write down the shape of a module id",
    ),
)

CASES = (*_FIELDS, *_KIND)
