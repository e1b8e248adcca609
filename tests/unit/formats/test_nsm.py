# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import FormatError, UsageError
from strongroom.formats.cbor import Profile, decode, encode
from strongroom.formats.nsm import (
    AttestationRequest,
    NsmDescription,
    NsmError,
    PcrOperation,
    PcrRequest,
    PlainRequest,
    encode_attestation_request,
    encode_attestation_response,
    encode_description,
    encode_error,
    encode_random_response,
    parse_attestation_response,
    parse_request,
)

LEFT_OVER = b"\xff" * 40
FIELDS = st.none() | st.binary(max_size=40)


def plain(data):
    """Return what a piece of CBOR says, in Python's types."""
    item = decode(data, Profile.AWS)
    return unpacked(item)


def unpacked(item):
    if item.kind.name == "MAP":
        return {key.scalar: unpacked(value) for key, value in item.map()}
    return [unpacked(each) for each in item.array()] if item.kind.name == "ARRAY" else item.scalar


@given(FIELDS, FIELDS, FIELDS)
def test_a_request_is_read_as_it_was_written_whatever_stands_behind_it(user_data, nonce, public_key):
    request = AttestationRequest(user_data, nonce, public_key)
    assert parse_request(encode_attestation_request(request) + LEFT_OVER) == request


def test_a_request_has_the_bytes_of_aws_tool():
    expected = (
        "a1 6b 4174746573746174696f6e a3 69 757365725f64617461 f6 65 6e6f6e6365 42 0102 6a 7075626c69635f6b6579 f6"
    )
    assert encode_attestation_request(AttestationRequest(nonce=b"\1\2")) == bytes.fromhex(expected)


@pytest.mark.parametrize("name", ["user_data", "nonce", "public_key"])
def test_fields_end_at_1024_bytes(name):
    encode_attestation_request(AttestationRequest(**{name: bytes(1024)}))
    with pytest.raises(UsageError) as caught:
        encode_attestation_request(AttestationRequest(**{name: bytes(1025)}))
    assert caught.value.code == "nsm.field-too-long"
    assert parse_request(encode({"Attestation": {name: bytes(1025)}})), "what to say of it is for the NSM"


@pytest.mark.parametrize(
    ("written", "request_"),
    [
        ({"DescribePCR": {"index": 4}}, PcrRequest(PcrOperation.DESCRIBE, 4)),
        ({"ExtendPCR": {"index": 16, "data": b"x"}}, PcrRequest(PcrOperation.EXTEND, 16, b"x")),
        ({"LockPCR": {"index": 0xFFFF}}, PcrRequest(PcrOperation.LOCK, 0xFFFF)),
        ({"LockPCRs": {"range": 8}}, PcrRequest(PcrOperation.LOCK_RANGE, 8)),
        ("DescribeNSM", PlainRequest.DESCRIBE_NSM),
        ("GetRandom", PlainRequest.GET_RANDOM),
        ({"Attestation": {}}, AttestationRequest()),
    ],
)
def test_every_request_of_the_interface_is_read(written, request_):
    assert parse_request(encode(written) + LEFT_OVER) == request_


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"DescribePCR": {"index": 1}, "LockPCR": {"index": 1}},
        {"DescribePCR": {}},
        {"DescribePCR": {"index": 0x10000}},
        {"DescribePCR": {"index": -1}},
        {"DescribePCR": {"index": 1, "data": b""}},
        {"ExtendPCR": {"index": 1}},
        {"ExtendPCR": {"index": 1, "data": bytes(513)}},
        {"LockPCRs": {"index": 1}},
        {"Attestation": {"nonce": "text"}},
        {"Attestation": {"more": None}},
        {"DescribeNSM": {}},
        {"Nothing": {"index": 1}},
        {1: {}},
        "Attestation",
        "Nothing",
        7,
    ],
)
def test_no_other_request_is_read(written):
    with pytest.raises(FormatError):
        parse_request(encode(written))


@given(st.binary(min_size=1, max_size=60))
def test_a_document_comes_out_as_it_went_in_and_not_before_it_is_whole(document):
    answer = encode_attestation_response(document)
    assert parse_attestation_response(answer + LEFT_OVER) == document
    for size in (0, 1, len(answer) - 1):
        with pytest.raises(FormatError) as caught:
            parse_attestation_response(answer[:size])
        assert caught.value.code == "cbor.truncated"


@pytest.mark.parametrize("error", list(NsmError))
def test_errors_have_their_names(error):
    assert parse_attestation_response(encode_error(error) + LEFT_OVER) is error


@pytest.mark.parametrize(
    "written",
    [
        "GetRandom",
        {"GetRandom": {"random": b""}},
        {"Error": "Other"},
        {"Error": {}},
        {"Attestation": {"document": b""}},
        {"Attestation": {"document": bytes(16_385)}},
        {"Attestation": {"document": b"x", "more": 1}},
        {"Attestation": b"x"},
        {},
    ],
)
def test_no_other_answer_is_taken_for_a_document(written):
    with pytest.raises(FormatError):
        parse_attestation_response(encode(written))


def test_what_the_twin_answers_to_other_requests():
    assert plain(encode_random_response(b"r")) == {"GetRandom": {"random": b"r"}}
    assert plain(encode_description(NsmDescription((1, 0, 2), "i-1", 32, (5, 0), "SHA384"))) == {
        "DescribeNSM": {
            "version_major": 1,
            "version_minor": 0,
            "version_patch": 2,
            "module_id": "i-1",
            "max_pcrs": 32,
            "locked_pcrs": [0, 5],
            "digest": "SHA384",
        }
    }
