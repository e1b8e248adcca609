# SPDX-License-Identifier: Apache-2.0
"""Documents of every kind: whatever is read was written so, and no bytes do more than FormatError."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import identity_signer
from tests.damage import mutations, refusal
from tests.nitro_pki import MODULE, NOW, document, good_pki, sign

from strongroom.errors import StrongroomError
from strongroom.formats.attestation_document import (
    encode_nitrotpm_payload,
    parse_enclave_document,
    parse_nitrotpm_document,
    unverified_claims,
)
from strongroom.formats.file_kind import guess_kind
from strongroom.formats.identity_document import parse_identity_document
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.pkcs7 import parse_signed_data

GOOD = document()
FIELD = st.one_of(st.none(), st.binary(max_size=1024))
PCRS = st.dictionaries(st.integers(0, 31), st.binary(min_size=48, max_size=48), min_size=1, max_size=32)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001


@given(TIMES, PCRS, st.tuples(FIELD, FIELD, FIELD))
def test_what_a_nitrotpm_writes_is_what_is_read(timestamp, pcrs, fields):
    public_key, user_data, nonce = fields
    pki = good_pki()
    body = encode_nitrotpm_payload(
        module_id=MODULE,
        timestamp=timestamp,
        pcrs=PcrDigests.of(pcrs),
        certificate=pki.certificates["leaf"],
        cabundle=pki.cabundle,
        public_key=public_key,
        user_data=user_data,
        nonce=nonce,
    )
    parsed = parse_nitrotpm_document(sign(body))
    claims = unverified_claims(parsed)
    assert claims.timestamp == timestamp - timedelta(microseconds=timestamp.microsecond % 1000)
    assert dict(claims.pcrs) == pcrs
    assert (claims.public_key, claims.user_data, claims.nonce) == (public_key, user_data, nonce)
    assert (parsed.certificate, parsed.cabundle) == (pki.certificates["leaf"], pki.cabundle)


@pytest.mark.attack("A10")
@pytest.mark.parametrize("parse", [parse_nitrotpm_document, parse_enclave_document])
@given(data=st.one_of(st.binary(max_size=200), mutations(document())))
def test_no_bytes_do_more_to_a_document_parser_than_a_format_error(parse, data):
    error = refusal(parse, data)
    assert error is None or 0 <= error.offset <= len(data)


@given(st.binary(max_size=600), st.binary(max_size=300), st.binary(max_size=32))
def test_signed_data_is_read_as_it_was_written(content, signature, digest):
    attributes = identity_signer.signed_attributes(digest)
    parsed = parse_signed_data(identity_signer.signed_data(content, attributes, signature))
    assert (parsed.content, parsed.signature, parsed.signed_attributes) == (content, signature, attributes)
    assert parsed.message_digest == digest


@pytest.mark.attack("A10")
@given(st.one_of(st.binary(max_size=200), mutations(identity_signer.sign(b"{}"))))
def test_no_bytes_do_more_to_the_pkcs7_parser_than_a_format_error(data):
    error = refusal(parse_signed_data, data)
    assert error is None or 0 <= error.offset <= len(data)


@given(st.one_of(st.binary(max_size=200), mutations(identity_signer.document())))
def test_no_bytes_do_more_to_the_identity_parser_than_a_format_error(data):
    error = refusal(parse_identity_document, data)
    assert error is None or error.spec


@given(st.binary(max_size=600))
def test_every_file_is_of_some_kind(data):
    assert guess_kind(data)


@pytest.mark.attack("A1")
@given(mutations(GOOD))
def test_no_mutation_of_a_document_verifies(data):
    from strongroom.appraisal.evidence import verify_evidence

    if data in (GOOD, b"\xd2" + GOOD):
        return
    with pytest.raises(StrongroomError):
        verify_evidence(data, roots=good_pki().roots, at=NOW)
