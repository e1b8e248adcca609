# SPDX-License-Identifier: Apache-2.0
"""What policies see of a call to the twin's KMS: parameters, the key, its aliases and tags, the caller's credentials.

Each case denies under one condition; the call that meets it is denied, the other one is answered.
"""

import json

import pytest
from tests.kms_calls import VENDOR, Caller

from strongroom.twin.accounts import FULL_ACCESS, PrincipalKind

ROOT = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
SIGNING = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
MESSAGE = {"Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}


def denying(operator, key, value):
    deny = {"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {operator: {key: value}}}
    return json.dumps({"Version": "2012-10-17", "Statement": [deny]})


def equals(key, value):
    return denying("StringEquals", key, value)


CASES = {
    "DataKeyPairSpec": (
        equals("kms:DataKeyPairSpec", "ECC_NIST_P256"),
        {},
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}, {"KeyPairSpec": "ECC_NIST_P384"}),
    ),
    "EncryptionAlgorithm": (
        equals("kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_1"),
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        (
            "Encrypt",
            {"Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
            {"Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        ),
    ),
    "MessageType": (
        equals("kms:MessageType", "DIGEST"),
        SIGNING,
        ("Sign", {**MESSAGE, "Message": bytes(32), "MessageType": "DIGEST"}, MESSAGE),
    ),
    "MessageType, its default": (
        equals("kms:MessageType", "RAW"),
        SIGNING,
        ("Sign", MESSAGE, {**MESSAGE, "Message": bytes(32), "MessageType": "DIGEST"}),
    ),
    "SigningAlgorithm": (
        equals("kms:SigningAlgorithm", "RSASSA_PSS_SHA_256"),
        SIGNING,
        ("Sign", MESSAGE, {**MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_512"}),
    ),
    "waiting period": (
        denying("NumericLessThan", "kms:ScheduleKeyDeletionPendingWindowInDays", "30"),
        {},
        ("ScheduleKeyDeletion", {"PendingWindowInDays": 29}, {}),
    ),
    "RotationPeriodInDays": (
        denying("NumericGreaterThan", "kms:RotationPeriodInDays", "365"),
        {},
        ("EnableKeyRotation", {"RotationPeriodInDays": 366}, {"RotationPeriodInDays": 365}),
    ),
    "TagKeys": (
        denying("ForAnyValue:StringEquals", "aws:TagKeys", "Owner"),
        {},
        (
            "TagResource",
            {"Tags": [{"TagKey": "Owner", "TagValue": "me"}]},
            {"Tags": [{"TagKey": "Colour", "TagValue": "red"}]},
        ),
    ),
    "TagKeys that go": (
        denying("ForAnyValue:StringEquals", "aws:TagKeys", "Owner"),
        {},
        ("UntagResource", {"TagKeys": ["Owner"]}, {"TagKeys": ["Colour"]}),
    ),
    "RequestTag": (
        equals("aws:RequestTag/Stage", "prod"),
        {},
        (
            "TagResource",
            {"Tags": [{"TagKey": "Stage", "TagValue": "prod"}]},
            {"Tags": [{"TagKey": "Stage", "TagValue": "test"}]},
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_conditions_see_the_parameters(cloud, vendor, case):
    policy, kind, (operation, denied, allowed) = CASES[case]
    user = cloud.user(VENDOR, "limited", FULL_ACCESS, policy)
    key = vendor.new_key(**kind)
    user.refused("AccessDeniedException", operation, KeyId=key, **denied)
    user(operation, KeyId=key, **allowed)


@pytest.mark.parametrize(
    ("policy", "denied", "allowed"),
    [
        (equals("kms:KeySpec", "RSA_2048"), SIGNING, {}),
        (equals("kms:KeyUsage", "SIGN_VERIFY"), SIGNING, {}),
        (equals("kms:KeyOrigin", "EXTERNAL"), {"Origin": "EXTERNAL"}, {}),
        (equals("aws:RequestTag/Stage", "prod"), {"Tags": [{"TagKey": "Stage", "TagValue": "prod"}]}, {}),
    ],
)
def test_conditions_see_the_key_that_is_to_be_made(cloud, policy, denied, allowed):
    user = cloud.user(VENDOR, "limited", FULL_ACCESS, policy)
    user.refused("AccessDeniedException", "CreateKey", **denied)
    user("CreateKey", **allowed)


def test_conditions_see_the_properties_of_the_key(cloud, vendor):
    tagged, plain = vendor.new_key(Tags=[{"TagKey": "Stage", "TagValue": "prod"}]), vendor.new_key()
    signing = vendor.new_key(**SIGNING)
    for policy, denied in (
        (equals("aws:ResourceTag/Stage", "prod"), tagged),
        (equals("kms:KeySpec", "RSA_2048"), signing),
        (equals("kms:KeyUsage", "SIGN_VERIFY"), signing),
    ):
        user = cloud.user(VENDOR, "limited", FULL_ACCESS, policy)
        user.refused("AccessDeniedException", "DescribeKey", KeyId=denied)
        user("DescribeKey", KeyId=plain)


def test_conditions_see_the_aliases_of_the_key_and_the_one_that_was_used(cloud, vendor):
    key = vendor.new_key()
    for name in ("alias/a", "alias/b"):
        vendor("CreateAlias", AliasName=name, TargetKeyId=key)
    used = cloud.user(VENDOR, "used", FULL_ACCESS, equals("kms:RequestAlias", "alias/a"))
    used.refused("AccessDeniedException", "Encrypt", KeyId="alias/a", Plaintext=b"x")
    used.refused("AccessDeniedException", "Encrypt", KeyId=f"{key.rpartition(':')[0]}:alias/a", Plaintext=b"x")
    for other in (key, "alias/b"):
        used("Encrypt", KeyId=other, Plaintext=b"x")
    owned = denying("ForAnyValue:StringEquals", "kms:ResourceAliases", "alias/a")
    user = cloud.user(VENDOR, "owned", FULL_ACCESS, owned)
    user.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")
    vendor("DeleteAlias", AliasName="alias/a")
    user("Encrypt", KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize("side", ["ReEncryptFrom", "ReEncryptTo"])
@pytest.mark.parametrize("same", [True, False])
def test_conditions_see_whether_a_re_encryption_stays_with_its_key(cloud, vendor, side, same):
    deny = {"Effect": "Deny", "Action": f"kms:{side}", "Resource": "*"}
    deny["Condition"] = {"Bool": {"kms:ReEncryptOnSameKey": str(same).lower()}}
    user = cloud.user(VENDOR, "limited", FULL_ACCESS, json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    key, other = vendor.new_key(), vendor.new_key()
    blob = vendor("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    denied, allowed = (key, other) if same else (other, key)
    message = user.refused("AccessDeniedException", "ReEncrypt", CiphertextBlob=blob, DestinationKeyId=denied)
    assert f"kms:{side}" in message
    user("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=allowed)


def test_conditions_see_a_bypass_of_the_lockout_check(cloud, vendor):
    policy = denying("Bool", "kms:BypassPolicyLockoutSafetyCheck", "true")
    user = cloud.user(VENDOR, "limited", FULL_ACCESS, policy)
    key = vendor.new_key()
    call = {"KeyId": key, "Policy": vendor("GetKeyPolicy", KeyId=key)["Policy"]}
    user.refused("AccessDeniedException", "PutKeyPolicy", **call, BypassPolicyLockoutSafetyCheck=True)
    user("PutKeyPolicy", **call)


def test_conditions_see_when_temporary_credentials_were_issued(cloud, vendor):
    late = denying("DateLessThan", "aws:TokenIssueTime", "2036-01-01T00:00:00Z")
    role = cloud.directory.create_principal(VENDOR, PrincipalKind.ROLE, "app", policies=[FULL_ACCESS, late])
    session = cloud.directory.open_session(role, session_name="s", now=cloud.clock.now())
    Caller(cloud.kms, session).refused("AccessDeniedException", "ListKeys")
    user = cloud.user(VENDOR, "permanent", FULL_ACCESS, late)
    user("ListKeys")


def test_what_no_request_can_have_is_an_invalid_parameter_and_no_denial(vendor):
    key = vendor.new_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow_all()]}))
    context = {"a": "1", "A": "2"}
    vendor.refused("ValidationException", "Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=context)


def allow_all():
    return {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"}
