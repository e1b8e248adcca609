# SPDX-License-Identifier: Apache-2.0
"""TPM structures: what is read encodes to the same bytes, and what is refused carries what a TPM answers to it."""

import pytest
from tests.tpm_quotes import attest_of, public_of, quote_of
from tests.tpm_wire import response, u8, u16, u32

from strongroom.crypto.tpm import pcr_policy
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.sealed import sealed_template
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import AttestType, parse_attest, parse_quote
from strongroom.formats.tpm.frame import CommandAuthorization, encode_command, encode_response, parse_response
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.nv_public import NvPublic, parse_nv_public, read_sized_nv_public
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections, read_pcr_selections
from strongroom.formats.tpm.public_area import parse_public_area, read_parameters
from strongroom.formats.tpm.response_codes import Rc, base, culprit, describe, on_handle, on_parameter, on_session
from strongroom.formats.tpm.schemes import DIGESTS, Scheme, Symmetric, read_hash, read_scheme, read_symmetric
from strongroom.formats.tpm.signature import HmacSignature, RsaSignature, read_signature
from strongroom.formats.tpm.ticket import Ticket, TicketKind, read_ticket
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized
from strongroom.tpm.primary import EK_TEMPLATE, SRK_TEMPLATE

INDEX = NvPublic(0x01000000, Alg.SHA512, 0x40004, b"", 8192)
SELECTION = PcrSelection.of(Alg.SHA384, (2, 4, 23))


def refused(read, data):
    with pytest.raises(TpmFormatError) as caught:
        read(data)
    assert caught.value.code == "tpm.malformed"
    return caught.value.rc


def reading(read):
    """Return a reader of bytes that have to be used up."""

    def whole(data):
        reader = Reader(data)
        value = read(reader)
        reader.expect_end("the input")
        return value

    return whole


PUBLIC = [EK_TEMPLATE, SRK_TEMPLATE, public_of(), sealed_template(bytes(32))]


@pytest.mark.parametrize("public", PUBLIC, ids=["ek", "srk", "quote-key", "sealed"])
def test_a_public_area_is_read_as_it_was_written_and_no_shorter(public):
    encoded = public.encode()
    assert parse_public_area(encoded) == public
    for size in range(len(encoded)):
        assert refused(parse_public_area, encoded[:size]) is Rc.INSUFFICIENT
    assert refused(parse_public_area, encoded + b"\0") is Rc.SIZE
    kind, parameters = reading(read_parameters)(encoded[:2] + public.parameters.encode())
    assert (kind, parameters) == (public.type, public.parameters)


@pytest.mark.parametrize(
    ("place", "new", "rc"),
    [
        (0, u16(0x0099), Rc.TYPE),
        (2, u16(0x0099), Rc.HASH),
        (4, u32(1), Rc.RESERVED_BITS),
        (8, u16(65) + bytes(65), Rc.SIZE),
        (42, u16(0x0099), Rc.SYMMETRIC),
        (44, u16(129), Rc.VALUE),
        (46, u16(0x0099), Rc.MODE),
        (48, u16(0x0099), Rc.VALUE),
        (50, u16(2049), Rc.VALUE),
        (56, u16(385), Rc.SIZE),
    ],
)
def test_what_is_no_public_area_is_refused_as_a_tpm_does(place, new, rc):
    encoded = EK_TEMPLATE.encode()
    assert refused(parse_public_area, encoded[:place] + new + encoded[place + len(new) :]) is rc


@pytest.mark.parametrize(
    "symmetric", [Symmetric(), Symmetric(Alg.AES, 256, Alg.CBC), Symmetric(Alg.XOR, hash=Alg.SHA256)]
)
def test_symmetric_definitions(symmetric):
    assert reading(lambda r: read_symmetric(r, xor=True))(symmetric.encode()) == symmetric
    assert refused(reading(lambda r: read_symmetric(r, null=False)), u16(Alg.NULL)) is Rc.SYMMETRIC


@pytest.mark.parametrize(
    "scheme", [Scheme(), Scheme(Alg.RSAES), Scheme(Alg.ECDSA, Alg.SHA384), Scheme(Alg.XOR, Alg.SHA256, Alg.KDF2)]
)
def test_schemes(scheme):
    allowed = (Alg.RSAES, Alg.ECDSA, Alg.XOR)
    assert reading(lambda r: read_scheme(r, allowed))(scheme.encode()) == scheme
    assert refused(reading(lambda r: read_scheme(r, allowed)), u16(Alg.OAEP) + u16(Alg.SHA256)) is Rc.SCHEME
    assert refused(reading(lambda r: read_scheme(r, allowed, null=False)), u16(Alg.NULL)) is Rc.SCHEME
    assert reading(lambda r: read_hash(r, null=True))(u16(Alg.NULL)) is Alg.NULL
    assert refused(reading(read_hash), u16(Alg.NULL)) is Rc.HASH


def test_tagged_digests():
    read = reading(lambda r: r.tagged(DIGESTS, Rc.HASH, "a digest"))
    assert read(u16(Alg.SHA256) + bytes(32)) == (Alg.SHA256, bytes(32))
    assert refused(read, u16(Alg.NULL) + bytes(64)) is Rc.HASH
    assert refused(read, u16(Alg.SHA256) + bytes(31)) is Rc.INSUFFICIENT
    assert refused(read, b"\0") is Rc.INSUFFICIENT


@pytest.mark.parametrize(
    "signature",
    [
        quote_of().signature,
        RsaSignature(Alg.RSAPSS, Alg.SHA256, b"s" * 256),
        HmacSignature(Alg.SHA512, bytes(64)),
    ],
    ids=["ecdsa", "rsa", "hmac"],
)
def test_signatures(signature):
    assert reading(read_signature)(signature.encode()) == signature
    assert refused(reading(read_signature), u16(Alg.OAEP) + u16(Alg.SHA256)) is Rc.SCHEME


def test_an_nv_index_is_read_as_it_was_written():
    assert parse_nv_public(INDEX.encode()) == INDEX
    for size in range(len(INDEX.encode())):
        assert refused(parse_nv_public, INDEX.encode()[:size]) is Rc.INSUFFICIENT
    assert refused(parse_nv_public, INDEX.encode() + b"\0") is Rc.SIZE


@pytest.mark.parametrize(
    ("place", "new", "rc"),
    [
        (0, u32(0x81000000), Rc.VALUE),
        (4, u16(0x0010), Rc.HASH),
        (6, u32(1 << 8), Rc.RESERVED_BITS),
        (10, u16(65) + bytes(65), Rc.SIZE),
    ],
)
def test_what_is_no_nv_index_is_refused(place, new, rc):
    encoded = INDEX.encode()
    assert refused(parse_nv_public, encoded[:place] + new + encoded[place + len(new) :]) is rc


def test_an_nv_index_with_its_size_in_front_is_as_long_as_that_says():
    read = reading(read_sized_nv_public)
    assert read(sized(INDEX.encode())) == INDEX
    assert refused(read, u16(0)) is Rc.SIZE
    assert refused(read, u16(13) + INDEX.encode()) is Rc.SIZE


def test_selections_of_pcrs():
    encoded = encode_pcr_selections((SELECTION, PcrSelection(Alg.SHA1, 0)))
    assert reading(read_pcr_selections)(encoded) == (SELECTION, PcrSelection(Alg.SHA1, 0))
    assert SELECTION.indices == (2, 4, 23)
    assert refused(reading(read_pcr_selections), u32(1) + u16(Alg.SHA384) + b"\2\xff\xff") is Rc.VALUE
    assert refused(reading(read_pcr_selections), u32(1) + u16(0x0099) + b"\3\0\0\0") is Rc.HASH
    assert refused(reading(read_pcr_selections), u32(17)) is Rc.SIZE


def test_a_quote_is_read_as_it_was_written():
    encoded = attest_of(public_of())
    attest = parse_attest(encoded)
    assert attest.encode() == encoded
    assert parse_quote(attest).encode() == attest.attested
    assert refused(parse_attest, b"\0" + encoded[1:]) is Rc.VALUE
    assert refused(parse_attest, encoded[:4] + u16(0x8020) + encoded[6:]) is Rc.TAG
    safe = encoded.index(u32(1) + u32(0)) + 8
    assert refused(parse_attest, encoded[:safe] + u8(2) + encoded[safe + 1 :]) is Rc.VALUE


def test_another_statement_is_no_quote_and_a_quote_ends():
    other = parse_attest(attest_of(public_of(), type=AttestType.TIME))
    assert refused(parse_quote, other) is Rc.TAG
    longer = parse_attest(attest_of(public_of()) + b"\0")
    assert refused(parse_quote, longer) is Rc.SIZE


def test_tickets():
    ticket = Ticket(TicketKind.CREATION, Rh.OWNER, bytes(32))
    read = reading(lambda reader: read_ticket(reader, TicketKind.CREATION))
    assert read(ticket.encode()) == ticket
    assert refused(read, u16(0x8022) + u32(Rh.OWNER) + u16(0)) is Rc.TAG
    assert refused(read, u16(0x8021) + u32(0x81000000) + u16(0)) is Rc.VALUE
    assert refused(read, u16(0x8021) + u32(Rh.OWNER) + u16(65) + bytes(65)) is Rc.SIZE


def test_a_response_has_the_shape_that_its_command_asks_for():
    session = u32(3) + b"abc" + sized(b"nonce") + u8(1) + sized(b"hmac")
    both = response(0, u32(0x80000000) + session, tag=0x8002)
    found = parse_response(both, has_handle=True, sessions=1)
    assert (found.handle, found.parameters) == (0x80000000, b"abc")
    assert found.authorizations[0].encode() == session[7:]
    assert parse_response(response(0, b"abc"), has_handle=False, sessions=0).parameters == b"abc"
    assert parse_response(response(0x922), has_handle=True, sessions=1).rc == 0x922


@pytest.mark.parametrize(
    ("data", "rc"),
    [
        (response(0)[:-1], Rc.INSUFFICIENT),
        (response(0) + b"\0", Rc.SIZE),
        (response(0x922, b"\0"), Rc.SIZE),
        (response(0, b"abc"), Rc.TAG),
        (response(0, u32(0) + sized(b"") + u8(1) + sized(b"") + b"\0", tag=0x8002), Rc.SIZE),
        (response(0, u32(9), tag=0x8002), Rc.INSUFFICIENT),
    ],
)
def test_any_other_shape_is_refused(data, rc):
    assert refused(lambda given: parse_response(given, has_handle=False, sessions=1), data) is rc


def test_a_command_has_the_tag_of_its_sessions():
    area = CommandAuthorization(0x40000009, b"", 1, b"secret")
    assert encode_command(0x17E, (), (), b"p") == bytes.fromhex("80010000000b0000017e70")
    with_area = encode_command(0x131, (0x40000001,), (area,), b"p")
    assert with_area[:2] == u16(0x8002)
    assert int.from_bytes(with_area[2:6], "big") == len(with_area)
    assert encode_response(0x101) == response(0x101)


def test_a_count_and_a_size_are_bounded_before_anything_is_read():
    assert refused(lambda data: Reader(data).count(3, "things"), u32(4)) is Rc.SIZE
    assert refused(lambda data: Reader(data).sized("a thing", most_bytes=3), u16(4) + bytes(4)) is Rc.SIZE
    assert refused(lambda data: Reader(data).choice({1}, Rc.CURVE, "thing"), u16(2)) is Rc.CURVE
    assert Reader(b"\0" * 8).u64("a number") == 0


@pytest.mark.parametrize(
    ("rc", "bare", "part", "words"),
    [
        (on_parameter(Rc.VALUE, 2), Rc.VALUE, "parameter 2", "TPM_RC_VALUE (0x2c4) for parameter 2"),
        (on_handle(Rc.HIERARCHY, 1), Rc.HIERARCHY, "handle 1", "TPM_RC_HIERARCHY (0x185) for handle 1"),
        (on_session(Rc.AUTH_FAIL, 1), Rc.AUTH_FAIL, "session 1", "TPM_RC_AUTH_FAIL (0x98e) for session 1"),
        (0x912, Rc.REFERENCE_H0, "handle 3", "for handle 3"),
        (0x919, Rc.REFERENCE_S0, "session 2", "for session 2"),
        (0x922, Rc.RETRY, "", "TPM_RC_RETRY (0x922)"),
        (0xB0143, Rc.COMMAND_CODE, "", "TPM_RC_COMMAND_CODE (0xb0143)"),
        (0x4FF, 0x0BF, "parameter 4", "not one of the TPM 2.0 library"),
        (0x084, Rc.VALUE, "", "TPM_RC_VALUE"),
    ],
)
def test_a_response_code_says_what_was_wrong_with_which_part(rc, bare, part, words):
    assert (base(rc), culprit(rc)) == (bare, part)
    assert words in describe(rc)


def test_the_policy_of_pcrs_is_what_tpm2_tools_compute():
    """`tpm2_policypcr -l sha384:4,7` in a trial session, where PCR 4 and 7 are zero (tpm2-tools 5.4)."""
    pcrs = PcrDigests.of(dict.fromkeys((4, 7), bytes(48)))
    policy = pcr_policy(Alg.SHA256, PcrSelection.of(Alg.SHA384, pcrs), pcrs)
    assert policy.hex() == "08a667e181f6feac426456836b319cc4ab50ff91a3aebe3a0bc37fbfbd237508"
