# SPDX-License-Identifier: Apache-2.0
"""What CloudTrail shows of KMS calls: the shapes of the KMS Developer Guide's examples, for each account its own."""

import json

import pytest
from tests.kms_calls import CUSTOMER, VENDOR, Caller
from tests.twin_world import RECIPIENT, RSA_OAEP

from strongroom.twin.accounts import FULL_ACCESS, PrincipalKind

PLAIN = b"a plaintext that nobody may see"


def shared_policy(*actions):
    owner = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:*", "Resource": "*"}
    other = {"Effect": "Allow", "Principal": {"AWS": CUSTOMER}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [owner, other]})


def last(cloud, account=VENDOR):
    return cloud.kms.events(account)[-1]


def test_a_call_of_a_user_is_shown_in_full(cloud, vendor):
    key = vendor.new_key()
    vendor("Encrypt", KeyId=key, Plaintext=PLAIN, EncryptionContext={"Department": "Engineering"})
    event = last(cloud)
    identity = event["userIdentity"]
    assert identity == {
        "type": "IAMUser",
        "principalId": identity["principalId"],
        "arn": f"arn:aws:iam::{VENDOR}:user/release",
        "accountId": VENDOR,
        "accessKeyId": identity["accessKeyId"],
        "userName": "release",
    }
    assert identity["principalId"].startswith("AIDA")
    assert identity["accessKeyId"].startswith("AKIA")
    assert event == {
        "eventVersion": "1.11",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "eventTime": f"{cloud.kms.decisions[-1].time:%Y-%m-%dT%H:%M:%SZ}",
        "eventID": cloud.kms.decisions[-1].event_id,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "managementEvent": True,
        "awsRegion": "eu-central-1",
        "userIdentity": identity,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "tests",
        "requestParameters": {
            "encryptionContext": {"Department": "Engineering"},
            "keyId": key,
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        },
        "responseElements": None,
        "requestID": event["requestID"],
        "readOnly": True,
        "resources": [{"accountId": VENDOR, "type": "AWS::KMS::Key", "ARN": key}],
        "recipientAccountId": VENDOR,
    }


def test_a_call_of_a_role_names_the_session_and_its_issuer(cloud):
    role = cloud.directory.create_principal(VENDOR, PrincipalKind.ROLE, "app", policies=[FULL_ACCESS])
    session = cloud.directory.open_session(role, session_name="i-1", now=cloud.clock.now())
    Caller(cloud.kms, session)("GenerateRandom", NumberOfBytes=8)
    event = last(cloud)
    assert (event["requestParameters"], event["resources"]) == (None, [])
    assert event["userIdentity"]["type"] == "AssumedRole"
    assert event["userIdentity"]["principalId"] == f"{role.unique_id}:i-1"
    assert event["userIdentity"]["arn"] == f"arn:aws:sts::{VENDOR}:assumed-role/app/i-1"
    context = event["userIdentity"]["sessionContext"]
    assert context["attributes"]["mfaAuthenticated"] == "false"
    assert context["sessionIssuer"] == {
        "type": "Role",
        "principalId": role.unique_id,
        "arn": f"arn:aws:iam::{VENDOR}:role/app",
        "accountId": VENDOR,
        "userName": "app",
    }


def test_a_new_key_is_shown_with_its_metadata_and_what_it_was_made_with(cloud, vendor):
    key = vendor.new_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Tags=[{"TagKey": "a", "TagValue": "b"}])
    event = last(cloud)
    assert event["requestParameters"] == {
        "description": "",
        "keyUsage": "SIGN_VERIFY",
        "origin": "AWS_KMS",
        "bypassPolicyLockoutSafetyCheck": False,
        "multiRegion": False,
        "keySpec": "RSA_2048",
        "customerMasterKeySpec": "RSA_2048",
        "tags": [{"tagKey": "a", "tagValue": "b"}],
    }
    metadata = event["responseElements"]["keyMetadata"]
    assert (metadata["arn"], metadata["aWSAccountId"], metadata["keyState"]) == (key, VENDOR, "Enabled")
    assert metadata["creationDate"].endswith("M")
    assert event["readOnly"] is False


def test_a_grant_is_shown_without_its_token_and_with_its_key(cloud, vendor):
    key = vendor.new_key()
    constraints = {"EncryptionContextSubset": {"ContextKey1": "Value1"}}
    parameters = {"GranteePrincipal": VENDOR, "Operations": ["Encrypt", "RetireGrant"], "Constraints": constraints}
    made = vendor("CreateGrant", KeyId=key, **parameters)
    event = last(cloud)
    assert event["responseElements"] == {"grantId": made["GrantId"], "keyId": key}
    assert event["requestParameters"] == {
        "keyId": key,
        "constraints": {"encryptionContextSubset": {"ContextKey1": "Value1"}},
        "operations": ["Encrypt", "RetireGrant"],
        "granteePrincipal": VENDOR,
    }
    vendor("RetireGrant", GrantToken=made["GrantToken"])
    event = last(cloud)
    assert (event["requestParameters"], event["responseElements"]) == (None, None)
    assert event["additionalEventData"] == {"grantId": made["GrantId"]}
    assert [each["ARN"] for each in event["resources"]] == [key]


def test_aliases_and_re_encryption_are_about_two_resources(cloud, vendor):
    key, other = vendor.new_key(), vendor.new_key()
    vendor("CreateAlias", AliasName="alias/a", TargetKeyId=key)
    event = last(cloud)
    assert event["requestParameters"] == {"aliasName": "alias/a", "targetKeyId": key}
    assert [each["ARN"].rpartition(":")[2] for each in event["resources"]] == [key.rpartition(":")[2], "alias/a"]
    blob = vendor("Encrypt", KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    destination = {"DestinationKeyId": other, "DestinationEncryptionContext": {"Level": "3A"}}
    vendor("ReEncrypt", CiphertextBlob=blob, **destination)
    event = last(cloud)
    assert [each["ARN"] for each in event["resources"]] == [key, other]
    assert event["requestParameters"] == {
        "sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "destinationKeyId": other,
        "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "destinationEncryptionContext": {"Level": "3A"},
    }


def test_a_deletion_that_is_planned_shows_its_date(cloud, vendor):
    key = vendor.new_key()
    vendor("ScheduleKeyDeletion", KeyId=key)
    event = last(cloud)
    assert event["requestParameters"] == {"keyId": key, "pendingWindowInDays": 30}
    told = event["responseElements"]
    assert (told["keyId"], told["keyState"], told["pendingWindowInDays"]) == (key, "PendingDeletion", 30)
    assert told["deletionDate"].endswith("M")


def test_an_error_is_shown_under_its_name_and_a_denial_as_access_denied(cloud, vendor):
    key, other = vendor.new_key(), vendor.new_key()
    blob = vendor("Encrypt", KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    message = vendor.refused("IncorrectKeyException", "Decrypt", CiphertextBlob=blob, KeyId=other)
    event = last(cloud)
    assert (event["errorCode"], event["errorMessage"]) == ("IncorrectKeyException", message)
    assert event["responseElements"] is None
    wrong = {"CiphertextBlob": blob, "KeyId": key, "EncryptionContext": {"a": "b"}}
    vendor.refused("InvalidCiphertextException", "Decrypt", **wrong)
    assert "errorMessage" not in last(cloud)
    powerless = cloud.user(VENDOR, "powerless")
    message = powerless.refused("AccessDeniedException", "DescribeKey", KeyId=key)
    assert (last(cloud)["errorCode"], last(cloud)["errorMessage"]) == ("AccessDenied", message)


def test_a_call_on_another_accounts_key_is_shown_to_both(cloud, vendor, customer):
    key = vendor.new_key(Policy=shared_policy("kms:Encrypt"))
    customer("Encrypt", KeyId=key, Plaintext=PLAIN)
    callers, owners = last(cloud, CUSTOMER), last(cloud, VENDOR)
    assert callers["userIdentity"]["arn"] == customer.arn
    assert owners["userIdentity"].keys() == {"type", "principalId", "accountId"}
    assert owners["userIdentity"]["type"] == "AWSAccount"
    assert owners["userIdentity"]["accountId"] == CUSTOMER
    assert (callers["recipientAccountId"], owners["recipientAccountId"]) == (CUSTOMER, VENDOR)
    assert callers["sharedEventID"] == owners["sharedEventID"]
    assert callers["eventID"] != owners["eventID"]


def test_an_account_sees_its_own_events_only(cloud, vendor, customer):
    vendor.new_key()
    before = cloud.kms.events(CUSTOMER)
    customer.new_key()
    assert len(cloud.kms.events(CUSTOMER)) == len(before) + 1
    assert {each["recipientAccountId"] for each in cloud.kms.events(CUSTOMER)} == {CUSTOMER}


def secrets_of(caller, key):
    """Make calls that carry secrets in and out; return what may be in no record."""
    sealed = caller("Encrypt", KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    caller("Decrypt", CiphertextBlob=sealed)
    data_key = caller("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    pair = caller("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    mac = {"KeyId": caller.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "MacAlgorithm": "HMAC_SHA_256"}
    made = caller("GenerateMac", **mac, Message=PLAIN)
    grant = caller("CreateGrant", KeyId=key, GranteePrincipal=VENDOR, Operations=["Encrypt"])
    caller("Encrypt", KeyId=key, Plaintext=PLAIN, GrantTokens=[grant["GrantToken"]])
    blobs = [PLAIN, sealed, data_key["Plaintext"], pair["PrivateKeyPlaintext"], made["Mac"]]
    return [*blobs, grant["GrantToken"].encode()]


def test_no_record_holds_a_secret(cloud, vendor):
    from base64 import b64encode

    secrets = secrets_of(vendor, vendor.new_key())
    shown = json.dumps(cloud.kms.events(VENDOR)) + repr(cloud.kms.decisions)
    for secret in secrets:
        assert b64encode(secret).decode() not in shown
        assert repr(secret) not in shown
        assert secret.decode("latin-1") not in shown


@pytest.mark.parametrize("operation", ["Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"])
def test_attested_calls_show_module_and_pcrs_and_never_the_document(world, operation):
    kms = Caller(world.twin.kms, world.vendor)
    key = kms.new_key()
    call = {
        "Decrypt": {"CiphertextBlob": kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateRandom": {"NumberOfBytes": 8},
    }[operation]
    document = world.instance.attest(public_key=RECIPIENT.public_key)
    kms(operation, **call, Recipient={"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document})
    event = world.twin.kms.events(VENDOR)[-1]
    recipient = event["additionalEventData"]["recipient"]
    shown = {f"attestationDocumentNitroTPMPCR{index}" for index in (4, 7, 8, 9, 16, 23)}
    assert recipient.keys() == {"attestationDocumentModuleId"} | shown
    assert recipient["attestationDocumentModuleId"] == world.instance.module_id
    assert recipient["attestationDocumentNitroTPMPCR4"] == world.instance.pcrs[4].hex()
    assert "recipient" not in (event["requestParameters"] or {})
