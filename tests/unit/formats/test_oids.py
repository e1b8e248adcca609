# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.formats.oids import describe_oid
from strongroom.formats.pkcs7 import OID_DSA_WITH_SHA1, OID_RSA, OID_SHA1, OID_SHA256, OID_SHA256_WITH_RSA


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (OID_SHA256, "SHA-256 (2.16.840.1.101.3.4.2.1)"),
        (OID_RSA, "RSA (1.2.840.113549.1.1.1)"),
        (OID_SHA256_WITH_RSA, "RSA with SHA-256 (1.2.840.113549.1.1.11)"),
        (OID_SHA1, "SHA-1 (1.3.14.3.2.26)"),
        (OID_DSA_WITH_SHA1, "DSA with SHA-1 (1.2.840.10040.4.3)"),
        (bytes.fromhex("883703"), "2.999.3"),  # the example of X.690 section 8.19.5
        (b"\x81", "no object identifier in use (81)"),
        (b"", "no object identifier in use ()"),
    ],
)
def test_an_object_identifier_is_named_and_dotted(content, words):
    assert describe_oid(content) == words


@given(st.binary(max_size=20_000))
def test_a_hostile_one_is_described_in_few_words(content):
    assert len(describe_oid(content)) < 200
