# SPDX-License-Identifier: Apache-2.0
import base64
import json

import pytest
from tests.tpm_quotes import quote_file

from strongroom.errors import FormatError
from strongroom.formats.quote import encode_quote_file, parse_quote_file
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.signature import RsaSignature

GOOD = quote_file()
FILE = encode_quote_file(GOOD)
MEMBERS = json.loads(FILE)
RSA = base64.b64encode(RsaSignature(Alg.RSASSA, Alg.SHA384, b"x" * 256).encode()).decode()


def test_a_file_is_read_as_it_was_written():
    assert parse_quote_file(FILE) == GOOD
    assert encode_quote_file(parse_quote_file(json.dumps(MEMBERS).encode())) == FILE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "field.range"),
        ({"more": 1}, "field.unknown"),
        ({"bank": "SHA1"}, "field.choice"),
        ({"bank": "SHA256"}, "quote.digest"),
        ({"pcrs": {}}, "field.length"),
        ({"pcrs": {"PCR24": "00" * 48}}, "field.choice"),
        ({"pcrs": {"PCR4": "0g" * 48}}, "quote.digest"),
        ({"pcrs": {"PCR4": "AA" * 48}}, "quote.digest"),
        ({"key": "AAAA"}, "quote.structure"),
        ({"signature": "AAAA"}, "quote.structure"),
        ({"signature": RSA}, "quote.structure"),
        ({"signature": base64.b64encode(base64.b64decode(MEMBERS["signature"]) + b"\0").decode()}, "quote.structure"),
        ({"quote": ""}, "field.base64"),
        ({"document": "?"}, "field.base64"),
    ],
)
def test_anything_else_is_refused(changes, code):
    with pytest.raises(FormatError) as caught:
        parse_quote_file(json.dumps(MEMBERS | changes).encode())
    assert caught.value.code == code


def test_a_file_without_one_of_its_parts_is_refused():
    for key in MEMBERS:
        with pytest.raises(FormatError):
            parse_quote_file(json.dumps({k: v for k, v in MEMBERS.items() if k != key}).encode())
