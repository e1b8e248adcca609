# SPDX-License-Identifier: Apache-2.0
"""Encrypted snapshots: whose key they have, who may use it, and what reads where nobody wrote."""

import json
from dataclasses import replace

import pytest
from tests.ebs_calls import BLOCK, Refused, block
from tests.kms_calls import CUSTOMER, VENDOR, Caller

from strongroom.ids import AccountId, Region
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.ebs.keys import default_key
from strongroom.twin.machine import DEFAULT_REGION

BLOCKS = {0: block("a"), 5: block("b")}
EBS_ONLY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ebs:*","Resource":"*"}]}'


@pytest.fixture
def vendor(storage):
    return storage.uploader(VENDOR)


@pytest.fixture
def kms(storage, vendor):
    """KMS, as the same user calls it."""
    return Caller(storage.kms, vendor.credentials)


def volume(storage, snapshot, account=VENDOR):
    return storage.ebs.volume(snapshot, account=AccountId(account), region=DEFAULT_REGION)


def test_a_snapshot_is_encrypted_with_the_key_that_was_named(vendor, kms):
    key = kms.new_key()
    assert vendor("StartSnapshot", VolumeSize=1, Encrypted=True, KmsKeyArn=key)["KmsKeyArn"] == key
    assert vendor.download(vendor.upload(BLOCKS, Encrypted=True, KmsKeyArn=key)) == BLOCKS


def test_without_a_name_it_is_the_key_that_aws_manages(vendor):
    told = vendor("StartSnapshot", VolumeSize=1, Encrypted=True)["KmsKeyArn"]
    assert told == default_key(AccountId(VENDOR), DEFAULT_REGION)
    assert "KmsKeyArn" not in vendor("StartSnapshot", VolumeSize=1, Encrypted=False)


def test_a_child_has_its_parents_key(vendor, kms):
    key = kms.new_key()
    parent = vendor.upload(BLOCKS, Encrypted=True, KmsKeyArn=key)
    assert vendor("StartSnapshot", VolumeSize=1, ParentSnapshotId=parent)["KmsKeyArn"] == key


def test_a_key_must_be_there_enabled_symmetric_and_of_the_region(vendor, kms):
    call = {"VolumeSize": 1, "Encrypted": True}
    disabled, signing = kms.new_key(), kms.new_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    kms("DisableKey", KeyId=disabled)
    unknown = disabled[:-1] + ("0" if disabled[-1] != "0" else "1")
    vendor.refused(
        "ResourceNotFoundException", "DEPENDENCY_RESOURCE_NOT_FOUND", "StartSnapshot", **call, KmsKeyArn=unknown
    )
    for arn in (disabled, signing, kms.new_key().replace(DEFAULT_REGION, "us-east-1")):
        vendor.refused("ValidationException", "INVALID_CUSTOMER_KEY", "StartSnapshot", **call, KmsKeyArn=arn)


def test_whoever_may_not_use_the_key_neither_writes_nor_reads(storage, vendor, kms):
    key = kms.new_key()
    snapshot, pending = (
        vendor.upload(BLOCKS, Encrypted=True, KmsKeyArn=key),
        vendor.start(Encrypted=True, KmsKeyArn=key),
    )
    token = vendor.tokens(snapshot)[0]
    limited = storage.uploader(VENDOR, "limited", EBS_ONLY)
    for operation, parameters in (
        ("StartSnapshot", {"VolumeSize": 1, "Encrypted": True, "KmsKeyArn": key}),
        ("StartSnapshot", {"VolumeSize": 1, "ParentSnapshotId": snapshot}),
        ("ListSnapshotBlocks", {"SnapshotId": snapshot}),
        ("ListChangedBlocks", {"FirstSnapshotId": snapshot, "SecondSnapshotId": snapshot}),
        ("GetSnapshotBlock", {"SnapshotId": snapshot, "BlockIndex": 0, "BlockToken": token}),
    ):
        limited.refused("AccessDeniedException", "DEPENDENCY_ACCESS_DENIED", operation, **parameters)
    with pytest.raises(Refused) as caught:
        limited.put(pending, 0, BLOCKS[0])
    assert caught.value.reason == "DEPENDENCY_ACCESS_DENIED"


def test_a_key_policy_may_demand_that_ebs_asks(vendor, kms):
    policy = json.loads(kms("GetKeyPolicy", KeyId=kms.new_key())["Policy"])
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"kms:ViaService": f"ec2.{DEFAULT_REGION}.amazonaws.com"}},
    }
    policy["Statement"].append(deny)
    key = kms.new_key(Policy=json.dumps(policy))
    kms.refused("AccessDeniedException", "GenerateDataKeyWithoutPlaintext", KeyId=key, KeySpec="AES_256")
    assert vendor.download(vendor.upload(BLOCKS, Encrypted=True, KmsKeyArn=key)) == BLOCKS


def test_where_nobody_wrote_a_plain_volume_is_zeros_and_an_encrypted_one_is_noise(storage, vendor, kms, tmp_path):
    plain = volume(storage, vendor.upload(BLOCKS))
    first, second = (volume(storage, vendor.upload(BLOCKS, Encrypted=True, KmsKeyArn=kms.new_key())) for _ in range(2))
    for each in (plain, first, second):
        assert (each.block(0), each.block(5)) == (BLOCKS[0], BLOCKS[5])
    assert plain.block(1) == bytes(BLOCK)
    noise = {first.block(1), first.block(2), second.block(1)}
    assert len(noise) == 3
    assert not any(bytes(64) in each for each in noise)
    assert first.block(1) == first.block(1)
    plain.write_to(tmp_path / "disk")
    with (tmp_path / "disk").open("rb") as file:
        assert file.read(6 * BLOCK) == BLOCKS[0] + bytes(4 * BLOCK) + BLOCKS[5]
    assert (tmp_path / "disk").stat().st_size == plain.size_bytes == 1 << 30
    assert (tmp_path / "disk").stat().st_blocks * 512 < 8 * BLOCK


def test_a_volume_is_for_those_who_may_read_the_snapshot(storage, vendor):
    snapshot = vendor.upload(BLOCKS)
    for account, region in ((CUSTOMER, DEFAULT_REGION), (VENDOR, "us-east-1")):
        with pytest.raises(Exception, match="does not exist"):
            storage.ebs.volume(snapshot, account=AccountId(account), region=Region(region))


def test_the_default_key_is_its_accounts_own(storage, vendor):
    snapshot = vendor.upload(BLOCKS, Encrypted=True)
    entry = storage.ebs.snapshots._entries[snapshot]
    customer = storage.uploader(CUSTOMER, "reader", FULL_ACCESS)
    shared = frozenset({AccountId(CUSTOMER)})
    storage.ebs.snapshots.change(entry, lambda latest: replace(latest, shared_with=shared))
    customer.refused(
        "ResourceNotFoundException", "DEPENDENCY_RESOURCE_NOT_FOUND", "ListSnapshotBlocks", SnapshotId=snapshot
    )
