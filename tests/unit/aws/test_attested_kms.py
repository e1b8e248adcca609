# SPDX-License-Identifier: Apache-2.0
"""The boto3 client that attests: what it sends, what it believes, and that it has no other way to a secret."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from tests.kms_answers import (
    BUSY,
    DENIED,
    KEY_ARN,
    SECRET,
    SESSION,
    TOO_OLD,
    FakeKms,
    FakeSource,
    sealed,
    settings,
    text,
)

from strongroom import attested_kms_client
from strongroom.aws.sdk.attested_kms import attest_calls
from strongroom.crypto.key_transport import RecipientKey, encrypt_to_recipient
from strongroom.errors import NotAuthentic, TpmFault
from strongroom.formats.cms import parse_enveloped_data

OPERATIONS = {
    "decrypt": ({"CiphertextBlob": b"blob", "KeyId": KEY_ARN}, "Plaintext"),
    "generate_data_key": ({"KeyId": KEY_ARN, "KeySpec": "AES_256"}, "Plaintext"),
    "generate_data_key_pair": ({"KeyId": KEY_ARN, "KeyPairSpec": "ECC_NIST_P256"}, "PrivateKeyPlaintext"),
    "generate_random": ({"NumberOfBytes": 15}, "Plaintext"),
    "derive_shared_secret": (
        {"KeyId": KEY_ARN, "KeyAgreementAlgorithm": "ECDH", "PublicKey": b"point"},
        "SharedSecret",
    ),
}
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def client(source):
    return attested_kms_client(source, session=SESSION, config=settings())


def call(client, operation="decrypt", **changes):
    return getattr(client, operation)(**OPERATIONS[operation][0] | changes)


def refused(code, client, operation="decrypt", **changes):
    with pytest.raises(NotAuthentic) as caught:
        call(client, operation, **changes)
    assert caught.value.code == code
    return caught.value


def refused_by_kms(name, client):
    with pytest.raises(ClientError) as caught:
        call(client)
    assert caught.value.response["Error"]["Code"] == name


@EVERY_OPERATION
def test_the_secret_is_where_an_unattested_caller_finds_it(client, source, operation):
    kms = FakeKms(client, sealed())
    reply = call(client, operation)
    member = OPERATIONS[operation][1]
    assert reply[member] == SECRET
    assert set(reply) == {"ResponseMetadata", member} | ({"KeyId"} if operation != "generate_random" else set())
    assert kms.requests[0]["Recipient"]["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    assert kms.documents == source.documents


def test_each_call_has_a_key_and_a_document_of_its_own(client, source):
    kms = FakeKms(client, sealed())
    for _ in range(3):
        call(client)
    assert len(set(source.documents)) == 3
    assert kms.documents == source.documents


def test_an_empty_plaintext_beside_the_envelope_is_how_kms_answers(client):
    FakeKms(client, sealed(Plaintext="", EncryptionAlgorithm="SYMMETRIC_DEFAULT"))
    assert call(client)["Plaintext"] == SECRET


@pytest.mark.attack("K14")
@EVERY_OPERATION
@pytest.mark.parametrize("also_sealed", [False, True])
def test_a_reply_with_plaintext_is_refused_whatever_else_it_has(client, operation, also_sealed):
    """What an emulator says that takes no notice of attestation, or answers without it where it cannot."""
    plaintext = {OPERATIONS[operation][1]: text(b"plain")}
    FakeKms(client, sealed(**plaintext) if also_sealed else (200, {"KeyId": KEY_ARN, **plaintext}))
    refused("kms.plaintext-in-reply", client, operation)


@pytest.mark.attack("K14")
@EVERY_OPERATION
@pytest.mark.parametrize("members", [{}, {"CiphertextForRecipient": ""}])
def test_a_reply_without_an_envelope_is_refused(client, operation, members):
    FakeKms(client, (200, {"KeyId": KEY_ARN, **members}))
    refused("kms.no-ciphertext", client, operation)


def test_an_envelope_around_nothing_is_refused(client):
    FakeKms(client, sealed(b""))
    refused("kms.empty-secret", client)


@pytest.mark.attack("K7")
@pytest.mark.parametrize("operation", ["decrypt", "generate_data_key", "generate_data_key_pair"])
@pytest.mark.parametrize("found", [KEY_ARN[:-1] + "c", "", KEY_ARN.rpartition("/")[2]])
def test_an_answer_from_another_key_than_the_one_named_by_its_arn_is_refused(client, operation, found):
    FakeKms(client, sealed(KeyId=found))
    refused("kms.other-key", client, operation)


@pytest.mark.parametrize("named", ["alias/app", KEY_ARN.replace("key/", "alias/"), KEY_ARN.rpartition("/")[2]])
def test_a_key_that_was_named_otherwise_is_not_compared(client, named):
    FakeKms(client, sealed())
    assert call(client, KeyId=named)["Plaintext"] == SECRET


def test_a_decrypt_that_names_no_key_is_kms_business(client):
    FakeKms(client, sealed())
    assert client.decrypt(CiphertextBlob=b"blob")["Plaintext"] == SECRET


def changed_padding(request):
    """An envelope for the right key, whose content ends in no padding."""
    envelope = encrypt_to_recipient(base64.b64decode(request["Recipient"]["AttestationDocument"]), b"sixteen bytes...")
    content = parse_enveloped_data(envelope).encrypted_content
    damaged = content[:-32] + bytes([content[-32] ^ 0xFF]) + content[-31:]
    return 200, {"KeyId": KEY_ARN, "CiphertextForRecipient": text(envelope.replace(content, damaged))}


@pytest.mark.attack("K18")
@pytest.mark.parametrize(
    "answer",
    [
        (200, {"KeyId": KEY_ARN, "CiphertextForRecipient": text(b"no CMS")}),
        (
            200,
            {
                "KeyId": KEY_ARN,
                "CiphertextForRecipient": text(encrypt_to_recipient(RecipientKey.generate().public_key, SECRET)),
            },
        ),
        changed_padding,
    ],
    ids=["no CMS", "another's", "padding"],
)
def test_an_envelope_that_does_not_open_says_nothing_about_why(client, answer):
    FakeKms(client, answer)
    error = refused("key-transport.unwrap", client)
    assert str(error).endswith("found something that does not open with it")
    assert (error.__cause__, error.__suppress_context__) == (None, True)


@pytest.mark.parametrize("recipient", [None, {}, {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}])
@EVERY_OPERATION
def test_the_caller_brings_no_recipient(client, source, operation, recipient):
    kms = FakeKms(client, sealed())
    with pytest.raises(TypeError, match="leave it out"):
        call(client, operation, Recipient=recipient)
    assert (kms.requests, source.documents) == ([], [])


def test_a_presigned_url_is_refused(client, source):
    with pytest.raises(TypeError, match="presigned"):
        client.generate_presigned_url("decrypt", {"CiphertextBlob": b"blob"})
    assert source.documents == []


def test_attesting_twice_is_a_mistake_that_is_noticed(client, source):
    attest_calls(client, source)
    with pytest.raises(TypeError, match="leave it out"):
        call(client)


def test_a_handler_that_brings_other_parameters_keeps_no_recipient_away(client):
    kms = FakeKms(client, sealed())
    client.meta.events.register("provide-client-params.kms.Decrypt", lambda **_: {"CiphertextBlob": b"another"})
    call(client)
    assert kms.requests[0]["CiphertextBlob"] == text(b"another")
    assert "Recipient" in kms.requests[0]


def test_a_handler_of_the_callers_sees_no_reply_that_was_not_looked_at(source):
    seen = []
    client = SESSION.client("kms", config=settings())
    client.meta.events.register("after-call.kms.Decrypt", lambda parsed, **_: seen.append(dict(parsed)))
    attest_calls(client, source)
    FakeKms(client, (200, {"KeyId": KEY_ARN, "Plaintext": text(b"plain")}))
    refused("kms.plaintext-in-reply", client)
    assert seen == []


@pytest.mark.attack("K14")
def test_without_a_tpm_nothing_is_asked_of_kms(source, client, monkeypatch):
    def broken(**_):
        raise TpmFault("tpm.absent", "no TPM")

    kms = FakeKms(client, (200, {"KeyId": KEY_ARN, "Plaintext": text(b"plain")}))
    monkeypatch.setattr(source, "attest", broken)
    with pytest.raises(TpmFault):
        call(client)
    assert kms.requests == []


# A document that was too old


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize("attempts", [1, 3])
@EVERY_OPERATION
def test_a_document_that_is_too_old_is_made_anew_once(source, mode, attempts, operation):
    client = attested_kms_client(source, session=SESSION, config=settings(mode, attempts))
    kms = FakeKms(client, TOO_OLD, sealed())
    assert call(client, operation)[OPERATIONS[operation][1]] == SECRET
    assert kms.documents == source.documents
    assert len(set(source.documents)) == 2
    first, second = ({k: v for k, v in request.items() if k != "Recipient"} for request in kms.requests)
    assert first == second


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_two_documents_that_are_too_old_are_an_error(source, mode):
    client = attested_kms_client(source, session=SESSION, config=settings(mode))
    kms = FakeKms(client, TOO_OLD)
    refused_by_kms("ValidationException", client)
    assert (len(kms.requests), len(set(source.documents))) == (2, 2)


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_what_botocore_sends_again_has_the_same_document_until_kms_finds_it_too_old(source, mode, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    client = attested_kms_client(source, session=SESSION, config=settings(mode, 5))
    kms = FakeKms(client, BUSY, TOO_OLD, BUSY, sealed())
    assert call(client)["Plaintext"] == SECRET
    first, second = source.documents
    assert kms.documents == [first, first, second, second]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize(
    "answer",
    [
        DENIED,
        (400, {"__type": "ValidationException", "message": "something else"}),
        (400, {"__type": "DryRunOperationException", "message": "it would have"}),
    ],
)
def test_nothing_else_is_tried_twice(source, mode, answer):
    client = attested_kms_client(source, session=SESSION, config=settings(mode))
    kms = FakeKms(client, answer)
    refused_by_kms(answer[1]["__type"], client)
    assert (len(kms.requests), len(source.documents)) == (1, 1)


def test_a_tpm_that_fails_at_the_second_document_is_what_the_caller_hears_of(source, client):
    FakeKms(client, TOO_OLD)
    genuine, source_calls = source.attest, []

    def once(**fields):
        if source_calls:
            raise TpmFault("tpm.busy", "in use")
        source_calls.append(fields)
        return genuine(**fields)

    source.attest = once
    with pytest.raises(TpmFault):
        call(client)


def test_the_next_call_may_be_refreshed_again(source, client):
    FakeKms(client, TOO_OLD, sealed(), TOO_OLD, sealed())
    assert [call(client)["Plaintext"] for _ in range(2)] == [SECRET, SECRET]
    assert len(source.documents) == 4


# Everything else is boto3's


def test_other_operations_pass_untouched(client, source):
    kms = FakeKms(client, (200, {"KeyId": KEY_ARN, "CiphertextBlob": text(b"blob")}))
    assert client.encrypt(KeyId=KEY_ARN, Plaintext=b"p")["CiphertextBlob"] == b"blob"
    made = client.generate_data_key_without_plaintext(KeyId=KEY_ARN, KeySpec="AES_256")
    assert made["CiphertextBlob"] == b"blob"
    assert [set(request) for request in kms.requests] == [{"KeyId", "Plaintext"}, {"KeyId", "KeySpec"}]
    assert source.documents == []


def test_paginators_pass_untouched(client, source):
    FakeKms(
        client,
        (200, {"Keys": [{"KeyId": "a"}], "Truncated": True, "NextMarker": "m"}),
        (200, {"Keys": [{"KeyId": "b"}], "Truncated": False}),
    )
    pages = client.get_paginator("list_keys").paginate()
    assert [key["KeyId"] for page in pages for key in page["Keys"]] == ["a", "b"]
    assert source.documents == []


def test_botocores_own_stubs_are_looked_at_too(client):
    with Stubber(client) as stub:
        stub.add_response("decrypt", {"KeyId": KEY_ARN, "Plaintext": b"plain"})
        refused("kms.plaintext-in-reply", client)


def test_several_threads_share_a_client_and_each_gets_its_own_secret(client, source):
    def mirrored(request):
        return sealed(base64.b64decode(request["CiphertextBlob"]))(request)

    FakeKms(client, mirrored)
    secrets = [f"secret {number}".encode() for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda blob: call(client, CiphertextBlob=blob)["Plaintext"], secrets))
    assert found == secrets
    assert len(set(source.documents)) == len(secrets)


@pytest.mark.attack("K11")
def test_an_envelope_of_anybody_opens_which_is_what_tls_and_commitments_are_for(client):
    """The limit that the documentation states: whoever answers for KMS can choose the secret."""
    FakeKms(client, sealed(b"chosen by somebody else"))
    assert call(client)["Plaintext"] == b"chosen by somebody else"
