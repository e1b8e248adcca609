# SPDX-License-Identifier: Apache-2.0
"""Aliases: names for keys in one account and Region, and who may move them."""

import json

import pytest
from tests.kms_calls import VENDOR


def allow(*resources):
    statement = {"Effect": "Allow", "Action": "kms:*Alias", "Resource": list(resources)}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def alias_arn(key, name):
    return f"{key.rpartition(':')[0]}:{name}"


def test_an_alias_moves_to_another_key_and_what_it_sealed_still_opens(vendor):
    old, new = vendor.new_key(), vendor.new_key()
    vendor("CreateAlias", AliasName="alias/moving", TargetKeyId=old)
    blob = vendor("Encrypt", KeyId="alias/moving", Plaintext=b"x")["CiphertextBlob"]
    vendor("UpdateAlias", AliasName="alias/moving", TargetKeyId=new)
    assert vendor("Encrypt", KeyId="alias/moving", Plaintext=b"x")["KeyId"] == new
    assert vendor("Decrypt", CiphertextBlob=blob)["KeyId"] == old
    vendor.refused("IncorrectKeyException", "Decrypt", CiphertextBlob=blob, KeyId="alias/moving")


def test_an_alias_that_is_deleted_leaves_its_key(vendor):
    key = vendor.new_key()
    vendor("CreateAlias", AliasName="alias/short", TargetKeyId=key)
    vendor("DeleteAlias", AliasName="alias/short")
    message = vendor.refused("NotFoundException", "DescribeKey", KeyId="alias/short")
    assert message == f"Alias {alias_arn(key, 'alias/short')} is not found."
    vendor.refused("NotFoundException", "DeleteAlias", AliasName="alias/short")
    vendor.refused("NotFoundException", "UpdateAlias", AliasName="alias/short", TargetKeyId=key)
    assert vendor("DescribeKey", KeyId=key)["KeyMetadata"]["Enabled"]


def test_aliases_are_listed_in_pages_of_one_account_or_of_one_key(vendor, customer):
    key, other = vendor.new_key(), vendor.new_key()
    for name in ("b", "a", "c"):
        vendor("CreateAlias", AliasName=f"alias/{name}", TargetKeyId=other if name == "b" else key)
    assert customer("ListAliases")["Aliases"] == []
    first = vendor("ListAliases", Limit=2)
    assert [each["AliasName"] for each in first["Aliases"]] == ["alias/a", "alias/b"]
    rest = vendor("ListAliases", Limit=2, Marker=first["NextMarker"])
    assert [each["AliasName"] for each in rest["Aliases"]] == ["alias/c"]
    of_one = vendor("ListAliases", KeyId=key)["Aliases"]
    assert [each["AliasArn"] for each in of_one] == [alias_arn(key, "alias/a"), alias_arn(key, "alias/c")]
    assert {each["TargetKeyId"] for each in of_one} == {key.rpartition("/")[2]}


def test_an_alias_stays_with_keys_of_one_type_and_usage(vendor):
    key = vendor.new_key()
    vendor("CreateAlias", AliasName="alias/kind", TargetKeyId=key)
    for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        other = vendor.new_key(KeySpec=spec, KeyUsage=usage)
        vendor.refused("ValidationException", "UpdateAlias", AliasName="alias/kind", TargetKeyId=other)


def test_an_alias_moves_away_from_a_key_to_be_deleted_and_not_to_one(vendor):
    old, new = vendor.new_key(), vendor.new_key()
    vendor("CreateAlias", AliasName="alias/leaving", TargetKeyId=old)
    vendor("ScheduleKeyDeletion", KeyId=old)
    vendor("UpdateAlias", AliasName="alias/leaving", TargetKeyId=new)
    vendor.refused("KMSInvalidStateException", "UpdateAlias", AliasName="alias/leaving", TargetKeyId=old)


def test_a_key_has_at_most_50_aliases(vendor):
    key, other = vendor.new_key(), vendor.new_key()
    for number in range(50):
        vendor("CreateAlias", AliasName=f"alias/{number}", TargetKeyId=key)
    vendor.refused("LimitExceededException", "CreateAlias", AliasName="alias/more", TargetKeyId=key)
    vendor("CreateAlias", AliasName="alias/more", TargetKeyId=other)
    vendor.refused("LimitExceededException", "UpdateAlias", AliasName="alias/more", TargetKeyId=key)
    vendor("UpdateAlias", AliasName="alias/0", TargetKeyId=key)


@pytest.mark.parametrize("name", ["alias/a b", "alias/:", "", "alias/" + "a" * 251])
def test_an_alias_is_named_in_letters_digits_and_a_few_signs(vendor, name):
    vendor.refused("ValidationException", "CreateAlias", AliasName=name, TargetKeyId=vendor.new_key())


def test_an_alias_names_no_alias(vendor):
    key = vendor.new_key()
    vendor("CreateAlias", AliasName="alias/first", TargetKeyId=key)
    call = {"AliasName": "alias/second", "TargetKeyId": "alias/first"}
    assert vendor.refused("ValidationException", "CreateAlias", **call) == "Aliases must refer to keys. Not aliases"


@pytest.mark.parametrize("lacking", ["alias", "key", "old key"])
def test_moving_an_alias_takes_permission_on_it_and_on_both_keys(cloud, vendor, lacking):
    old, new = vendor.new_key(), vendor.new_key()
    vendor("CreateAlias", AliasName="alias/guarded", TargetKeyId=old)
    resources = {"alias": alias_arn(old, "alias/guarded"), "key": new, "old key": old}
    user = cloud.user(VENDOR, "some", allow(*(each for name, each in resources.items() if name != lacking)))
    call = {"AliasName": "alias/guarded", "TargetKeyId": new}
    message = user.refused("AccessDeniedException", "UpdateAlias", **call)
    assert f"on resource: {resources[lacking]} because no identity-based policy allows" in message
    allowed = cloud.user(VENDOR, "all", allow(*resources.values()))
    allowed("UpdateAlias", **call)
    allowed("DeleteAlias", AliasName="alias/guarded")


@pytest.mark.parametrize("operation", ["CreateAlias", "DeleteAlias"])
@pytest.mark.parametrize("lacking", ["alias", "key"])
def test_making_and_deleting_an_alias_takes_permission_on_it_and_on_its_key(cloud, vendor, operation, lacking):
    key = vendor.new_key()
    vendor("CreateAlias", AliasName="alias/there", TargetKeyId=key)
    name = {"CreateAlias": "alias/new", "DeleteAlias": "alias/there"}[operation]
    call = {"AliasName": name, **({"TargetKeyId": key} if operation == "CreateAlias" else {})}
    resources = {"alias": alias_arn(key, name), "key": key}
    user = cloud.user(VENDOR, "some", allow(*(each for kind, each in resources.items() if kind != lacking)))
    message = user.refused("AccessDeniedException", operation, **call)
    assert f"on resource: {resources[lacking]} because" in message
    cloud.user(VENDOR, "all", allow(*resources.values()))(operation, **call)


def test_an_alias_of_another_account_is_used_by_its_arn_and_never_changed(vendor, customer):
    policy = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    key = vendor.new_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
    vendor("CreateAlias", AliasName="alias/theirs", TargetKeyId=key)
    arn = alias_arn(key, "alias/theirs")
    assert customer("Encrypt", KeyId=arn, Plaintext=b"x")["KeyId"] == key
    customer.refused("NotFoundException", "Encrypt", KeyId="alias/theirs", Plaintext=b"x")
    customer.refused("NotFoundException", "DeleteAlias", AliasName="alias/theirs")
    customer.refused("ValidationException", "DeleteAlias", AliasName=arn)
    customer.refused("AccessDeniedException", "CreateAlias", AliasName="alias/mine", TargetKeyId=key)
