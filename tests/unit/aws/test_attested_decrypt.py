# SPDX-License-Identifier: Apache-2.0
"""One attested Decrypt over boto3: nothing but errors of ours gets out, and a dry run gives no secret."""

import pytest
from tests.kms_answers import BUSY, DENIED, KEY_ARN, SECRET, SESSION, TOO_OLD, FakeKms, FakeSource, sealed, settings

from strongroom.aws.sdk.attested_decrypt import DecryptCall, DecryptReply, SdkAttestedDecrypt
from strongroom.errors import KeyRefused, NotAuthentic, ServiceFault

CALL = DecryptCall(
    ciphertext=b"blob", key_id=KEY_ARN, context={"a": "b"}, algorithm="SYMMETRIC_DEFAULT", grant_tokens=("t",)
)


def opener(*answers):
    client = SESSION.client("kms", config=settings(attempts=1))
    kms = FakeKms(client, *answers)
    return SdkAttestedDecrypt(client, FakeSource()), kms


def refused(code, kind, call, *arguments):
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert caught.value.code == code


def test_what_is_given_is_sent_and_what_is_not_is_left_to_kms():
    decrypt, kms = opener(sealed(EncryptionAlgorithm="SYMMETRIC_DEFAULT"))
    assert decrypt.decrypt(CALL) == DecryptReply(KEY_ARN, "SYMMETRIC_DEFAULT", SECRET)
    sent = {"CiphertextBlob", "KeyId", "EncryptionContext", "EncryptionAlgorithm", "GrantTokens", "Recipient"}
    assert set(kms.requests[0]) == sent
    decrypt.decrypt(DecryptCall(ciphertext=b"blob"))
    assert set(kms.requests[1]) == {"CiphertextBlob", "Recipient"}


def test_printing_a_reply_shows_no_secret():
    assert "secret" not in repr(opener(sealed())[0].decrypt(CALL))


@pytest.mark.parametrize("ask", ["decrypt", "try_out"])
@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        (DENIED, "kms.access-denied", KeyRefused),
        (TOO_OLD, "kms.document-expired", KeyRefused),
        (BUSY, "kms.unavailable", ServiceFault),
        ((200, {"KeyId": KEY_ARN, "Plaintext": "cGxhaW4="}), "kms.plaintext-in-reply", NotAuthentic),
    ],
)
def test_what_goes_wrong_is_an_error_of_ours(ask, answer, code, kind):
    refused(code, kind, getattr(opener(answer)[0], ask), CALL)


def test_a_dry_run_ends_well_only_as_kms_ends_it():
    decrypt, kms = opener((400, {"__type": "DryRunOperationException", "message": "it would have"}), sealed())
    decrypt.try_out(CALL)
    assert kms.requests[0]["DryRun"] is True
    refused("kms.no-dry-run", ServiceFault, decrypt.try_out, CALL)
