# SPDX-License-Identifier: Apache-2.0
"""Quotas, and trouble on purpose."""

import random
from datetime import timedelta

import pytest
from tests.ebs_calls import Refused, block
from tests.kms_calls import CUSTOMER, VENDOR

from strongroom.twin.ebs.faults import Faults
from strongroom.twin.ebs.quotas import AWS_QUOTAS, Quotas


@pytest.fixture
def vendor(storage):
    return storage.uploader(VENDOR)


def outcome(call, *arguments, **parameters) -> str:
    try:
        call(*arguments, **parameters)
    except Refused as refusal:
        return str(refusal.reason or refusal.name)
    except ConnectionResetError:
        return "reset"
    return "answered"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_quotas_nothing_is_throttled(vendor):
    assert {outcome(vendor.start) for _ in range(200)} == {"answered"}


def test_an_account_has_so_many_requests_a_second_in_a_region(storage, vendor):
    clock = storage.ebs.meter.clock = Clock()
    storage.ebs.meter.quotas = AWS_QUOTAS
    assert [outcome(vendor.start) for _ in range(12)] == ["answered"] * 10 + ["ACCOUNT_THROTTLED"] * 2
    assert outcome(vendor.at("us-east-1").start) == "answered"
    assert outcome(storage.uploader(CUSTOMER).start) == "answered"
    clock.now += 0.2
    assert [outcome(vendor.start) for _ in range(3)] == ["answered"] * 2 + ["ACCOUNT_THROTTLED"]
    clock.now += 3600
    assert [outcome(vendor.start) for _ in range(11)] == ["answered"] * 10 + ["ACCOUNT_THROTTLED"]


def test_a_snapshot_has_so_many_puts_a_second(storage, vendor):
    clock = storage.ebs.meter.clock = Clock()
    storage.ebs.meter.quotas = Quotas(per_snapshot={"PutSnapshotBlock": 2})
    first, second = vendor.start(), vendor.start()
    data = block("x")
    assert [outcome(vendor.put, first, index, data) for index in range(3)] == [
        "answered",
        "answered",
        "RESOURCE_LEVEL_THROTTLE",
    ]
    assert outcome(vendor.put, second, 0, data) == "answered"
    clock.now += 0.5
    assert outcome(vendor.put, first, 2, data) == "answered"
    vendor.complete(first, dict.fromkeys(range(3), data))


def test_an_account_has_so_many_pending_snapshots(storage, vendor):
    storage.ebs.meter.quotas = Quotas(pending_snapshots=3)
    started = [vendor.start(Timeout=10) for _ in range(3)]
    vendor.refused("ConcurrentLimitExceededException", "", "StartSnapshot", VolumeSize=1)
    storage.uploader(CUSTOMER).start()
    vendor.complete(started[0], {})
    assert outcome(vendor.start, Timeout=10) == "answered"
    storage.pass_time(minutes=11)
    assert [outcome(vendor.start) for _ in range(4)] == ["answered"] * 3 + ["ConcurrentLimitExceededException"]


def test_awss_own_quotas_are_those_of_its_pages():
    assert AWS_QUOTAS.per_account["PutSnapshotBlock"] == AWS_QUOTAS.per_snapshot["PutSnapshotBlock"] == 1000
    assert AWS_QUOTAS.per_account["ListSnapshotBlocks"] == 50
    assert AWS_QUOTAS.pending_snapshots == 100


def test_the_first_puts_on_a_snapshot_may_find_that_it_does_not_exist_yet(storage, vendor):
    storage.ebs.faults = Faults(unknown_puts=2)
    for snapshot in (vendor.start(), vendor.start()):
        found = [outcome(vendor.put, snapshot, 0, block("x")) for _ in range(3)]
        assert found == ["SNAPSHOT_NOT_FOUND", "SNAPSHOT_NOT_FOUND", "answered"]
        vendor.complete(snapshot, {0: block("x")})


def test_trouble_comes_as_often_as_was_asked_for_and_again_with_its_seed(storage, vendor):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    snapshot = vendor.upload({})

    def seen():
        storage.ebs.faults = Faults(error_rate=0.1, throttle_rate=0.1, reset_rate=0.1, seed=seed)
        return [outcome(vendor, "ListSnapshotBlocks", SnapshotId=snapshot) for _ in range(600)]

    first = seen()
    assert first == seen()
    for kind in ("InternalServerException", "ACCOUNT_THROTTLED", "reset"):
        assert 25 < first.count(kind) < 110, f"seed {seed}: {kind} {first.count(kind)}"
    assert str(seed) in repr(storage.ebs.faults)


def test_faults_without_a_seed_have_one_of_their_own():
    assert len({Faults().seed for _ in range(4)}) > 1


def test_before_an_error_nothing_has_happened_and_before_a_lost_answer_everything(storage, vendor):
    snapshot = vendor.start()
    storage.ebs.faults = Faults(error_rate=1)
    assert outcome(vendor.put, snapshot, 0, block("x")) == "InternalServerException"
    storage.ebs.faults = Faults(reset_rate=1)
    assert outcome(vendor.put, snapshot, 1, block("x")) == "reset"
    storage.ebs.faults = Faults(lost_answer_rate=1)
    assert outcome(vendor.put, snapshot, 2, block("x")) == "reset"
    storage.ebs.faults = Faults()
    vendor.complete(snapshot, {2: block("x")})


def test_latency_is_slept(storage, vendor):
    slept = []
    storage.ebs.faults = Faults(latency=timedelta(milliseconds=100), sleep=slept.append)
    vendor.start()
    assert slept == [0.1]
