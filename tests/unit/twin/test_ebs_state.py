# SPDX-License-Identifier: Apache-2.0
"""Snapshots outlive the twin: an orderly end, a full disk, damage, and being killed at any moment."""

import base64
import errno
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tests.ebs_calls import BLOCK, Refused, Storage, aggregate, block, checksum
from tests.ebs_victim import KEY_ID, SECRET
from tests.kms_calls import VENDOR
from tests.processes import ended

from strongroom.errors import FormatError
from strongroom.twin.ebs import blocks as blocks_module
from strongroom.twin.ebs.keeper import StateKeeper, blocks_folder
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.state_file import Row, StateFile

ROOT = Path(__file__).parents[3]
KILLS = 8
FEW = {0: block("a"), 3: block("b"), 9: block("c")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "twin.db"


def restarted(path, use):
    """Run EBS with the state for as long as `use` takes."""
    with StateFile(path) as file:
        storage = Storage(file)
        return use(storage, storage.uploader(VENDOR))


def test_everything_is_there_after_a_restart_and_goes_on(path):
    def filled(_, vendor):
        tags = [{"Key": "a", "Value": "ä"}]
        done = vendor.upload(FEW, Description="ö", Tags=tags, ClientToken="done", Encrypted=True)
        child = vendor.upload({3: block("new")}, ParentSnapshotId=done)
        pending = vendor.start(ClientToken="pending")
        vendor.put(pending, 7, block("before"))
        vendor.put(pending, 7, block("after"))
        return done, child, pending, vendor.tokens(done)[3]

    done, child, pending, token = restarted(path, filled)

    def again(storage, vendor):
        assert vendor.start(ClientToken="pending") == pending
        kept = storage.ebs.snapshots._entries[done].snapshot
        assert (kept.description, kept.tags, kept.encrypted) == ("ö", {"a": "ä"}, True)
        assert vendor("GetSnapshotBlock", SnapshotId=done, BlockIndex=3, BlockToken=token)["BlockData"] == FEW[3]
        assert vendor.download(child) == {**FEW, 3: block("new")}
        vendor.put(pending, 8, block("more"))
        vendor.complete(pending, {7: block("after"), 8: block("more")})
        storage.ebs.snapshots.remove(storage.ebs.snapshots._entries[done])

    restarted(path, again)

    def at_last(_, vendor):
        assert vendor.download(pending) == {7: block("after"), 8: block("more")}
        assert vendor.download(child) == {**FEW, 3: block("new")}
        vendor.refused("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", "ListSnapshotBlocks", SnapshotId=done)

    restarted(path, at_last)
    assert {each.name for each in blocks_folder(path).iterdir()} == {child, pending}


def test_a_timeout_runs_while_the_twin_is_off_by_its_own_clock(path):
    snapshot = restarted(path, lambda _, vendor: vendor.start(Timeout=60))

    def an_hour_later(storage, vendor):
        storage.pass_time(minutes=59)
        vendor.put(snapshot, 0, FEW[0])

    def two_hours_later(storage, vendor):
        storage.pass_time(minutes=118)
        vendor.put(snapshot, 1, FEW[0])

    def late(storage, vendor):
        storage.pass_time(minutes=179)
        with pytest.raises(Refused):
            vendor.put(snapshot, 2, FEW[0])

    for use in (an_hour_later, two_hours_later, late):
        restarted(path, use)


def test_blocks_and_their_folders_are_their_owners_alone(path):
    restarted(path, lambda _, vendor: vendor.upload(FEW))
    for folder, _, files in os.walk(blocks_folder(path)):
        assert Path(folder).stat().st_mode & 0o077 == 0
        assert all((Path(folder) / name).stat().st_mode & 0o077 == 0 for name in files)


def test_without_a_state_file_nothing_stays():
    storage = Storage()
    vendor = storage.uploader(VENDOR)
    vendor.upload(FEW)
    folder = storage.ebs.snapshots._folder
    assert folder.is_dir()
    storage.ebs.close()
    assert not folder.exists()


# --- a full disk ------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_an_internal_error_and_loses_nothing(path, monkeypatch):
    def use(_, vendor):
        snapshot = vendor.start()
        vendor.put(snapshot, 0, block("kept"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK // 2, limits[1]))  # as much fits into a file, then EFBIG
        try:
            for index in (0, 1):
                with pytest.raises(Refused) as caught:
                    vendor.put(snapshot, index, block("lost"))
                assert (caught.value.name, caught.value.status) == ("InternalServerException", 500)
                assert os.strerror(errno.EFBIG) in caught.value.message
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        vendor.put(snapshot, 2, block("later"))
        vendor.complete(snapshot, {0: block("kept"), 2: block("later")})
        assert vendor.download(snapshot) == {0: block("kept"), 2: block("later")}

    restarted(path, use)
    assert not list(blocks_folder(path).glob("*/part-*"))


def test_a_snapshot_that_cannot_be_flushed_stays_pending(path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def use(_, vendor):
        snapshot = vendor.start()
        vendor.put(snapshot, 0, FEW[0])
        with monkeypatch.context() as patch:
            patch.setattr(blocks_module, "_sync", full)
            vendor.refused("InternalServerException", "", "CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=1)
        vendor.put(snapshot, 3, FEW[3])
        vendor.complete(snapshot, {0: FEW[0], 3: FEW[3]})

    restarted(path, use)


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_block_that_was_damaged_is_not_handed_out(path):
    def use(_, vendor):
        snapshot = vendor.upload(FEW)
        (file,) = blocks_folder(path).glob(f"{snapshot}/00000003-*")
        file.write_bytes(block("b")[:-1] + b"\0")
        token = vendor.tokens(snapshot)[3]
        call = {"SnapshotId": snapshot, "BlockIndex": 3, "BlockToken": token}
        assert str(file) in vendor.refused("InternalServerException", "", "GetSnapshotBlock", **call)

    restarted(path, use)


def lost(file):
    file.unlink()


def emptied(file):
    os.truncate(file, 0)


def moved(file):
    file.rename(file.with_name(file.name.replace("00000003", "00000004")))


@pytest.mark.parametrize("harm", [lost, emptied, moved])
@pytest.mark.parametrize("where", ["", "inherited/"])
def test_a_completed_snapshot_that_lacks_a_block_is_refused_and_not_taken_for_zeros(path, harm, where):
    def use(_, vendor):
        parent = vendor.upload(FEW)
        return vendor.upload({}, ParentSnapshotId=parent) if where else parent

    snapshot = restarted(path, use)
    (file,) = blocks_folder(path).glob(f"{snapshot}/{where}00000003-*")
    harm(file)
    for _ in range(2):
        with StateFile(path) as state, pytest.raises(FormatError) as caught:
            Storage(state)
        assert caught.value.code == "twin.state"
        assert "the blocks of snap-" in str(caught.value)


def changed_bodies(path):
    """Yield rows of a snapshot with one thing wrong in each, under a good checksum."""
    with StateFile(path) as file:
        row = next(iter(file.rows("ebs-snapshot")))
    members = json.loads(row.body)
    for name in members:
        yield Row(row.kind, row.name, json.dumps({key: each for key, each in members.items() if key != name}))
        yield Row(row.kind, row.name, json.dumps({**members, name: [7]}))
    yield Row(row.kind, row.name, json.dumps({**members, "more": 1}))
    yield Row(row.kind, row.name, json.dumps({**members, "started": "2026-01-01T00:00:00"}))
    yield Row(row.kind, row.name, json.dumps({**members, "snapshot_id": "snap-../../x"}))
    yield Row(row.kind, row.name, "no JSON")
    yield Row(row.kind, "snap-00000000000000000", row.body)


def test_whatever_is_wrong_in_a_row_is_named(path):
    restarted(path, lambda _, vendor: vendor.start(Encrypted=True))
    whole = path.read_bytes()
    for row in list(changed_bodies(path)):
        path.write_bytes(whole)
        with StateFile(path) as file:
            file.write([row])
        with StateFile(path) as file, pytest.raises(FormatError) as caught:
            StateKeeper(file).load()
        assert caught.value.code == "twin.state", row


def test_a_damaged_secret_is_named(path):
    with StateFile(path) as file:
        file.write([Row("ebs-secret", "tokens", "00")])
        with pytest.raises(FormatError):
            StateKeeper(file).token_secret()


@pytest.mark.parametrize("later", [FEW[0], FEW[3]])
def test_two_blocks_in_one_place_are_the_later_one(path, later):
    """As a process leaves them that was killed before it removed the older one."""
    earlier = next(each for each in (FEW[0], FEW[3]) if each != later)

    def use(_, vendor):
        snapshot = vendor.start()
        vendor.put(snapshot, 5, earlier)
        vendor.put(snapshot, 6, later)
        return snapshot

    snapshot = restarted(path, use)
    folder = blocks_folder(path) / snapshot
    (file,) = folder.glob("00000006-*")
    file.rename(folder / file.name.replace("00000006", "00000005"))
    (folder / "part-3").write_bytes(b"half a block")

    def again(_, vendor):
        vendor.complete(snapshot, {5: later})
        assert vendor.download(snapshot) == {5: later}

    restarted(path, again)
    assert len(list(folder.glob("*-*"))) == 1


# --- kill -9 ----------------------------------------------------------------------------------------------------------


class Upload:
    """What an uploader knows: which blocks were answered, and which may or may not be there."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.answered: dict[int, bytes] = {}
        self.unsure: dict[int, set[bytes]] = {}
        self.lock = threading.Lock()

    def possible(self, index: int) -> set[bytes]:
        known = {hashlib.sha256(self.answered[index]).digest()} if index in self.answered else set()
        return known | {hashlib.sha256(each).digest() for each in self.unsure.get(index, set())}


def client(url: str):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return boto3.client(
        "ebs",
        region_name=DEFAULT_REGION,
        endpoint_url=url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=config,
    )


def put_without_end(ebs, snapshot: str, upload: Upload, mine: range) -> None:
    """Put blocks, some of them again, until the endpoint is gone; each thread has indexes of its own."""
    for number in range(1_000_000):
        with upload.lock:
            index, text = upload.chance.choice(mine), str(upload.chance.random())
        data = block(text)
        with upload.lock:
            upload.unsure.setdefault(index, set()).add(data)
        try:
            ebs.put_snapshot_block(
                SnapshotId=snapshot,
                BlockIndex=index,
                BlockData=data,
                DataLength=BLOCK,
                Checksum=checksum(data),
                ChecksumAlgorithm="SHA256",
            )
        except (BotoCoreError, ClientError):
            assert number > 0
            return
        with upload.lock:
            upload.answered[index] = data
            upload.unsure[index] = set()


def killed_during(path, seconds: float, use) -> None:
    """Run a real twin, kill it after a while, and wait for the uploaders."""
    command = [sys.executable, "-m", "tests.ebs_victim", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    with ended(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)) as victim:
        assert victim.stdout is not None
        threads = use(victim.stdout.readline().decode().strip())
        time.sleep(seconds)
        victim.kill()
        for thread in threads:
            thread.join()
        victim.stdout.close()


@pytest.mark.slow
def test_a_twin_that_is_killed_during_an_upload_has_every_block_that_it_answered(path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    upload = Upload(seed)
    snapshot = ""

    def start(url):
        nonlocal snapshot
        ebs = client(url)
        snapshot = ebs.start_snapshot(VolumeSize=1, ClientToken="one")["SnapshotId"]
        ranges = (range(20), range(20, 40), range(40, 60))
        threads = [threading.Thread(target=put_without_end, args=(ebs, snapshot, upload, mine)) for mine in ranges]
        for thread in threads:
            thread.start()
        return threads

    for number in range(KILLS):
        before = snapshot
        killed_during(path, upload.chance.uniform(0.05, 0.8), start)
        assert before in {"", snapshot}, "the client token finds the same snapshot"
        with StateFile(path) as file:
            found = Storage(file).ebs.snapshots._entries[snapshot].blocks
        kept = found.own
        assert set(upload.answered) <= set(kept), f"seed {seed}, kill {number}"
        for index, digest in kept.items():
            assert digest in upload.possible(index), f"seed {seed}, kill {number}, block {index}"
            data = found.get(index)[1]
            upload.answered[index], upload.unsure[index] = data, set()
    with StateFile(path) as file:
        vendor = Storage(file).uploader(VENDOR)
        vendor.complete(snapshot, upload.answered)
        assert vendor.download(snapshot) == upload.answered
    print(f"{len(upload.answered)} blocks, {KILLS} kills, aggregate {aggregate(upload.answered)}")
    assert base64.b64decode(aggregate(upload.answered))
