# SPDX-License-Identifier: Apache-2.0
"""CBOR that two readers could read as two documents, or that makes one of them fall over (ATTACKS A9, A10)."""

from __future__ import annotations

from .. import cbor
from ..certificates import MADE_AT, MODULE, good_chain
from ..recipe import ES384, NONCE, PCR4, PCRS, Case, Edit, Pairs, fields, milliseconds, pcr_map, setting, swap

_RFC_ALLOWS = "RFC 8949 allows it; no genuine document has it"
_OTHER_NONCE = bytes(32)
_TIMESTAMP = milliseconds(MADE_AT)
_DEPTH = 16_000
"""Nearly all that 16 KiB hold."""
_FIELD_DEPTH = 10_000


def _with(key: str, value: bytes, *, first: bool = False) -> Edit:
    """Add one more pair to the payload, at either end."""
    pair = (cbor.text(key), value)

    def change(pairs: Pairs) -> Pairs:
        return [pair, *pairs] if first else [*pairs, pair]

    return setting(change_pairs=change)


def _pcrs(*more: tuple[bytes, bytes]) -> Edit:
    """Put `more` pairs after the 24 good ones."""
    good = [(cbor.integer(index), cbor.data(value)) for index, value in PCRS.items()]
    return fields(nitrotpm_pcrs=cbor.map_of([*good, *more]))


def _chunks(major: int, *pieces: bytes) -> bytes:
    """Encode a string of indefinite length."""
    return bytes([major << 5 | 31]) + b"".join(cbor.head(major, len(p)) + p for p in pieces) + cbor.BREAK


def _payload_in_chunks(members: list[bytes]) -> list[bytes]:
    payload = members[2][3:]
    return [*members[:2], _chunks(cbor.BYTES, payload[:1000], payload[1000:]), members[3]]


_TWICE = cbor.map_of([(cbor.integer(1), cbor.integer(-35))] * 2)

CASES = (
    Case("truncated", "cbor-1", "the document's last byte is missing", setting(change_document=lambda d: d[:-1])),
    Case("half", "cbor-1", "the first half of a document", setting(change_document=lambda d: d[: len(d) // 2])),
    Case("one-byte", "cbor-1", "one byte: the head of an array of four", setting(change_document=lambda d: d[:1])),
    Case(
        "payload-truncated",
        "cbor-1",
        "the payload's last byte is missing, and signed so",
        setting(wrap=cbor.map_of, change_payload=lambda p: p[:-1]),
    ),
    Case("no-break", "cbor-1", "an open map that nothing closes", setting(change_payload=lambda p: p[:-1])),
    Case(
        "odd-map",
        "cbor-1",
        "an open map that ends after a key",
        setting(change_payload=lambda p: p[:-1] + cbor.text("user_data") + cbor.BREAK, missing=("user_data",)),
    ),
    Case(
        "count-large",
        "cbor-1",
        "a map that announces ten pairs and holds nine",
        setting(wrap=cbor.map_of, change_payload=lambda p: b"\xaa" + p[1:]),
    ),
    Case("reserved", "cbor-1", "an initial byte that is reserved", fields(user_data=b"\x5c")),
    Case("simple", "cbor-1", "a simple value below 32 in two bytes", fields(user_data=b"\xf8\x10")),
    Case("stray-break", "cbor-1", "a break inside an array of definite length", fields(user_data=b"\x82\x00\xff")),
    Case("trailing", "cbor-2", "a byte after the document", setting(change_document=lambda d: d + b"\0")),
    Case("two-documents", "cbor-2", "a document, and the same again", setting(change_document=lambda d: d + d)),
    Case(
        "payload-trailing",
        "cbor-2",
        "a byte after the payload's map, signed",
        setting(change_payload=lambda p: p + b"\0"),
    ),
    Case(
        "protected-trailing",
        "cbor-2",
        "a byte after the protected header's map, signed",
        setting(protected=ES384 + b"\0"),
    ),
    Case("nonce-first", "cbor-3", "two nonces, the first is right", _with("nonce", cbor.data(_OTHER_NONCE))),
    Case("nonce-last", "cbor-3", "two nonces, the last is right", _with("nonce", cbor.data(_OTHER_NONCE), first=True)),
    Case("twice-equal", "cbor-3", "the timestamp twice, both the same", _with("timestamp", cbor.integer(_TIMESTAMP))),
    Case(
        "module-twice",
        "cbor-3",
        "two module ids",
        _with("module_id", cbor.text("i-0fedcba9876543210-tpm0000000000000000"), first=True),
    ),
    Case(
        "pcrs-twice",
        "cbor-3",
        "two tables of PCRs, the last is right",
        _with("nitrotpm_pcrs", pcr_map({**PCRS, 4: bytes(range(48))}), first=True),
    ),
    Case(
        "pcr-twice",
        "cbor-3",
        "PCR 4 twice, the last is right",
        fields(
            nitrotpm_pcrs=cbor.map_of(
                [
                    (cbor.integer(4), cbor.data(bytes(range(48)))),
                    *((cbor.integer(i), cbor.data(v)) for i, v in PCRS.items()),
                ]
            )
        ),
    ),
    Case(
        "pcr-twice-long",
        "cbor-3",
        "PCR 4 twice, the wrong one under a 4 of two bytes",
        _pcrs((cbor.head(cbor.UNSIGNED, 4, width=1), cbor.data(bytes(range(48))))),
    ),
    Case("alg-twice", "cbor-3", "ES384 twice in the protected header", setting(protected=_TWICE)),
    Case(
        "not-utf8",
        "cbor-4",
        "a module id that is no UTF-8",
        fields(module_id=cbor.head(cbor.TEXT, len(MODULE)) + MODULE.encode().replace(b"-tpm", b"-tp\xff")),
    ),
    Case(
        "deep-document",
        "cbor-5",
        "16,000 arrays in each other instead of a document",
        setting(change_document=lambda _: b"\x81" * _DEPTH + b"\x00"),
    ),
    Case(
        "deep-payload",
        "cbor-5",
        "16,000 arrays in each other as a signed payload",
        setting(change_payload=lambda _: b"\x81" * _DEPTH + b"\x00"),
    ),
    Case(
        "deep-field",
        "cbor-5",
        "10,000 arrays in each other as user data",
        fields(user_data=b"\x81" * _FIELD_DEPTH + b"\x00"),
    ),
    Case("deep-tags", "cbor-5", "10,000 tags before user data", fields(user_data=b"\xc6" * _FIELD_DEPTH + b"\x40")),
    Case("long-bytes", "cbor-5", "user data of 2^63 bytes, it says", fields(user_data=cbor.head(cbor.BYTES, 1 << 63))),
    Case(
        "long-bytes-all-ones",
        "cbor-5",
        "a payload of 2^64-1 bytes, it says",
        setting(members={2: cbor.head(cbor.BYTES, (1 << 64) - 1)}),
    ),
    Case(
        "long-array",
        "cbor-5",
        "a cabundle of 2^32-1 certificates, it says",
        fields(cabundle=cbor.head(cbor.ARRAY, (1 << 32) - 1)),
    ),
    Case("long-map", "cbor-5", "2^62 PCRs, it says", fields(nitrotpm_pcrs=cbor.head(cbor.MAP, 1 << 62))),
    Case(
        "long-text",
        "cbor-5",
        "a key of 2^40 bytes, it says",
        setting(change_payload=lambda p: p[:-1] + cbor.head(cbor.TEXT, 1 << 40)),
    ),
    Case(
        "chunked-bytes",
        "cbor-1",
        "user data in two chunks",
        fields(user_data=_chunks(cbor.BYTES, b"one", b"two")),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "chunked-payload",
        "cbor-1",
        "the payload in two chunks",
        setting(change_members=_payload_in_chunks),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "open-array",
        "cbor-1",
        "a cabundle of indefinite length",
        fields(cabundle=b"\x9f" + b"".join(map(cbor.data, good_chain().bundle)) + cbor.BREAK),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "open-pcrs",
        "cbor-1",
        "a table of PCRs of indefinite length",
        fields(nitrotpm_pcrs=cbor.open_map_of((cbor.integer(i), cbor.data(v)) for i, v in PCRS.items())),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "long-integer",
        "cbor-1",
        "PCR index 4 in two bytes",
        setting(change_payload=swap(cbor.integer(4) + cbor.data(PCR4), b"\x18\x04" + cbor.data(PCR4))),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "long-length",
        "cbor-1",
        "the nonce's length in two bytes",
        fields(nonce=cbor.head(cbor.BYTES, 32, width=2) + NONCE),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "long-tag",
        "envelope-1",
        "tag 18 in two bytes",
        setting(change_document=lambda d: b"\xd8\x12" + d),
        reason=_RFC_ALLOWS,
    ),
    Case(
        "self-described",
        "envelope-1",
        "tag 55799, self-described CBOR",
        setting(change_document=lambda d: cbor.head(cbor.TAG, 55799) + d),
        reason=_RFC_ALLOWS,
    ),
)
