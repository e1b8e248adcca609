# SPDX-License-Identifier: Apache-2.0
"""What becomes of keys in time: states, waiting periods, rotation, lists in pages. The clock is the twin's own."""

import json
from datetime import timedelta

import pytest
from tests.kms_calls import CUSTOMER, VENDOR

IN_STATE = {
    "CreateAlias": {"AliasName": "alias/state", "key": "TargetKeyId"},
    "CreateGrant": {"GranteePrincipal": VENDOR, "Operations": ["Decrypt"]},
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "DescribeKey": {},
    "GetKeyPolicy": {},
    "ListGrants": {},
    "ListKeyPolicies": {},
    "ListKeyRotations": {},
    "ListResourceTags": {},
    "GetKeyRotationStatus": {},
    "UpdateKeyDescription": {"Description": "x"},
    "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "UntagResource": {"TagKeys": ["a"]},
    "EnableKeyRotation": {},
    "DisableKeyRotation": {},
    "RotateKeyOnDemand": {},
}
USES = {"CreateGrant", "Encrypt", "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"}
USES |= {name for name in IN_STATE if name.startswith("GenerateDataKey")}
CHANGES = {"CreateAlias", "UpdateKeyDescription", "TagResource", "UntagResource"}
"""KMS Developer Guide, "Key states of AWS KMS keys": what a disabled key refuses, and one to be deleted besides."""


def call_on(key, operation):
    parameters = dict(IN_STATE[operation])
    return {parameters.pop("key", "KeyId"): key, **parameters}


@pytest.mark.parametrize("operation", IN_STATE)
def test_a_disabled_key_refuses_its_use(vendor, operation):
    key = vendor.new_key()
    vendor("DisableKey", KeyId=key)
    if operation not in USES:
        vendor(operation, **call_on(key, operation))
        return
    message = vendor.refused("DisabledException", operation, **call_on(key, operation))
    assert message == f"{key} is disabled."


@pytest.mark.parametrize("operation", IN_STATE)
def test_a_key_to_be_deleted_refuses_changes_too(vendor, operation):
    key = vendor.new_key()
    vendor("ScheduleKeyDeletion", KeyId=key)
    if operation not in USES | CHANGES:
        vendor(operation, **call_on(key, operation))
        return
    message = vendor.refused("KMSInvalidStateException", operation, **call_on(key, operation))
    assert message == f"{key} is pending deletion."


# --- deletion ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 6, 31, 365])
def test_a_waiting_period_is_7_to_30_days(vendor, days):
    vendor.refused("ValidationException", "ScheduleKeyDeletion", KeyId=vendor.new_key(), PendingWindowInDays=days)


def test_a_key_is_gone_after_its_waiting_period_with_its_aliases_and_grants(cloud, vendor):
    key, other = vendor.new_key(), vendor.new_key()
    blob = vendor("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    vendor("CreateAlias", AliasName="alias/gone", TargetKeyId=key)
    grant = vendor("CreateGrant", KeyId=key, GranteePrincipal=VENDOR, Operations=["Decrypt"])
    planned = vendor("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert (planned["KeyState"], planned["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert abs(planned["DeletionDate"] - cloud.clock.now() - timedelta(days=7)) < timedelta(minutes=1)
    cloud.pass_time(days=6, hours=23)
    assert vendor("DescribeKey", KeyId=key)["KeyMetadata"]["DeletionDate"] == planned["DeletionDate"]
    cloud.pass_time(hours=2)
    assert vendor.refused("NotFoundException", "DescribeKey", KeyId=key) == f"Key '{key}' does not exist"
    vendor.refused("NotFoundException", "DescribeKey", KeyId="alias/gone")
    vendor.refused("InvalidGrantTokenException", "RetireGrant", GrantToken=grant["GrantToken"])
    vendor.refused("AccessDeniedException", "Decrypt", CiphertextBlob=blob)
    assert [each["KeyArn"] for each in vendor("ListKeys")["Keys"]] == [other]
    assert vendor("ListAliases")["Aliases"] == []


def test_without_a_number_the_waiting_period_is_30_days(vendor):
    assert vendor("ScheduleKeyDeletion", KeyId=vendor.new_key())["PendingWindowInDays"] == 30


def test_a_deletion_that_is_cancelled_leaves_the_key_disabled(cloud, vendor):
    key = vendor.new_key()
    blob = vendor("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    message = vendor.refused("KMSInvalidStateException", "CancelKeyDeletion", KeyId=key)
    assert message == f"{key} is not pending deletion."
    vendor("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert vendor("CancelKeyDeletion", KeyId=key) == {"KeyId": key}
    found = vendor("DescribeKey", KeyId=key)["KeyMetadata"]
    assert (found["KeyState"], found["Enabled"], "DeletionDate" in found) == ("Disabled", False, False)
    cloud.pass_time(days=60)
    vendor("EnableKey", KeyId=key)
    assert vendor("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"


# --- rotation ---------------------------------------------------------------------------------------------------------


def material(caller, key):
    return caller("DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def test_what_was_encrypted_before_a_rotation_still_opens(vendor):
    key = vendor.new_key()
    old = vendor("Encrypt", KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    first = material(vendor, key)
    assert vendor("RotateKeyOnDemand", KeyId=key) == {"KeyId": key}
    new = vendor("Encrypt", KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    opened = [vendor("Decrypt", CiphertextBlob=blob) for blob in (old, new)]
    assert [each["Plaintext"] for each in opened] == [b"old", b"new"]
    assert [each["KeyMaterialId"] for each in opened] == [first, material(vendor, key)]
    assert first != material(vendor, key)


def test_a_key_rotates_on_demand_25_times(vendor):
    key = vendor.new_key()
    for _ in range(25):
        vendor("RotateKeyOnDemand", KeyId=key)
    vendor.refused("LimitExceededException", "RotateKeyOnDemand", KeyId=key)
    first = vendor("ListKeyRotations", KeyId=key, Limit=20)
    assert (len(first["Rotations"]), first["Truncated"]) == (20, True)
    rest = vendor("ListKeyRotations", KeyId=key, Limit=20, Marker=first["NextMarker"])
    assert (len(rest["Rotations"]), rest["Truncated"]) == (5, False)
    everything = vendor("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [each["KeyMaterialState"] for each in everything] == ["NON_CURRENT"] * 25 + ["CURRENT"]
    assert {each["RotationType"] for each in everything if "RotationType" in each} == {"ON_DEMAND"}


def test_automatic_rotation_comes_every_period(cloud, vendor):
    key = vendor.new_key()
    assert vendor("GetKeyRotationStatus", KeyId=key) == {"KeyRotationEnabled": False, "KeyId": key}
    vendor("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    status = vendor("GetKeyRotationStatus", KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    old, first = vendor("Encrypt", KeyId=key, Plaintext=b"old")["CiphertextBlob"], material(vendor, key)
    cloud.pass_time(days=89)
    assert material(vendor, key) == first
    cloud.pass_time(days=92)
    rotations = vendor("ListKeyRotations", KeyId=key)["Rotations"]
    assert [each["RotationType"] for each in rotations] == ["AUTOMATIC", "AUTOMATIC"]
    assert rotations[0]["RotationDate"] == status["NextRotationDate"]
    due = vendor("GetKeyRotationStatus", KeyId=key)["NextRotationDate"]
    assert due == status["NextRotationDate"] + timedelta(days=180)
    assert vendor("Decrypt", CiphertextBlob=old)["Plaintext"] == b"old"


def test_the_default_period_is_a_year_and_disabling_ends_it(cloud, vendor):
    key = vendor.new_key()
    vendor("EnableKeyRotation", KeyId=key)
    assert vendor("GetKeyRotationStatus", KeyId=key)["RotationPeriodInDays"] == 365
    vendor("DisableKeyRotation", KeyId=key)
    cloud.pass_time(days=400)
    assert vendor("ListKeyRotations", KeyId=key)["Rotations"] == []


@pytest.mark.parametrize("days", [89, 2561])
def test_a_period_is_90_to_2560_days(vendor, days):
    call = {"KeyId": vendor.new_key(), "RotationPeriodInDays": days}
    vendor.refused("ValidationException", "EnableKeyRotation", **call)


def test_a_disabled_key_makes_up_for_its_rotation_once_when_it_is_enabled(cloud, vendor):
    key = vendor.new_key()
    vendor("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    vendor("DisableKey", KeyId=key)
    cloud.pass_time(days=400)
    assert vendor("ListKeyRotations", KeyId=key)["Rotations"] == []
    vendor("EnableKey", KeyId=key)
    assert len(vendor("ListKeyRotations", KeyId=key)["Rotations"]) == 1
    due = vendor("GetKeyRotationStatus", KeyId=key)["NextRotationDate"]
    assert abs(due - cloud.clock.now() - timedelta(days=90)) < timedelta(minutes=1)


def test_a_key_to_be_deleted_says_that_it_does_not_rotate_until_it_is_kept(vendor):
    key = vendor.new_key()
    vendor("EnableKeyRotation", KeyId=key)
    vendor("ScheduleKeyDeletion", KeyId=key)
    assert vendor("GetKeyRotationStatus", KeyId=key)["KeyRotationEnabled"] is False
    vendor("CancelKeyDeletion", KeyId=key)
    assert vendor("GetKeyRotationStatus", KeyId=key)["KeyRotationEnabled"] is True


ROTATION = ("EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "RotateKeyOnDemand", "ListKeyRotations")


@pytest.mark.parametrize("operation", ROTATION)
def test_only_symmetric_keys_rotate(vendor, operation):
    key = vendor.new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    vendor.refused("UnsupportedOperationException", operation, KeyId=key)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_keys_are_listed_in_pages_that_miss_none(vendor, customer):
    made = {vendor.new_key() for _ in range(7)}
    customer.new_key()
    found, marker = [], {}
    while True:
        reply = vendor("ListKeys", Limit=3, **marker)
        found += [each["KeyArn"] for each in reply["Keys"]]
        if not reply["Truncated"]:
            break
        marker = {"Marker": reply["NextMarker"]}
    assert (len(found), set(found)) == (7, made)


def test_a_page_begins_where_the_last_one_ended_whatever_came_or_went(cloud, vendor):
    keys = sorted(vendor.new_key() for _ in range(4))
    first = vendor("ListKeys", Limit=2)
    vendor("ScheduleKeyDeletion", KeyId=keys[1], PendingWindowInDays=7)
    cloud.pass_time(days=8)
    rest = vendor("ListKeys", Limit=2, Marker=first["NextMarker"])
    assert [each["KeyArn"] for each in rest["Keys"]] == keys[2:]


@pytest.mark.parametrize("marker", ["nonsense", "bm9uc2Vuc2U=", "dHdpbgD/"])
def test_a_marker_that_nobody_gave_is_refused(vendor, marker):
    vendor.refused("InvalidMarkerException", "ListKeys", Marker=marker)


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_is_1_to_1000(vendor, limit):
    vendor.refused("ValidationException", "ListKeys", Limit=limit)


def test_lists_ask_the_identity_policies(cloud):
    powerless = cloud.user(VENDOR, "powerless")
    for operation in ("ListKeys", "ListAliases"):
        assert "resource: *" in powerless.refused("AccessDeniedException", operation)


# --- descriptions, tags, policies -------------------------------------------------------------------------------------


def test_a_description_can_be_changed_and_emptied(vendor):
    key = vendor.new_key(Description="first")
    for text in ("second", ""):
        vendor("UpdateKeyDescription", KeyId=key, Description=text)
        assert vendor("DescribeKey", KeyId=key)["KeyMetadata"]["Description"] == text


def tags_of(caller, key):
    return {each["TagKey"]: each["TagValue"] for each in caller("ListResourceTags", KeyId=key)["Tags"]}


def test_tags_are_added_changed_and_removed(vendor):
    key = vendor.new_key(Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "A", "TagValue": ""}])
    vendor("TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "2"}, {"TagKey": "b", "TagValue": "3"}])
    assert tags_of(vendor, key) == {"a": "2", "A": "", "b": "3"}
    vendor("UntagResource", KeyId=key, TagKeys=["a", "never there"])
    assert tags_of(vendor, key) == {"A": "", "b": "3"}


def numbered_tags(count):
    return [{"TagKey": f"{number}", "TagValue": "x"} for number in range(count)]


def test_a_key_has_at_most_50_tags_and_none_of_aws_or_twice(vendor):
    key = vendor.new_key(Tags=numbered_tags(50))
    vendor("TagResource", KeyId=key, Tags=numbered_tags(50))
    more = [{"TagKey": "more", "TagValue": "x"}]
    vendor.refused("LimitExceededException", "TagResource", KeyId=key, Tags=more)
    vendor.refused("LimitExceededException", "CreateKey", Tags=numbered_tags(51))
    for wrong in ([{"TagKey": "aws:x", "TagValue": ""}], [*more, *more]):
        vendor.refused("TagException", "TagResource", KeyId=key, Tags=wrong)
    vendor.refused("TagException", "UntagResource", KeyId=key, TagKeys=["aws:x"])


def default_policy(**changes):
    statement = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:*", "Resource": "*"} | changes
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_malformed_policy_is_refused_with_the_place(vendor):
    wrong = default_policy(Effect="Perhaps")
    message = vendor.refused("MalformedPolicyDocumentException", "PutKeyPolicy", KeyId=vendor.new_key(), Policy=wrong)
    assert "$.Statement[0].Effect" in message


def test_a_policy_has_at_most_32_kilobytes(vendor):
    key = vendor.new_key()
    room = 32768 - len(default_policy())
    vendor("PutKeyPolicy", KeyId=key, Policy=default_policy() + " " * room)
    message = vendor.refused(
        "LimitExceededException", "PutKeyPolicy", KeyId=key, Policy=default_policy() + " " * (room + 1)
    )
    assert "32769 bytes" in message
    vendor.refused("LimitExceededException", "CreateKey", Policy=default_policy() + " " * (room + 1))


def test_a_policy_is_latin_text(vendor):
    vendor.refused("ValidationException", "CreateKey", Policy=default_policy() + "\u4e00")


def test_a_key_is_not_made_under_a_policy_that_locks_its_maker_out(vendor):
    lockout = default_policy(Principal={"AWS": CUSTOMER})
    before = len(vendor("ListKeys")["Keys"])
    vendor.refused("MalformedPolicyDocumentException", "CreateKey", Policy=lockout)
    assert len(vendor("ListKeys")["Keys"]) == before
    vendor.new_key(Policy=lockout, BypassPolicyLockoutSafetyCheck=True)


def test_operations_that_manage_keys_take_no_alias(vendor):
    key = vendor.new_key()
    vendor("CreateAlias", AliasName="alias/managed", TargetKeyId=key)
    assert vendor("DescribeKey", KeyId="alias/managed")["KeyMetadata"]["Arn"] == key
    message = vendor.refused("NotFoundException", "GetKeyPolicy", KeyId="alias/managed")
    assert message == "Invalid keyId 'alias/managed'"


def test_a_text_has_whole_characters(cloud, vendor):
    vendor.refused("ValidationException", "CreateKey", Description="\ud800")
    call = {"KeyId": vendor.new_key(), "Plaintext": b"x", "EncryptionContext": {"a": "\udfff"}}
    vendor.refused("ValidationException", "Encrypt", **call)
