# SPDX-License-Identifier: Apache-2.0
"""Identity documents and their signatures: what was signed verifies in every form, and nothing else does."""

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.damage import mutations
from tests.identity_signer import REGION, certificate, document, dsa_certificate, sign, sign_dsa, sign_plainly

from strongroom.appraisal.identity import (
    verify_identity_document,
    verify_unsafe_legacy_pkcs7,
    verify_unsafe_legacy_signature,
)
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.identity_signature import decode_signature_file
from strongroom.ports import IdentityDocumentBytes

KINDS = {
    "rsa2048": (
        sign,
        lambda content, signature: verify_identity_document(
            IdentityDocumentBytes(content, signature), certificates={REGION: certificate()}
        ),
    ),
    "pkcs7": (
        sign_dsa,
        lambda content, signature: verify_unsafe_legacy_pkcs7(
            content, signature, certificates={REGION: dsa_certificate()}
        ),
    ),
    "signature": (
        sign_plainly,
        lambda content, signature: verify_unsafe_legacy_signature(
            content, signature, certificates={REGION: certificate(1024)}
        ),
    ),
}
EACH = pytest.mark.parametrize("kind", KINDS)
SIGNED = {kind: sign(document()) for kind, (sign, _) in KINDS.items()}
HEX = st.text("0123456789abcdef", min_size=17, max_size=17)
DIGITS = st.text("0123456789", min_size=12, max_size=12)


@EACH
@given(instance=HEX, image=HEX, account=DIGITS, unread=st.text(max_size=50))
def test_what_was_signed_is_what_is_said(kind, instance, image, account, unread):
    signer, verify = KINDS[kind]
    content = document(instanceId=f"i-{instance}", imageId=f"ami-{image}", accountId=account, kernelId=unread)
    identity = verify(content, signer(content))
    assert (identity.instance_id, identity.image_id) == (f"i-{instance}", f"ami-{image}")
    assert (identity.account_id, identity.kind, identity.region) == (account, kind, REGION)


@pytest.mark.attack("A1")
@EACH
@given(data=st.data())
def test_no_change_of_the_document_verifies(kind, data):
    changed = data.draw(mutations(document()).filter(lambda content: content != document()))
    with pytest.raises((FormatError, NotAuthentic)):
        KINDS[kind][1](changed, SIGNED[kind])


@pytest.mark.attack("A1")
@EACH
@given(data=st.data())
def test_no_change_of_a_signature_makes_another_identity(kind, data):
    verify = KINDS[kind][1]
    changed = data.draw(st.one_of(st.binary(max_size=300), mutations(SIGNED[kind])))
    try:
        identity = verify(document(), changed)
    except (FormatError, NotAuthentic):
        return
    assert identity == verify(document(), SIGNED[kind])


@given(
    signature=st.binary(min_size=1, max_size=400),
    width=st.integers(1, 100),
    end=st.sampled_from(["\n", "\r\n"]),
    armour=st.sampled_from([True, False]),
    tail=st.sampled_from(["", "\n", "\n\n", " \n"]),
)
def test_base64_in_any_lines_and_with_or_without_armour_gives_the_bytes(signature, width, end, armour, tail):
    lines = textwrap.wrap(base64.b64encode(signature).decode(), width)
    if armour:
        lines = ["-----BEGIN PKCS7-----", *lines, "-----END PKCS7-----"]
    assert decode_signature_file((end.join(lines) + tail).encode()) == signature


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_file_is_a_signature_as_it_stands_in_base64_or_malformed(data):
    try:
        decoded = decode_signature_file(data)
    except FormatError:
        return
    assert decoded == data or (data.isascii() and base64.b64encode(decoded) == b"".join(data.split()))
