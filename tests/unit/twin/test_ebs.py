# SPDX-License-Identifier: Apache-2.0
"""Snapshots, written and read block by block. What a row of docs/twin.md says of EBS has its test here."""

import base64
import json
import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from tests.ebs_calls import BLOCK, Refused, aggregate, block, checksum
from tests.kms_calls import CUSTOMER, VENDOR

FIVE = {index: block(str(index)) for index in (0, 3, 4, 700, 2047)}


@pytest.fixture
def vendor(storage):
    return storage.uploader(VENDOR)


@pytest.fixture
def customer(storage):
    return storage.uploader(CUSTOMER)


@pytest.fixture
def pending(vendor):
    return vendor.start()


# --- writing ----------------------------------------------------------------------------------------------------------


def test_every_operation_answers_with_shapes_of_the_api_model(vendor):
    first = vendor.upload(FIVE, Description="d", Tags=[{"Key": "a", "Value": "b"}], ClientToken="t", Timeout=10)
    second = vendor.upload({1: block("new")}, ParentSnapshotId=first)
    list(vendor.pages("ChangedBlocks", FirstSnapshotId=first, SecondSnapshotId=second))
    assert vendor.download(second) == {**FIVE, 1: block("new")}
    assert vendor.answered == set(vendor.storage.ebs._operations)


def test_what_was_written_is_read_and_nothing_else_is_listed(vendor):
    snapshot = vendor.upload(FIVE)
    assert vendor.download(snapshot) == FIVE


def test_a_new_snapshot_says_what_it_is(vendor):
    reply = vendor("StartSnapshot", VolumeSize=8, Description="ö", Tags=[{"Key": "a", "Value": "ä"}], Timeout=60)
    told = {name: reply[name] for name in ("Status", "VolumeSize", "BlockSize", "OwnerId", "Description", "Tags")}
    assert told == {
        "Status": "pending",
        "VolumeSize": 8,
        "BlockSize": BLOCK,
        "OwnerId": VENDOR,
        "Description": "ö",
        "Tags": [{"Key": "a", "Value": "ä"}],
    }


def test_a_block_that_is_written_again_is_the_new_one(vendor, pending):
    for text in ("first", "second", "second", "first"):
        vendor.put(pending, 7, block(text))
    vendor.complete(pending, {7: block("first")})
    assert vendor.download(pending) == {7: block("first")}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Checksum": checksum(b"other")}, "INVALID_PARAMETER_VALUE"),
        ({"Checksum": "AAAA"}, "INVALID_PARAMETER_VALUE"),
        ({"Checksum": "="}, "INVALID_PARAMETER_VALUE"),
        ({"Checksum": base64.b64encode(checksum(block("x")).encode()).decode()}, "INVALID_PARAMETER_VALUE"),
        ({"Checksum": "ä"}, "INVALID_PARAMETER_VALUE"),
        ({"ChecksumAlgorithm": "SHA1"}, "INVALID_PARAMETER_VALUE"),
        ({"DataLength": 512}, "INVALID_PARAMETER_VALUE"),
        ({"Progress": 101}, "INVALID_PARAMETER_VALUE"),
        ({"BlockIndex": 2048}, "INVALID_BLOCK"),
        ({"BlockIndex": -1}, "INVALID_PARAMETER_VALUE"),
        ({"BlockData": block("x")[:-1]}, "INVALID_PARAMETER_VALUE"),
        ({"BlockData": block("x") + b"\0"}, "INVALID_PARAMETER_VALUE"),
        ({"BlockData": b""}, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_a_block_that_is_not_what_it_says_is_refused_and_not_kept(vendor, pending, changes, reason):
    call = {
        "SnapshotId": pending,
        "BlockIndex": 1,
        "BlockData": block("x"),
        "DataLength": BLOCK,
        "Checksum": checksum(block("x")),
        "ChecksumAlgorithm": "SHA256",
    }
    vendor.refused("ValidationException", reason, "PutSnapshotBlock", **{**call, **changes})
    vendor.complete(pending, {})


@pytest.mark.parametrize("missing", ["x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-data-length"])
def test_a_block_without_one_of_its_headers_is_refused(vendor, pending, missing):
    headers = {
        "x-amz-checksum": checksum(block("x")),
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-data-length": str(BLOCK),
    }
    del headers[missing]
    response = vendor.send("PUT", f"/snapshots/{pending}/blocks/1", "", headers, block("x"))
    assert response.status_code == 400
    assert json.loads(response.get_data())["Reason"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "changes",
    [
        {"ChangedBlocksCount": 4},
        {"ChangedBlocksCount": 6},
        {"Checksum": aggregate({**FIVE, 0: block("other")})},
        {"Checksum": aggregate({index: data for index, data in FIVE.items() if index})},
        {"Checksum": checksum(b"".join(checksum(data).encode() for _, data in sorted(FIVE.items())))},
        {"ChecksumAlgorithm": None},
        {"ChecksumAggregationMethod": None},
        {"ChecksumAggregationMethod": "TREE"},
    ],
)
def test_a_snapshot_is_completed_only_with_the_blocks_that_were_written(vendor, pending, changes):
    for index, data in FIVE.items():
        vendor.put(pending, index, data)
    linear = {"ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
    call = {"ChangedBlocksCount": 5, "Checksum": aggregate(FIVE), **linear, **changes}
    call = {name: value for name, value in call.items() if value is not None}
    vendor.refused("ValidationException", "INVALID_PARAMETER_VALUE", "CompleteSnapshot", SnapshotId=pending, **call)
    vendor.complete(pending, FIVE)


def test_the_aggregate_is_over_the_digests_in_the_order_of_the_blocks(vendor, pending):
    for index in (2047, 0, 700, 4, 3):
        vendor.put(pending, index, FIVE[index])
    assert vendor.complete(pending, FIVE)["Status"] == "completed"


def test_a_snapshot_may_be_completed_without_a_checksum(vendor, pending):
    vendor.put(pending, 0, FIVE[0])
    assert vendor("CompleteSnapshot", SnapshotId=pending, ChangedBlocksCount=1)["Status"] == "completed"


def test_nothing_is_written_after_completion(vendor):
    snapshot = vendor.upload(FIVE)
    with pytest.raises(Refused) as caught:
        vendor.put(snapshot, 1, block("late"))
    assert (caught.value.name, caught.value.reason) == ("ValidationException", "INVALID_SNAPSHOT_ID")
    vendor.refused(
        "ValidationException", "INVALID_SNAPSHOT_ID", "CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=5
    )
    assert vendor.download(snapshot) == FIVE


def test_completion_may_take_its_time(storage, vendor, pending):
    storage.ebs.completion_delay = timedelta(minutes=3)
    vendor.put(pending, 0, FIVE[0])
    assert vendor.complete(pending, {0: FIVE[0]})["Status"] == "pending"
    vendor.refused("ValidationException", "INVALID_SNAPSHOT_ID", "ListSnapshotBlocks", SnapshotId=pending)
    with pytest.raises(Refused):
        vendor.put(pending, 1, block("late"))
    storage.pass_time(minutes=3)
    assert vendor.download(pending) == {0: FIVE[0]}


def test_the_same_request_with_the_same_token_starts_one_snapshot(vendor):
    call = {"VolumeSize": 1, "Description": "d", "Tags": [{"Key": "a", "Value": "b"}], "ClientToken": "token"}
    first = vendor("StartSnapshot", **call)
    assert vendor("StartSnapshot", **call) == first
    for change in ({"VolumeSize": 2}, {"Description": "e"}, {"Tags": []}, {"Encrypted": True}, {"Timeout": 60}):
        vendor.refused("ConflictException", "", "StartSnapshot", **{**call, **change})
    assert vendor("StartSnapshot", **{**call, "ClientToken": "other"})["SnapshotId"] != first["SnapshotId"]


def test_a_token_is_its_accounts_and_its_regions_own(vendor, customer):
    call = {"VolumeSize": 1, "ClientToken": "token"}
    callers = (vendor, customer, vendor.at("us-east-1"))
    assert len({each("StartSnapshot", **call)["SnapshotId"] for each in callers}) == 3


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"VolumeSize": 0}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 65_537}, "INVALID_VOLUME_SIZE"),
        ({"VolumeSize": 1, "Timeout": 9}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "Timeout": 4321}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "Description": "x" * 256}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "Description": "half \ud800"}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "ClientToken": "a b"}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "INVALID_TAG"),
        ({"VolumeSize": 1, "Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}, "INVALID_TAG"),
        ({"VolumeSize": 1, "Tags": [{"Value": "b"}]}, "INVALID_TAG"),
        ({"VolumeSize": 1, "Tags": [{"Key": "aws:x", "Value": "b"}]}, "INVALID_TAG"),
        ({"VolumeSize": 1, "KmsKeyArn": "arn:aws:kms:eu-central-1:111111111111:key/x"}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "KmsKeyArn": "alias/x", "Encrypted": True}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 1, "ParentSnapshotId": "vol-1"}, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_a_snapshot_that_cannot_be_is_not_started(storage, vendor, parameters, reason):
    vendor.refused("ValidationException", reason, "StartSnapshot", **parameters)
    assert len(storage.ebs.snapshots._entries) == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'{"VolumeSize": "1"}', b'{"VolumeSize": true}', b"\xff"])
def test_a_body_that_is_no_request_is_refused(vendor, body):
    response = vendor.send("POST", "/snapshots", "", {}, body)
    assert response.status_code == 400
    assert response.headers["x-amzn-ErrorType"] in {"ValidationException", "SerializationException"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("DELETE", "/snapshots/snap-1"), ("PUT", "/snapshots"), ("GET", "/snapshots/a/b/c")],
)
def test_a_path_that_is_no_operation_is_refused(vendor, method, path):
    response = vendor.send(method, path, "", {}, b"")
    assert (response.status_code, response.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize("order", range(3))
def test_any_order_of_puts_gives_the_same_snapshot(vendor, order):
    blocks = {index: block(str(index)) for index in range(12)}
    puts = [(index, block(f"before {index}")) for index in range(0, 12, 3)] + list(blocks.items())
    chance = random.Random(order)
    early, late = puts[:4], puts[4:]
    chance.shuffle(late)
    snapshot = vendor.start()
    for index, data in early + late:
        vendor.put(snapshot, index, data)
    vendor.complete(snapshot, blocks)
    assert vendor.download(snapshot) == blocks


# --- parents ----------------------------------------------------------------------------------------------------------


def test_a_child_has_its_parents_blocks_and_counts_its_own_only(vendor):
    parent = vendor.upload(FIVE)
    changed = {3: block("changed"), 9: block("new")}
    child = vendor.upload(changed, ParentSnapshotId=parent)
    assert vendor.download(child) == {**FIVE, **changed}
    assert vendor.download(parent) == FIVE


def test_what_changed_is_listed_with_tokens_of_both_sides(vendor):
    parent = vendor.upload(FIVE)
    child = vendor.upload({3: block("changed"), 4: FIVE[4], 9: block("new")}, ParentSnapshotId=parent)
    rows = {
        row["BlockIndex"]: row for row in vendor.pages("ChangedBlocks", FirstSnapshotId=parent, SecondSnapshotId=child)
    }
    assert set(rows) == {3, 9}
    assert "FirstBlockToken" not in rows[9]
    for name, snapshot, data in (("FirstBlockToken", parent, FIVE[3]), ("SecondBlockToken", child, block("changed"))):
        reply = vendor("GetSnapshotBlock", SnapshotId=snapshot, BlockIndex=3, BlockToken=rows[3][name])
        assert reply["BlockData"] == data


def test_snapshots_of_different_lineages_are_not_compared(vendor):
    first, second = vendor.upload(FIVE), vendor.upload(FIVE)
    both = {"FirstSnapshotId": first, "SecondSnapshotId": second}
    vendor.refused("ValidationException", "UNRELATED_SNAPSHOTS", "ListChangedBlocks", **both)
    vendor.refused("ValidationException", "INVALID_PARAMETER_VALUE", "ListChangedBlocks", SecondSnapshotId=second)
    sister, brother = (vendor.upload({}, ParentSnapshotId=first) for _ in range(2))
    assert not list(vendor.pages("ChangedBlocks", FirstSnapshotId=sister, SecondSnapshotId=brother))


def test_a_parent_is_completed_not_larger_and_decides_on_encryption(vendor, pending):
    vendor.refused(
        "ValidationException", "INVALID_SNAPSHOT_ID", "StartSnapshot", VolumeSize=1, ParentSnapshotId=pending
    )
    parent = vendor.upload(FIVE, VolumeSize=2)
    vendor.refused("ValidationException", "INVALID_VOLUME_SIZE", "StartSnapshot", VolumeSize=1, ParentSnapshotId=parent)
    for encrypted in (True, False):
        call = {"VolumeSize": 2, "ParentSnapshotId": parent, "Encrypted": encrypted}
        vendor.refused("ValidationException", "INVALID_PARAMETER_VALUE", "StartSnapshot", **call)


def test_a_child_keeps_its_blocks_when_its_parent_goes(storage, vendor):
    parent = vendor.upload(FIVE)
    child = vendor.upload({3: block("changed")}, ParentSnapshotId=parent)
    storage.ebs.snapshots.remove(storage.ebs.snapshots._entries[parent])
    assert vendor.download(child) == {**FIVE, 3: block("changed")}


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_pending_snapshot_is_not_read(vendor, pending):
    vendor.put(pending, 0, FIVE[0])
    vendor.refused("ValidationException", "INVALID_SNAPSHOT_ID", "ListSnapshotBlocks", SnapshotId=pending)


def test_pages_are_in_order_and_begin_where_they_are_told_to(vendor):
    blocks = {index: block(str(index % 3)) for index in range(0, 460, 2)}
    snapshot = vendor.upload(blocks)
    page = vendor("ListSnapshotBlocks", SnapshotId=snapshot, MaxResults=100, StartingBlockIndex=3)
    assert [each["BlockIndex"] for each in page["Blocks"]] == list(range(4, 204, 2))
    rest = vendor("ListSnapshotBlocks", SnapshotId=snapshot, NextToken=page["NextToken"], StartingBlockIndex=0)
    assert [each["BlockIndex"] for each in rest["Blocks"]] == list(range(204, 460, 2))
    assert "NextToken" not in rest


def test_fewer_than_a_hundred_results_are_a_hundred(vendor):
    snapshot = vendor.upload({index: block("x") for index in range(120)})
    response = vendor.send("GET", f"/snapshots/{snapshot}/blocks", "maxResults=1", {}, b"")
    assert len(json.loads(response.get_data())["Blocks"]) == 100
    refused = vendor.send("GET", f"/snapshots/{snapshot}/blocks", "maxResults=10001", {}, b"")
    assert refused.status_code == 400


def test_a_block_token_lives_seven_days(storage, vendor):
    snapshot = vendor.upload(FIVE)
    call = {"SnapshotId": snapshot, "BlockIndex": 3, "BlockToken": vendor.tokens(snapshot)[3]}
    storage.pass_time(days=7, minutes=-1)
    assert vendor("GetSnapshotBlock", **call)["BlockData"] == FIVE[3]
    storage.pass_time(minutes=2)
    vendor.refused("ValidationException", "INVALID_BLOCK_TOKEN", "GetSnapshotBlock", **call)


def test_a_page_token_lives_an_hour(storage, vendor):
    snapshot = vendor.upload({index: block("x") for index in range(101)})
    token = vendor("ListSnapshotBlocks", SnapshotId=snapshot, MaxResults=100)["NextToken"]
    storage.pass_time(minutes=59)
    assert len(vendor("ListSnapshotBlocks", SnapshotId=snapshot, NextToken=token)["Blocks"]) == 1
    storage.pass_time(minutes=2)
    vendor.refused(
        "ValidationException", "INVALID_PAGE_TOKEN", "ListSnapshotBlocks", SnapshotId=snapshot, NextToken=token
    )


def test_a_token_opens_its_own_block_of_its_own_snapshot_and_nothing_else(vendor):
    snapshot, other = vendor.upload(FIVE), vendor.upload(FIVE)
    token = vendor.tokens(snapshot)[3]
    changed = base64.b64encode(bytes([*base64.b64decode(token)[:-1], 0])).decode()
    page = vendor.storage.ebs._operations["ListSnapshotBlocks"].__self__._tokens.make(
        ("page", "ListSnapshotBlocks", snapshot, "", "", 3), expires=vendor.storage.clock.now() + timedelta(minutes=1)
    )
    for wrong in (
        {"BlockIndex": 4, "BlockToken": token},
        {"SnapshotId": other, "BlockToken": token},
        {"BlockToken": changed},
        {"BlockToken": "AAAA"},
        {"BlockToken": "A"},
        {"BlockToken": page},
    ):
        call = {"SnapshotId": snapshot, "BlockIndex": 3, **wrong}
        vendor.refused("ValidationException", "INVALID_BLOCK_TOKEN", "GetSnapshotBlock", **call)
    for wrong in (token, "AAAA"):
        call = {"SnapshotId": snapshot, "NextToken": wrong}
        vendor.refused("ValidationException", "INVALID_PAGE_TOKEN", "ListSnapshotBlocks", **call)
    vendor.refused("ValidationException", "INVALID_PAGE_TOKEN", "ListSnapshotBlocks", SnapshotId=other, NextToken=page)


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_of_another_account_or_region_does_not_exist(vendor, customer, pending):
    snapshot = vendor.upload(FIVE)
    token = vendor.tokens(snapshot)[0]
    for stranger in (customer, vendor.at("us-east-1")):
        for operation, parameters in (
            ("ListSnapshotBlocks", {"SnapshotId": snapshot}),
            ("ListChangedBlocks", {"FirstSnapshotId": snapshot, "SecondSnapshotId": snapshot}),
            ("GetSnapshotBlock", {"SnapshotId": snapshot, "BlockIndex": 0, "BlockToken": token}),
            ("CompleteSnapshot", {"SnapshotId": pending, "ChangedBlocksCount": 0}),
            ("StartSnapshot", {"VolumeSize": 1, "ParentSnapshotId": snapshot}),
            ("ListSnapshotBlocks", {"SnapshotId": "snap-0123456789abcdef0"}),
        ):
            message = stranger.refused("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", operation, **parameters)
            assert "does not exist" in message
        with pytest.raises(Refused) as caught:
            stranger.put(pending, 0, FIVE[0])
        assert caught.value.status == 404


def test_callers_need_a_policy_for_each_operation_and_snapshot(storage, vendor, pending):
    arn = "arn:aws:ec2:eu-central-1::snapshot/"
    statement = {"Effect": "Allow", "Action": ["ebs:Start*", "ebs:PutSnapshotBlock"], "Resource": f"{arn}*"}
    deny = {"Effect": "Deny", "Action": "ebs:PutSnapshotBlock", "Resource": f"{arn}{pending}"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, deny]})
    limited = storage.uploader(VENDOR, "limited", policy)
    limited.put(limited.start(), 0, FIVE[0])
    with pytest.raises(Refused) as caught:
        limited.put(pending, 0, FIVE[0])
    assert (caught.value.name, caught.value.status) == ("AccessDeniedException", 403)
    assert "explicit deny in an identity-based policy" in caught.value.message
    message = limited.refused(
        "AccessDeniedException", "UNAUTHORIZED_ACCOUNT", "CompleteSnapshot", SnapshotId=pending, ChangedBlocksCount=0
    )
    assert message.endswith("because no identity-based policy allows the ebs:CompleteSnapshot action")
    assert f"on resource: {arn}{pending}" in message


def test_both_snapshots_of_a_comparison_are_asked_about(storage, vendor):
    first = vendor.upload(FIVE)
    second = vendor.upload({}, ParentSnapshotId=first)
    allow = {"Effect": "Allow", "Action": "ebs:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "ebs:*", "Resource": f"arn:aws:ec2:eu-central-1::snapshot/{first}"}
    limited = storage.uploader(VENDOR, "limited", json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]}))
    both = {"FirstSnapshotId": first, "SecondSnapshotId": second}
    limited.refused("AccessDeniedException", "UNAUTHORIZED_ACCOUNT", "ListChangedBlocks", **both)
    limited("ListSnapshotBlocks", SnapshotId=second)


def test_conditions_of_policies_see_the_region_and_the_caller(storage):
    condition = {"StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:PrincipalAccount": VENDOR}}
    statement = {"Effect": "Allow", "Action": "ebs:*", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    limited = storage.uploader(VENDOR, "limited", policy)
    limited.refused("AccessDeniedException", "UNAUTHORIZED_ACCOUNT", "StartSnapshot", VolumeSize=1)
    limited.at("us-east-1").start()


# --- timeouts ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_that_nobody_writes_to_is_cancelled_after_its_timeout(storage, vendor):
    snapshot = vendor.start(Timeout=10)
    storage.pass_time(minutes=9)
    vendor.put(snapshot, 0, FIVE[0])
    storage.pass_time(minutes=9)
    vendor.put(snapshot, 1, FIVE[0])
    storage.pass_time(minutes=10)
    with pytest.raises(Refused) as caught:
        vendor.put(snapshot, 2, FIVE[0])
    assert caught.value.reason == "INVALID_SNAPSHOT_ID"
    assert "is error" in caught.value.message
    vendor.refused(
        "ValidationException", "INVALID_SNAPSHOT_ID", "CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=2
    )
    assert not storage.ebs.snapshots._entries[snapshot].blocks.all


def test_a_timeout_is_an_hour_where_none_is_said(storage, vendor, pending):
    storage.pass_time(minutes=59)
    vendor.put(pending, 0, FIVE[0])
    storage.pass_time(minutes=61)
    vendor.refused(
        "ValidationException", "INVALID_SNAPSHOT_ID", "CompleteSnapshot", SnapshotId=pending, ChangedBlocksCount=1
    )


def test_a_completed_snapshot_does_not_time_out(storage, vendor):
    snapshot = vendor.upload(FIVE, Timeout=10)
    storage.pass_time(days=400)
    assert vendor.download(snapshot) == FIVE


# --- writers in each other's way --------------------------------------------------------------------------------------


def test_two_different_blocks_in_one_place_at_once_are_a_conflict(storage, vendor, pending):
    entry = storage.ebs.snapshots._entries[pending]
    entry.busy[5] = b"the digest of what another request is writing"
    with pytest.raises(Refused) as caught:
        vendor.put(pending, 5, block("x"))
    assert caught.value.reason == "CONFLICTING_BLOCK_UPDATE"
    vendor.refused(
        "ValidationException", "CONFLICTING_BLOCK_UPDATE", "CompleteSnapshot", SnapshotId=pending, ChangedBlocksCount=0
    )
    entry.busy.clear()
    vendor.put(pending, 5, block("x"))
    assert Counter(entry.busy) == {}


def test_writers_of_the_same_blocks_at_once_leave_one_of_their_blocks_in_each_place(storage, vendor, pending):
    data = [block(str(number)) for number in range(4)]
    seen, chances = Counter(), [random.Random(number) for number in range(4)]

    def write(number):
        for _ in range(60):
            try:
                vendor.put(pending, chances[number].randrange(3), data[number])
                seen["answered"] += 1
            except Refused as refusal:
                seen[refusal.reason] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {"answered", "CONFLICTING_BLOCK_UPDATE"}
    entry = storage.ebs.snapshots._entries[pending]
    kept = {index: entry.blocks.get(index)[1] for index in entry.blocks.own}
    assert set(kept) == {0, 1, 2}
    assert set(kept.values()) <= set(data)
    assert len(list(entry.blocks._folder.glob("0*"))) == 3
    vendor.complete(pending, kept)
