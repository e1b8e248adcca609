# SPDX-License-Identifier: Apache-2.0
"""Properties of bundles: what is sealed opens; what was touched does not; what parses re-serialises."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bundle_world import HEADER, TRUST, World

from strongroom.crypto.key_transport import RecipientKey, encrypt_to_recipient
from strongroom.errors import FormatError, NotAuthentic, NotTrusted, UsageError
from strongroom.flows.open import open_with_escrow
from strongroom.flows.seal import Root, SealedEntry
from strongroom.formats.bundle import parse_bundle, parse_escrow
from strongroom.formats.bundle_header import encode_escrow_fields, encode_header_fields, parse_header_fields
from strongroom.formats.bundle_layout import ciphertext_bytes
from strongroom.formats.bundle_table import EntryInfo, encode_table, parse_table
from strongroom.formats.cms import encode_enveloped_data, parse_enveloped_data
from strongroom.formats.cose import encode_cose_sign1
from strongroom.ids import CmsBytes

WORLD = World()
CHUNK = 4096
SEGMENT = st.text("abcXYZ019._+@=-", min_size=1, max_size=8).filter(lambda s: s not in (".", ".."))
NAMES = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5]))
CONTENTS = st.builds(lambda size, seed: bytes((seed + i) % 256 for i in range(size)), SIZES, st.integers(0, 255))
ENTRY = st.builds(SealedEntry, NAMES, CONTENTS, st.sampled_from(["text/plain", "a/b"]), st.integers(0, 0o777))


def no_name_is_a_folder(entries) -> bool:
    names = [entry.name for entry in entries]
    return not any(other.startswith(f"{name}/") for name in names for other in names)


BUNDLES = st.lists(ENTRY, min_size=1, max_size=6, unique_by=lambda e: e.name).filter(no_name_is_a_folder)


def open_it(bundle: bytes, escrow: bytes):
    """Open with the escrow file: the same steps but for the RSA key, which is slow to make."""
    return open_with_escrow(bundle, escrow, trust=TRUST, kms=WORLD.kms)


@given(BUNDLES, st.sampled_from(Root), st.sampled_from([12, 13, 16]))
def test_what_is_sealed_opens(entries, root, chunk_log2):
    header = dataclasses.replace(HEADER, root=root, chunk_log2=chunk_log2)
    sealed = WORLD.seal(tuple(entries), header=header)
    opened = open_it(sealed.bundle, sealed.escrow)
    assert [SealedEntry(e.info.name, e.content, e.info.media_type, e.info.mode) for e in opened.entries] == entries


SMALL = dataclasses.replace(HEADER, chunk_log2=12)
LONG = (SealedEntry("a", bytes(2 * CHUNK)), SealedEntry("b", b"x" * 100))
SEALED = {
    Root.SIGNED: WORLD.seal(LONG, header=SMALL),
    Root.UNSAFE_NONE: WORLD.seal(LONG, header=dataclasses.replace(SMALL, root=Root.UNSAFE_NONE)),
}


@pytest.mark.attack("K9")
@settings(max_examples=200)
@given(st.sampled_from(Root), st.data())
def test_a_flipped_bit_never_opens(root, data):
    sealed = SEALED[root]
    bit = data.draw(st.integers(0, 8 * len(sealed.bundle) - 1))
    changed = bytearray(sealed.bundle)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((FormatError, NotAuthentic)):
        open_it(bytes(changed), sealed.escrow)


@pytest.mark.attack("K9")
@settings(max_examples=100)
@given(st.data())
def test_a_flipped_bit_in_an_escrow_file_never_opens(data):
    sealed = SEALED[Root.SIGNED]
    bit = data.draw(st.integers(0, 8 * len(sealed.escrow) - 1))
    changed = bytearray(sealed.escrow)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((FormatError, NotAuthentic)):
        open_it(sealed.bundle, bytes(changed))


@pytest.mark.attack("K9")
@settings(max_examples=200)
@given(st.sampled_from(Root), st.integers(0, 20_000), st.binary(max_size=40))
def test_a_cut_or_extended_file_never_opens(root, length, tail):
    sealed = SEALED[root]
    changed = sealed.bundle[:length] + tail
    if changed != sealed.bundle:
        with pytest.raises((FormatError, NotAuthentic)):
            open_it(changed, sealed.escrow)


@pytest.mark.attack("K9")
@given(st.sampled_from(Root), st.lists(st.integers(0, 2), min_size=3, max_size=3).filter(lambda o: o != [0, 1, 2]))
def test_chunks_in_another_order_never_open(root, order):
    sealed = SEALED[root]
    parsed = parse_bundle(sealed.bundle)
    start, full = parsed.header.signed.end, CHUNK + 16
    assert len(parsed.body) == ciphertext_bytes(2 * CHUNK, 12) + ciphertext_bytes(100, 12)
    chunks = [bytes(parsed.body[:full]), bytes(parsed.body[full : 2 * full]), bytes(parsed.body[2 * full :])]
    changed = sealed.bundle[:start] + b"".join(chunks[i] for i in order) + bytes(parsed.hash_table)
    with pytest.raises((FormatError, NotAuthentic)):
        open_it(changed, sealed.escrow)


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 900))
def test_random_bytes_raise_only_what_a_reader_promises(noise, at):
    sealed = SEALED[Root.SIGNED]
    for data in (noise, sealed.bundle[:at] + noise, sealed.bundle[:at] + noise + sealed.bundle[at + len(noise) :]):
        try:
            parse_bundle(data)
        except (FormatError, UsageError):
            continue
        if data != sealed.bundle:
            with pytest.raises((FormatError, NotAuthentic, NotTrusted)):
                open_it(data, sealed.escrow)


@settings(max_examples=150)
@given(st.integers(0, 600), st.integers(0, 255))
def test_a_header_that_still_parses_re_serialises_to_the_same_bytes(at, value):
    payload = bytearray(parse_bundle(SEALED[Root.SIGNED].bundle).header.signed.payload)
    payload[at % len(payload)] = value
    try:
        fields = parse_header_fields(bytes(payload))
    except FormatError:
        return
    assert encode_header_fields(fields) == payload


def test_envelope_and_escrow_re_serialise_to_the_same_bytes():
    signed = parse_bundle(SEALED[Root.SIGNED].bundle).header.signed
    again = encode_cose_sign1(signed.protected, signed.payload, signed.signature)
    assert SEALED[Root.SIGNED].bundle[16 : signed.end] == again
    escrow = parse_escrow(SEALED[Root.SIGNED].escrow)
    assert encode_escrow_fields(escrow.claimed) == escrow.signed.payload


@given(st.lists(st.tuples(NAMES, st.integers(0, 0o777), st.integers(0, 1 << 40)), min_size=1, max_size=5))
def test_a_table_that_parses_re_serialises(rows):
    entries = tuple(EntryInfo(name, "text/plain", mode, size) for name, mode, size in rows)
    try:
        plaintext = encode_table(entries)
    except FormatError:
        return
    assert parse_table(plaintext) == entries


RECIPIENT = RecipientKey.generate()
REPLY = encrypt_to_recipient(RECIPIENT.public_key, bytes(32))


@settings(max_examples=150)
@given(st.integers(0, len(REPLY) - 1), st.integers(1, 255))
def test_a_changed_reply_of_kms_opens_as_something_else_or_fails_in_one_way(at, difference):
    """CBC is malleable: some changes open. None gives the data key, which is why there is a commitment."""
    changed = bytearray(REPLY)
    changed[at] ^= difference
    code = ""
    opened = b""
    try:
        opened = RECIPIENT.unwrap(CmsBytes(bytes(changed)))
    except NotAuthentic as error:
        code = error.code
    assert code == "key-transport.unwrap" or opened != bytes(32)


@settings(max_examples=150)
@given(st.integers(0, len(REPLY) - 1), st.integers(0, 255))
def test_cms_that_parses_and_is_written_as_kms_does_re_serialises(at, value):
    changed = bytearray(REPLY)
    changed[at] = value
    try:
        envelope = parse_enveloped_data(CmsBytes(bytes(changed)))
    except FormatError:
        return
    assert encode_enveloped_data(envelope) == bytes(changed)
