# SPDX-License-Identifier: Apache-2.0
"""The twin's KMS as boto3 sees it: what it gives, and each error by AWS's name."""

import base64
import json
import urllib.request
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from tests.twin_world import CONTEXT, CUSTOMER, RECIPIENT, RSA_OAEP, SECRET, VENDOR, client, small_pe, small_uki

from strongroom.crypto.key_transport import RecipientKey
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.firmware import Firmware

DELEGATING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Everybody",
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in (VENDOR, CUSTOMER)]},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)


@pytest.fixture
def open_key(world):
    """A new key that both accounts may use."""
    return world.kms(world.vendor).create_key(Policy=DELEGATING)["KeyMetadata"]["Arn"]


def refused(code, call, *arguments, **parameters):
    """Call, expect the error, and return its message."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


# --- attested calls ---------------------------------------------------------------------------------------------------


def test_an_allowed_instance_gets_the_key_sealed_to_its_document_and_nothing_in_clear(world):
    reply = world.decrypt(Recipient=world.recipient())
    assert RECIPIENT.unwrap(reply["CiphertextForRecipient"]) == SECRET
    assert not reply["Plaintext"]
    assert reply["KeyId"] == world.key_arn
    assert "KeyMaterialId" not in reply


def test_the_wire_has_no_plaintext_either(world):
    kms = world.kms()
    seen = []
    kms.meta.events.register("after-call.kms", lambda http_response, **_: seen.append(http_response.content))
    call = {"CiphertextBlob": world.blob, "KeyId": world.key_arn, "EncryptionContext": CONTEXT}
    kms.decrypt(**call, Recipient=world.recipient())
    assert json.loads(seen[0])["Plaintext"] == ""
    assert base64.b64encode(SECRET) not in seen[0]


@pytest.mark.attack("A8")
def test_the_same_document_is_accepted_again_as_by_aws(world):
    recipient = world.recipient()
    for _ in range(2):
        assert world.decrypt(Recipient=recipient)["CiphertextForRecipient"]


@pytest.mark.attack("K1")
def test_without_a_document_the_same_caller_gets_nothing(world):
    message = refused("AccessDeniedException", world.decrypt)
    assert message == (
        f"User: arn:aws:iam::{CUSTOMER}:user/admin is not authorized to perform: kms:Decrypt on resource: "
        f"{world.key_arn} with an explicit deny in a resource-based policy"
    )


@pytest.mark.parametrize(
    ("firmware", "pcr"),
    [
        pytest.param(Firmware(load_options="init=/bin/sh"), 12, marks=pytest.mark.attack("B1")),
        pytest.param(Firmware(drivers=(small_pe((".text", b"driver")),)), 2, marks=pytest.mark.attack("B20")),
        pytest.param(Firmware(extensions={"evil.raw": b"x"}), 13, marks=pytest.mark.attack("B3")),
        pytest.param(Firmware(loaders=(small_pe((".text", b"x")),)), 4, marks=pytest.mark.attack("B6")),
    ],
)
def test_another_boot_state_is_denied_and_the_record_names_the_pcr(world, firmware, pcr):
    instance = world.launch(firmware=firmware)
    refused("AccessDeniedException", world.decrypt, Recipient=world.recipient(instance))
    record = world.twin.kms.decisions[-1]
    assert record.failed_pcrs == (pcr,)
    assert record.statement == f"Gate{pcr}"
    assert record.outcome == "explicitly denied"
    assert record.decided_by == "key policy"
    assert record.module_id == instance.module_id


@pytest.mark.attack("B8")
def test_a_legacy_boot_with_a_copied_pcr4_is_denied(world):
    events = [event for event in world.instance.events if event.pcr == 4]
    firmware = Firmware(legacy_bios=True, software_extends=tuple((4, event.digest) for event in events))
    instance = world.launch(firmware=firmware)
    refused("AccessDeniedException", world.decrypt, Recipient=world.recipient(instance))
    assert world.twin.kms.decisions[-1].failed_pcrs == (2,)


def test_another_image_is_denied(world):
    other = world.launch(small_uki(cmdline="root=/dev/sda"))
    refused("AccessDeniedException", world.decrypt, Recipient=world.recipient(other))


def test_without_the_deny_statements_the_missing_allow_names_the_pcr(world, open_key):
    policy = json.loads(DELEGATING)
    pcr12 = "kms:RecipientAttestation:NitroTPMPCR12"
    policy["Statement"].append(
        {
            "Sid": "Open",
            "Effect": "Allow",
            "Principal": {"AWS": CUSTOMER},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEqualsIgnoreCase": {pcr12: "0" * 96}},
        }
    )
    policy["Statement"][0]["Principal"] = {"AWS": VENDOR}
    vendor = world.kms(world.vendor)
    blob = vendor.encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"]
    vendor.put_key_policy(KeyId=open_key, Policy=json.dumps(policy))
    instance = world.launch(firmware=Firmware(load_options="quiet"))
    call = {"CiphertextBlob": blob, "KeyId": open_key, "Recipient": world.recipient(instance)}
    message = refused("AccessDeniedException", world.kms().decrypt, **call)
    assert message.endswith("because no resource-based policy allows the kms:Decrypt action")
    assert world.twin.kms.decisions[-1].failed_pcrs == (12,)


def test_other_operations_seal_their_answer_too(world, open_key):
    recipient = world.recipient()
    made = world.kms().generate_data_key(KeyId=open_key, KeySpec="AES_256", Recipient=recipient)
    data_key = RECIPIENT.unwrap(made["CiphertextForRecipient"])
    assert not made["Plaintext"]
    assert world.kms().decrypt(KeyId=open_key, CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == data_key
    random = world.kms().generate_random(NumberOfBytes=24, Recipient=recipient)
    assert not random["Plaintext"]
    assert len(RECIPIENT.unwrap(random["CiphertextForRecipient"])) == 24


# --- documents --------------------------------------------------------------------------------------------------------


def with_document(world, document, **changes):
    recipient = {"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document} | changes
    return refused("ValidationException", world.decrypt, Recipient=recipient)


@pytest.mark.parametrize("age", [timedelta(seconds=1), timedelta(minutes=4, seconds=55)])
def test_a_young_document_is_accepted(world, age):
    instance = world.launch()
    instance.document_age = age
    assert world.decrypt(Recipient=world.recipient(instance))["CiphertextForRecipient"]


@pytest.mark.attack("A3")
@pytest.mark.parametrize("age", [timedelta(minutes=5, milliseconds=2), timedelta(minutes=6), timedelta(hours=2)])
def test_a_document_older_than_five_minutes_is_refused(world, age):
    instance = world.launch()
    instance.document_age = age
    document = instance.attest(public_key=RECIPIENT.public_key)
    assert "exceeded the five-minute age limit" in with_document(world, document)


@pytest.mark.parametrize("age", [timedelta(hours=3, minutes=1), timedelta(minutes=-2)])
def test_a_document_outside_its_certificates_time_is_refused(world, age):
    instance = world.launch()
    instance.document_age = age
    assert "cannot parse" in with_document(world, instance.attest(public_key=RECIPIENT.public_key))


def test_random_bytes_and_a_flipped_bit_are_refused(world):
    assert "cannot parse the attestation document" in with_document(world, b"random bytes")
    document = bytearray(world.instance.attest(public_key=RECIPIENT.public_key))
    document[-1] ^= 1
    assert "cannot parse the attestation document" in with_document(world, bytes(document))


@pytest.mark.attack("A11")
def test_an_enclave_document_is_refused(world, genuine_vectors):
    document = next((genuine_vectors / "documents").glob("enclave-marlinprotocol-*-7b0ca130.cbor")).read_bytes()
    assert "Enclaves" in with_document(world, document)


@pytest.mark.attack("A5")
def test_a_document_of_another_root_is_refused(world, genuine_vectors):
    document = next((genuine_vectors / "documents").glob("nitrotpm-*.cbor")).read_bytes()
    assert "root" in with_document(world, document)


@pytest.mark.attack("A15")
def test_a_document_without_an_rsa_key_never_gives_plaintext(world):
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    assert "no public key" in with_document(world, world.instance.attest())
    for private in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)):
        spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert "public key" in with_document(world, world.instance.attest(public_key=spki))
    assert "public key" in with_document(world, world.instance.attest(public_key=b"no key"))


def test_another_key_encryption_algorithm_is_refused(world):
    document = world.instance.attest(public_key=RECIPIENT.public_key)
    assert RSA_OAEP in with_document(world, document, KeyEncryptionAlgorithm="RSAES_PKCS1_V1_5")


def test_the_answer_opens_with_the_documents_key_only(world):
    from strongroom.errors import NotAuthentic

    reply = world.decrypt(Recipient=world.recipient())
    with pytest.raises(NotAuthentic):
        RecipientKey.generate().unwrap(reply["CiphertextForRecipient"])


# --- keys, contexts, accounts -----------------------------------------------------------------------------------------


def test_encrypt_and_decrypt_agree_on_the_exact_context(world, open_key):
    kms = world.kms()
    blob = kms.encrypt(KeyId=open_key, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    assert kms.decrypt(KeyId=open_key, CiphertextBlob=blob, EncryptionContext={"a": "1"})["Plaintext"] == b"x"
    for context in ({}, {"a": "2"}, {"A": "1"}, {"a": "1", "b": "2"}):
        message = refused(
            "InvalidCiphertextException",
            kms.decrypt,
            KeyId=open_key,
            CiphertextBlob=blob,
            EncryptionContext=context,
        )
        assert message == ""


def test_a_changed_or_foreign_ciphertext_is_refused(world, open_key):
    kms = world.kms()
    blob = bytearray(kms.encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"])
    blob[-1] ^= 1
    for data in (bytes(blob), b"short", bytes(100)):
        refused("InvalidCiphertextException", kms.decrypt, KeyId=open_key, CiphertextBlob=data)
    refused("InvalidCiphertextException", world.kms(world.vendor).decrypt, CiphertextBlob=b"short")


@pytest.mark.attack("K7")
def test_a_blob_of_another_key_is_the_incorrect_key(world, open_key):
    refused("IncorrectKeyException", world.kms().decrypt, KeyId=open_key, CiphertextBlob=world.blob)


@pytest.mark.attack("K7")
def test_a_blob_of_another_tenant_needs_another_context_and_the_policy_refuses_it(world):
    other = {**CONTEXT, "strongroom:tenant": "umbrella"}
    blob = world.kms(world.vendor).encrypt(KeyId=world.key_arn, Plaintext=b"x", EncryptionContext=other)
    call = {"CiphertextBlob": blob["CiphertextBlob"], "Recipient": world.recipient()}
    refused("AccessDeniedException", world.decrypt, **call, EncryptionContext=other)
    refused("InvalidCiphertextException", world.decrypt, **call)


def test_a_key_is_found_by_its_id_its_arn_and_its_aliases_in_its_own_account(world, open_key):
    vendor = world.kms(world.vendor)
    vendor.create_alias(AliasName="alias/found", TargetKeyId=open_key)
    alias_arn = open_key.rpartition("key/")[0] + "alias/found"
    for identifier in (open_key, open_key.rpartition("/")[2], "alias/found", alias_arn):
        assert vendor.describe_key(KeyId=identifier)["KeyMetadata"]["Arn"] == open_key


def test_another_account_must_name_the_key_by_an_arn(world, open_key):
    world.kms(world.vendor).create_alias(AliasName="alias/shared", TargetKeyId=open_key)
    alias_arn = open_key.rpartition("key/")[0] + "alias/shared"
    for identifier in (open_key, alias_arn):
        assert world.kms().encrypt(KeyId=identifier, Plaintext=b"x")["KeyId"] == open_key
    for identifier in (open_key.rpartition("/")[2], "alias/shared"):
        refused("NotFoundException", world.kms().encrypt, KeyId=identifier, Plaintext=b"x")


def test_another_account_needs_its_own_permission_too(world, open_key):
    user = world.twin.create_user(CUSTOMER, "powerless", policies=[])
    message = refused("AccessDeniedException", world.kms(user).encrypt, KeyId=open_key, Plaintext=b"x")
    assert message.endswith("because no identity-based policy allows the kms:Encrypt action")


def test_a_ciphertext_alone_does_not_tell_another_account_whether_its_key_exists(world):
    kept = world.kms(world.vendor).create_key()["KeyMetadata"]["Arn"]
    blob = world.kms(world.vendor).encrypt(KeyId=kept, Plaintext=b"x")["CiphertextBlob"]
    unknown = bytearray(blob)
    unknown[5] ^= 1
    messages = {refused("AccessDeniedException", world.kms().decrypt, CiphertextBlob=b) for b in (blob, bytes(unknown))}
    assert len(messages) == 1
    assert "on the resource associated with this ciphertext because the resource does not exist" in messages.pop()


@pytest.mark.parametrize("identifier", ["nonsense", "alias/none", "0" * 8 + "-0000-0000-0000-" + "0" * 12])
def test_what_does_not_exist_is_not_found(world, identifier):
    refused("NotFoundException", world.kms().describe_key, KeyId=identifier)


def test_an_alias_that_does_not_exist_is_named_by_its_arn(world):
    message = refused("NotFoundException", world.kms().describe_key, KeyId="alias/none")
    assert message == f"Alias arn:aws:kms:eu-central-1:{CUSTOMER}:alias/none is not found."


def test_a_key_of_another_region_is_not_found(world):
    elsewhere = world.kms(world.vendor, region="us-west-2")
    assert "Invalid arn" in refused("NotFoundException", elsewhere.describe_key, KeyId=world.key_arn)
    call = {"CiphertextBlob": world.blob, "EncryptionContext": CONTEXT}
    refused("AccessDeniedException", elsewhere.decrypt, **call)


def test_disabled_and_deleted_keys_say_so(world, open_key):
    kms = world.kms(world.vendor)
    blob = kms.encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=open_key)
    assert not kms.describe_key(KeyId=open_key)["KeyMetadata"]["Enabled"]
    refused("DisabledException", kms.decrypt, CiphertextBlob=blob)
    kms.enable_key(KeyId=open_key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.schedule_key_deletion(KeyId=open_key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=open_key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        refused("KMSInvalidStateException", call, KeyId=open_key)
    refused("KMSInvalidStateException", kms.encrypt, KeyId=open_key, Plaintext=b"x")


def test_an_alias_exists_once_and_has_a_proper_name(world, open_key):
    kms = world.kms(world.vendor)
    kms.create_alias(AliasName="alias/once", TargetKeyId=open_key)
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/once", TargetKeyId=open_key)
    for name in ("no-prefix", "alias/aws/reserved"):
        refused("InvalidAliasNameException", kms.create_alias, AliasName=name, TargetKeyId=open_key)


# --- policies ---------------------------------------------------------------------------------------------------------


def test_a_policy_comes_back_as_it_was_put(world, open_key):
    kms = world.kms(world.vendor)
    assert json.loads(kms.get_key_policy(KeyId=open_key)["Policy"]) == json.loads(DELEGATING)
    refused("NotFoundException", kms.get_key_policy, KeyId=open_key, PolicyName="other")
    refused("NotFoundException", kms.put_key_policy, KeyId=open_key, PolicyName="other", Policy=DELEGATING)


@pytest.mark.parametrize(
    "policy",
    ["no JSON", "{}", DELEGATING.replace(CUSTOMER + ":root", CUSTOMER + ":role/nobody"), DELEGATING.replace("*", "x")],
)
def test_a_malformed_policy_is_refused_and_the_old_one_stays(world, open_key, policy):
    kms = world.kms(world.vendor)
    refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=open_key, Policy=policy)
    assert json.loads(kms.get_key_policy(KeyId=open_key)["Policy"]) == json.loads(DELEGATING)


def test_a_policy_that_locks_the_caller_out_is_refused_unless_he_insists(world, open_key):
    kms = world.kms(world.vendor)
    lockout = DELEGATING.replace("kms:*", "kms:Decrypt")
    message = refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=open_key, Policy=lockout)
    assert "will not allow you to update the key policy in the future" in message
    kms.put_key_policy(KeyId=open_key, Policy=lockout, BypassPolicyLockoutSafetyCheck=True)
    refused("AccessDeniedException", kms.put_key_policy, KeyId=open_key, Policy=DELEGATING)


@pytest.mark.attack("K26")
def test_a_role_that_is_made_anew_is_another_principal(world):
    world.twin.create_role(VENDOR, "opener", policies=[])
    policy = json.loads(DELEGATING)
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:role/opener"},
            "Action": "kms:Encrypt",
            "Resource": "*",
        }
    )
    arn = world.kms(world.vendor).create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]

    def session():
        role = world.twin.directory.role(VENDOR, "opener")
        return world.twin.directory.open_session(role, session_name="s", now=world.twin.clock.now())

    assert world.kms(session()).encrypt(KeyId=arn, Plaintext=b"x")["KeyId"] == arn
    world.twin.create_role(VENDOR, "opener", policies=[])
    refused("AccessDeniedException", world.kms(session()).encrypt, KeyId=arn, Plaintext=b"x")


def test_a_key_without_a_policy_of_its_own_belongs_to_its_account(world):
    arn = world.kms(world.vendor).create_key(Description="plain")["KeyMetadata"]["Arn"]
    assert world.kms(world.vendor).encrypt(KeyId=arn, Plaintext=b"x")["KeyId"] == arn
    refused("AccessDeniedException", world.kms().encrypt, KeyId=arn, Plaintext=b"x")


def test_operations_without_a_key_ask_the_identity_policies(world):
    user = world.twin.create_user(VENDOR, "idle", policies=[])
    assert "resource: *" in refused("AccessDeniedException", world.kms(user).create_key)
    refused("AccessDeniedException", world.kms(user).generate_random, NumberOfBytes=8)
    assert len(world.kms().generate_random(NumberOfBytes=8)["Plaintext"]) == 8


@pytest.mark.parametrize(
    "parameters",
    [
        {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
        {"Origin": "EXTERNAL"},
        {"Origin": "AWS_CLOUDHSM"},
        {"MultiRegion": True},
    ],
)
def test_keys_of_other_kinds_are_refused_by_name(world, parameters):
    refused("UnsupportedOperationException", world.kms(world.vendor).create_key, **parameters)


# --- parameters -------------------------------------------------------------------------------------------------------


def test_dry_runs_end_before_anything_happens(world, open_key):
    kms = world.kms()
    blob = kms.encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"]
    refused("DryRunOperationException", kms.encrypt, KeyId=open_key, Plaintext=b"x", DryRun=True)
    refused("DryRunOperationException", kms.decrypt, KeyId=open_key, CiphertextBlob=blob, DryRun=True)
    refused("DryRunOperationException", kms.generate_data_key, KeyId=open_key, KeySpec="AES_256", DryRun=True)
    refused("AccessDeniedException", world.kms().encrypt, KeyId=world.key_arn, Plaintext=b"x", DryRun=True)


@pytest.mark.parametrize("parameters", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 8}])
def test_a_data_key_has_one_size(world, open_key, parameters):
    refused("ValidationException", world.kms().generate_data_key, KeyId=open_key, **parameters)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"no JSON", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"KeyId": 1}', "ValidationException"),
        (b'{"KeyId": ""}', "ValidationException"),
        (b'{"GrantTokens": "x"}', "ValidationException"),
        (b'{"Plaintext": "!"}', "SerializationException"),
        (b'{"Plaintext": "AA==", "KeyId": "x", "EncryptionContext": {"a": 1}}', "ValidationException"),
        (b'{"Plaintext": "AA==", "EncryptionContext": []}', "ValidationException"),
    ],
)
def test_bodies_that_no_client_sends_are_refused(world, body, name):
    reply = signed_post(world, "TrentService.Encrypt", body)
    assert reply["__type"] == name


@pytest.mark.parametrize("recipient", [1, {}, {"KeyEncryptionAlgorithm": RSA_OAEP}])
def test_malformed_recipients_are_refused(world, recipient):
    body = {"CiphertextBlob": base64.b64encode(world.blob).decode(), "Recipient": recipient}
    assert signed_post(world, "TrentService.Decrypt", json.dumps(body).encode())["__type"] == "ValidationException"


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("GenerateRandom", {"NumberOfBytes": 0}),
        ("GenerateRandom", {"NumberOfBytes": 1025}),
        ("GenerateRandom", {"NumberOfBytes": True}),
        ("GenerateRandom", {}),
        ("CreateKey", {"MultiRegion": "yes"}),
        ("Encrypt", {"Plaintext": base64.b64encode(bytes(4097)).decode()}),
        ("GenerateDataKey", {"KeySpec": "AES_512"}),
    ],
)
def test_values_outside_the_model_are_refused(world, target, body):
    reply = signed_post(world, f"TrentService.{target}", json.dumps(body).encode(), who=world.vendor)
    assert reply["__type"] == "ValidationException"


def test_another_encryption_algorithm_is_not_this_keys(world, open_key):
    call = {"KeyId": open_key, "Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    refused("InvalidKeyUsageException", world.kms().encrypt, **call)
    blob = world.kms().encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"]
    call = {"CiphertextBlob": blob, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    refused("InvalidKeyUsageException", world.kms().decrypt, KeyId=open_key, **call)


@pytest.mark.parametrize(
    "members",
    [
        {"Plaintext": base64.b64encode(bytes(4097)).decode()},
        {"EncryptionContext": ["a"]},
        {"EncryptionContext": {"": "a"}},
        {"EncryptionContext": {str(number): "a" for number in range(65)}},
        {"EncryptionContext": {"a": "1", "A": "2"}},
        {"KeyId": ""},
        {"KeyId": "x" * 2049},
    ],
)
def test_each_member_of_an_otherwise_good_call_has_its_limits(world, open_key, members):
    good = {"KeyId": open_key, "Plaintext": "AA=="}
    assert "CiphertextBlob" in signed_post(world, "TrentService.Encrypt", json.dumps(good).encode())
    reply = signed_post(world, "TrentService.Encrypt", json.dumps(good | members).encode())
    assert reply["__type"] == "ValidationException"


def signed_post(world, target, body, *, who=None):
    """Sign any body at all with botocore, and return the JSON reply."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    who = who or world.customer
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    url = world.twin.endpoint_url + "/"
    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(Credentials(who.access_key_id, who.secret_access_key), "kms", world.twin.region).add_auth(request)
    plain = urllib.request.Request(url, data=body, headers=dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(plain) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return json.loads(error.read())


# --- records ----------------------------------------------------------------------------------------------------------


def test_an_allowed_call_is_recorded_as_cloudtrail_shows_it(world):
    world.decrypt(Recipient=world.recipient())
    record = world.twin.kms.decisions[-1]
    assert (record.outcome, record.statement, record.failed_pcrs) == ("allowed", "Open", ())
    event = record.cloudtrail()
    assert event["eventName"] == "Decrypt"
    assert event["requestParameters"] == {
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": CONTEXT,
        "keyId": world.key_arn,
    }
    recipient = event["additionalEventData"]["recipient"]
    assert recipient["attestationDocumentModuleId"] == world.instance.module_id
    assert recipient["attestationDocumentNitroTPMPCR4"] == world.instance.pcrs[4].hex()
    assert "attestationDocumentNitroTPMPCR12" not in recipient


def test_a_refused_call_is_recorded_without_the_recipient_as_in_cloudtrail(world):
    refused("AccessDeniedException", world.decrypt)
    event = world.twin.kms.decisions[-1].cloudtrail()
    assert event["errorCode"] == "AccessDenied"
    assert event["errorMessage"].endswith("with an explicit deny in a resource-based policy")
    assert "additionalEventData" not in event


def test_an_error_that_no_policy_made_is_recorded_as_an_error(world, open_key):
    refused("IncorrectKeyException", world.kms().decrypt, KeyId=open_key, CiphertextBlob=world.blob)
    assert world.twin.kms.decisions[-1].outcome == "error"


def test_no_record_holds_the_secret(world):
    world.decrypt(Recipient=world.recipient())
    assert repr(SECRET) not in repr(world.twin.kms.decisions)


def test_the_log_keeps_the_latest(world, monkeypatch):
    from strongroom.twin.kms import decisions

    monkeypatch.setattr(decisions, "MAX_RECORDS", 2)
    log = decisions.DecisionLog()
    world.kms().generate_random(NumberOfBytes=8)
    record = world.twin.kms.decisions[-1]
    newer = [replace(record, event_id=str(number)) for number in range(3)]
    for each in newer:
        log.append(each)
    assert log.records() == tuple(newer[1:])


@pytest.mark.attack("K21")
def test_instances_of_other_accounts_do_not_open_even_with_the_golden_boot(world):
    """PCRs name code, not the tenant."""
    third = world.twin.create_account("333333333333", name="third")
    thief = world.twin.create_user(third, "thief", policies=[FULL_ACCESS])
    world.twin.create_role(third, "app", policies=[FULL_ACCESS])
    instance = world.twin.launch(world.image, account=third, role="app")
    recipient = world.recipient(instance)
    assert instance.pcrs[4] == world.instance.pcrs[4]
    refused("AccessDeniedException", world.decrypt, thief, Recipient=recipient)


def test_two_services_share_the_endpoint_and_others_are_named_unknown(world):
    assert client(world.twin, "sts", world.customer).get_caller_identity()["Account"] == CUSTOMER
    message = refused("UnknownOperationException", client(world.twin, "dynamodb", world.customer).list_tables)
    assert "ec2, iam, kms, s3, ssm, sts" in message
