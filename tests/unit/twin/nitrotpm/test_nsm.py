# SPDX-License-Identifier: Apache-2.0
"""The Nitro Security Module by itself: requests in, answers out."""

import pytest

from strongroom.formats import cbor
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.formats.cbor import Profile
from strongroom.formats.nsm import AttestationRequest, NsmError, encode_error, parse_attestation_response
from strongroom.formats.pcrs import PcrDigests
from strongroom.twin.nitrotpm.nsm import MAX_REQUEST_BYTES, RANDOM_BYTES, AbsentModule, NitroSecurityModule

PCRS = PcrDigests.of({0: b"p" * 48})
MODULE = "i-0123456789abcdef0-tpm0000000000000000"


@pytest.fixture
def asked():
    """What the module was asked to sign."""
    return []


@pytest.fixture
def module(asked):
    def sign(request, pcrs):
        asked.append((request, pcrs))
        return b"document"

    return NitroSecurityModule(MODULE, sign)


def request(**fields) -> bytes:
    return cbor.encode({"Attestation": {"user_data": None, "nonce": None, "public_key": None} | fields})


def test_a_document_carries_what_was_asked_for_and_the_pcrs_of_now(module, asked):
    answer = module.answer(request(nonce=b"n", user_data=b""), PCRS)
    assert parse_attestation_response(answer) == b"document"
    assert asked == [(AttestationRequest(nonce=b"n", user_data=b""), PCRS)]


def test_what_stands_behind_a_request_is_not_looked_at(module, asked):
    assert parse_attestation_response(module.answer(request() + b"\xff" * 4000, PCRS)) == b"document"
    assert asked == [(AttestationRequest(), PCRS)]


@pytest.mark.parametrize("field", ["user_data", "nonce", "public_key"])
def test_a_field_has_as_many_bytes_as_a_document_has_room_for(module, asked, field):
    module.answer(request(**{field: bytes(MAX_FIELD_BYTES)}), PCRS)
    assert len(asked) == 1
    assert module.answer(request(**{field: bytes(MAX_FIELD_BYTES + 1)}), PCRS) == error(NsmError.INVALID_ARGUMENT)
    assert len(asked) == 1


def error(code: NsmError) -> bytes:
    return encode_error(code)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff" * 100,
        request()[:-1],
        request(nonce="text"),
        request(nonce=5),
        request(more=b"x"),
        cbor.encode({"Attestation": None}),
        cbor.encode({"Attestation": {}, "GetRandom": {}}),
        cbor.encode({}),
        cbor.encode("Attestation"),
        cbor.encode("Nothing"),
        cbor.encode({"DescribePCR": {"index": 65536}}),
        cbor.encode([1, 2]),
    ],
)
def test_what_is_no_request_is_an_invalid_argument(module, asked, garbage):
    assert module.answer(garbage, PCRS) == error(NsmError.INVALID_ARGUMENT)
    assert asked == []


def test_a_request_that_is_too_long_is_told_so_whatever_it_says(module, asked):
    longest = len(request(nonce=bytes(300))) - 300
    for size, expected in (
        (MAX_REQUEST_BYTES - longest, NsmError.INVALID_ARGUMENT),
        (MAX_REQUEST_BYTES - longest + 1, NsmError.INPUT_TOO_LARGE),
    ):
        assert module.answer(request(nonce=bytes(size)), PCRS) == error(expected)
    assert asked == []


@pytest.mark.parametrize(
    "about_pcrs",
    [
        {"DescribePCR": {"index": 0}},
        {"ExtendPCR": {"index": 16, "data": b"x"}},
        {"LockPCR": {"index": 0}},
        {"LockPCRs": {"range": 16}},
    ],
)
def test_pcrs_are_the_tpms_and_not_the_modules(module, about_pcrs):
    assert module.answer(cbor.encode(about_pcrs), PCRS) == error(NsmError.INVALID_OPERATION)


def answered(module, name: str):
    ((key, value),) = cbor.decode(module.answer(cbor.encode(name), PCRS), Profile.AWS).map()
    assert key.text() == name
    return value


def test_random_bytes_come_by_256_and_are_others_each_time(module):
    one, other = (answered(module, "GetRandom").record(("random",))["random"].bytes() for _ in range(2))
    assert len(one) == len(other) == RANDOM_BYTES == 256
    assert one != other


def test_the_module_describes_itself(module):
    names = ("version_major", "version_minor", "version_patch", "module_id", "max_pcrs", "locked_pcrs", "digest")
    found = answered(module, "DescribeNSM").record(names)
    assert (found["module_id"].text(), found["digest"].text(), found["max_pcrs"].uint()) == (MODULE, "SHA384", 32)
    assert found["locked_pcrs"].array() == ()


def test_a_tpm_by_itself_has_a_module_that_is_out_of_order():
    assert AbsentModule().answer(request(), PCRS) == error(NsmError.INTERNAL_ERROR)
