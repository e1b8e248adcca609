# SPDX-License-Identifier: Apache-2.0
import base64
import textwrap

import pytest
from tests.identity_signer import document, sign, sign_dsa, sign_plainly

from strongroom.errors import FormatError
from strongroom.formats.identity_signature import MAX_SIGNATURE_FILE_BYTES, decode_signature_file

SIGNATURES = [sign(document()), sign_dsa(document()), sign_plainly(document())]
BEGIN, END = "-----BEGIN PKCS7-----", "-----END PKCS7-----"


def lines(data, width=64, end="\n"):
    return end.join(textwrap.wrap(base64.b64encode(data).decode(), width))


@pytest.mark.parametrize("data", SIGNATURES)
@pytest.mark.parametrize(
    "served",
    [
        lambda data: data,
        base64.b64encode,
        lambda data: lines(data).encode(),
        lambda data: lines(data, 76, "\r\n").encode() + b"\r\n",
        lambda data: f"{BEGIN}\n{lines(data)}\n{END}\n".encode(),
        lambda data: f"{BEGIN}\n{lines(data)}\n{END}".replace("\n", "\r\n").encode(),
        lambda data: f"\n{BEGIN}\n{base64.b64encode(data).decode()}\n\n{END}\n\n".encode(),
    ],
    ids=["raw", "one line", "lines", "lines of Windows", "armour", "armour of Windows", "armour with empty lines"],
)
def test_every_form_in_which_people_keep_a_signature_gives_the_same_bytes(data, served):
    assert decode_signature_file(served(data)) == data


GOOD = lines(SIGNATURES[0])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GOOD[:-1], "not-base64"),
        (GOOD + "=", "not-base64"),
        ("QUJ=", "not-base64"),
        (GOOD.replace("M", "*", 1), "not-base64"),
        ('{"instanceId": "i-0123456789abcdef0"}', "not-base64"),
        (f"{BEGIN}\n{GOOD}", "armour"),
        (f"{GOOD}\n{END}", "armour"),
        (BEGIN, "armour"),
        (f"{END}\n{GOOD}\n{BEGIN}", "armour"),
        (f"{BEGIN.replace('PKCS7', 'CERTIFICATE')}\n{GOOD}\n{END.replace('PKCS7', 'CERTIFICATE')}", "armour"),
        (f"# saved on Monday\n{BEGIN}\n{GOOD}\n{END}", "armour"),
        (f"{BEGIN}\n{GOOD}\n{END}\n{BEGIN}\n{GOOD}\n{END}", "not-base64"),
        ("", "empty"),
        (" \n", "empty"),
        (f"{BEGIN}\n{END}", "empty"),
        ("A" * (MAX_SIGNATURE_FILE_BYTES + 1), "too-large"),
    ],
)
def test_other_text_is_malformed(text, code):
    with pytest.raises(FormatError) as caught:
        decode_signature_file(text.encode())
    assert caught.value.code == f"identity.signature-{code}"
