# SPDX-License-Identifier: Apache-2.0
"""Other people's clients, unchanged, upload to the twin and read from it: boto3, the AWS CLI, coldsnap."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from tests.ebs_calls import BLOCK, aggregate, block, checksum
from tests.twin_world import CUSTOMER, VENDOR, client

from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.ebs.faults import Faults
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

LINEAR = {"ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
AWS = Path(sys.executable).with_name("aws")
COLDSNAP = "coldsnap"


@pytest.fixture(scope="module")
def twin():
    with Twin() as running:
        yield running


@pytest.fixture(scope="module")
def vendor(twin):
    account = twin.create_account(VENDOR, name="vendor")
    return twin.create_user(account, "release", policies=[FULL_ACCESS])


@pytest.fixture(scope="module")
def customer(twin):
    account = twin.create_account(CUSTOMER, name="customer")
    return twin.create_user(account, "admin", policies=[FULL_ACCESS])


@pytest.fixture
def ebs(twin, vendor):
    return client(twin, "ebs", vendor)


def sparse_image(path: Path, mebibytes: int, seed: int) -> dict[int, bytes]:
    """Write a disk image of which about half is zeros; return its other blocks."""
    chance, blocks = random.Random(seed), {}
    with path.open("xb") as file:
        for index in range(mebibytes * 2):
            if chance.random() < 0.5:
                blocks[index] = chance.randbytes(BLOCK)
                file.seek(index * BLOCK)
                file.write(blocks[index])
        file.truncate(mebibytes << 20)
    return blocks


def put(ebs, snapshot, index, data, **changes):
    call = {"DataLength": len(data), "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256", **changes}
    return ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, **call)


def listed(ebs, snapshot):
    """Yield all blocks of a snapshot with their tokens, page by page: botocore has no paginator for it."""
    more: dict[str, str] = {}
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, **more)
        yield from page["Blocks"]
        if "NextToken" not in page:
            return
        more = {"NextToken": page["NextToken"]}


def insist(call, **parameters):
    """Call until it is answered."""
    for _ in range(60):
        try:
            return call(**parameters)
        except ConnectionClosedError:
            continue
        except ClientError as error:
            assert error.response["Error"]["Code"] in {"InternalServerException", "RequestThrottledException"}
    raise AssertionError("it was never answered")


@pytest.mark.parametrize("mebibytes", [3, 17, 64])
def test_boto3_uploads_a_sparse_image_and_reads_it_back(twin, ebs, vendor, tmp_path, mebibytes):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    blocks = sparse_image(tmp_path / "image", mebibytes, seed)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for index, data in blocks.items():
        put(ebs, snapshot, index, data)
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(blocks), Checksum=aggregate(blocks), **LINEAR)
    read = tmp_path / "read"
    read.touch()
    os.truncate(read, mebibytes << 20)
    with read.open("r+b") as file:
        for each in listed(ebs, snapshot):
            reply = ebs.get_snapshot_block(SnapshotId=snapshot, **each)
            file.seek(each["BlockIndex"] * BLOCK)
            file.write(reply["BlockData"].read())
    assert hashlib.sha256(read.read_bytes()).digest() == hashlib.sha256((tmp_path / "image").read_bytes()).digest()
    assert twin.ebs.volume(snapshot, account=VENDOR, region=twin.region).block(0) == blocks.get(0, bytes(BLOCK))


def test_errors_are_read_with_their_reasons(ebs, customer, twin):
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with pytest.raises(ebs.exceptions.ValidationException) as caught:
        put(ebs, snapshot, 0, block("x"), Checksum=checksum(b"other"))
    assert caught.value.response["Reason"] == "INVALID_PARAMETER_VALUE"
    stranger = client(twin, "ebs", customer)
    with pytest.raises(stranger.exceptions.ResourceNotFoundException) as missing:
        put(stranger, snapshot, 0, block("x"))
    assert missing.value.response["Reason"] == "SNAPSHOT_NOT_FOUND"
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_block_is_not_signed_and_everything_else_is(twin, vendor):
    """What AWS's clients send: UNSIGNED-PAYLOAD, for PutSnapshotBlock alone."""
    ebs = client(twin, "ebs", vendor)
    sent = []
    ebs.meta.events.register("before-send.ebs", lambda request, **_: sent.append(request) and None)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(ebs, snapshot, 0, block("x"))
    started, written = sent
    assert written.headers["X-Amz-Content-SHA256"] == b"UNSIGNED-PAYLOAD"
    assert "X-Amz-Content-SHA256" not in started.headers

    def unsign(request, **_):
        request.context["payload_signing_enabled"] = False

    ebs.meta.events.register_first("before-sign.ebs.CompleteSnapshot", unsign)
    with pytest.raises(ClientError) as caught:
        ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_a_body_that_was_changed_on_the_way_is_noticed_by_its_checksum(twin, vendor):
    ebs = client(twin, "ebs", vendor)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]

    def change(request, **_):
        request.body = block("changed")

    ebs.meta.events.register("before-send.ebs.PutSnapshotBlock", change)
    with pytest.raises(ebs.exceptions.ValidationException):
        put(ebs, snapshot, 0, block("x"))


def test_a_checksum_that_was_changed_on_the_way_is_noticed_by_its_signature(twin, vendor):
    ebs = client(twin, "ebs", vendor)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]

    def change(request, **_):
        request.body = block("changed")
        request.headers["x-amz-Checksum"] = checksum(block("changed"))

    ebs.meta.events.register("before-send.ebs.PutSnapshotBlock", change)
    with pytest.raises(ClientError) as caught:
        put(ebs, snapshot, 0, block("x"))
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_connection_is_reset_where_faults_want_it_and_retries_get_through(twin, vendor, ebs):
    twin.ebs.faults = Faults(reset_rate=1)
    try:
        with pytest.raises(ConnectionClosedError):
            ebs.start_snapshot(VolumeSize=1)
        faults = twin.ebs.faults = Faults(
            error_rate=0.2, throttle_rate=0.2, reset_rate=0.1, latency=timedelta(milliseconds=1), seed=7
        )
        print(faults)
        snapshot = insist(ebs.start_snapshot, VolumeSize=1)["SnapshotId"]
        blocks = {index: block(str(index)) for index in range(4)}
        for index, data in blocks.items():
            insist(put, ebs=ebs, snapshot=snapshot, index=index, data=data)
        insist(ebs.complete_snapshot, SnapshotId=snapshot, ChangedBlocksCount=4, Checksum=aggregate(blocks), **LINEAR)
    finally:
        twin.ebs.faults = Faults()


def test_images_stand_beside_motos_own(twin, vendor, ebs):
    ec2 = client(twin, "ec2", vendor)
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)
    device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    attestable = {"BootMode": "uefi", "TpmSupport": "v2.0", "VirtualizationType": "hvm", "Architecture": "x86_64"}
    image = ec2.register_image(Name="beside", RootDeviceName="/dev/xvda", BlockDeviceMappings=[device], **attestable)[
        "ImageId"
    ]
    listed = ec2.describe_images()["Images"]
    assert len(listed) > 1, "moto has images of its own"
    (found,) = [each for each in listed if each["ImageId"] == image]
    assert found["TpmSupport"] == "v2.0"
    assert len(ec2.describe_snapshots()["Snapshots"]) > 1
    theirs = next(each["ImageId"] for each in listed if each["ImageId"] != image)
    both = ec2.describe_images(ImageIds=[theirs, image])["Images"]
    assert {each["ImageId"] for each in both} == {theirs, image}
    ec2.get_waiter("image_available").wait(ImageIds=[image])
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    instance = ec2.run_instances(ImageId=theirs, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[image, instance], Tags=[{"Key": "a", "Value": "b"}])
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"] == [{"Key": "a", "Value": "b"}]
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    assert reservation["Instances"][0]["Tags"] == [{"Key": "a", "Value": "b"}]


# --- programs ---------------------------------------------------------------------------------------------------------


def environment(twin, who) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": twin.endpoint_url,
        "AWS_REGION": twin.region,
        "AWS_DEFAULT_REGION": twin.region,
        "AWS_ACCESS_KEY_ID": who.access_key_id,
        "AWS_SECRET_ACCESS_KEY": who.secret_access_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(twin, who, *command) -> str:
    done = subprocess.run(command, env=environment(twin, who), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_aws_cli_makes_a_snapshot_and_an_image(twin, vendor, tmp_path):
    def aws(*arguments):
        return json.loads(run(twin, vendor, sys.executable, str(AWS), "--output", "json", *arguments) or "{}")

    data = block("cli")
    (tmp_path / "block").write_bytes(data)
    snapshot = aws("ebs", "start-snapshot", "--volume-size", "1", "--tags", "Key=a,Value=b")["SnapshotId"]
    common = ["--checksum", checksum(data), "--checksum-algorithm", "SHA256"]
    put_block = ["--snapshot-id", snapshot, "--block-index", "3", "--data-length", str(BLOCK), *common]
    told = aws("ebs", "put-snapshot-block", *put_block, "--block-data", str(tmp_path / "block"))
    assert told["Checksum"] == checksum(data)
    complete = ["--changed-blocks-count", "1", "--checksum", aggregate({3: data}), "--checksum-algorithm", "SHA256"]
    complete += ["--checksum-aggregation-method", "LINEAR"]
    assert aws("ebs", "complete-snapshot", "--snapshot-id", snapshot, *complete)["Status"] == "completed"
    (listed,) = aws("ebs", "list-snapshot-blocks", "--snapshot-id", snapshot)["Blocks"]
    get = ["--snapshot-id", snapshot, "--block-index", "3", "--block-token", listed["BlockToken"]]
    aws("ebs", "get-snapshot-block", *get, str(tmp_path / "read"))
    assert (tmp_path / "read").read_bytes() == data
    # As AWS's page on Attestable AMIs has it.
    register = ["--virtualization-type", "hvm", "--boot-mode", "uefi", "--architecture", "x86_64", "--ena-support"]
    register += ["--root-device-name", "/dev/xvda", "--tpm-support", "v2.0", "--name", "cli"]
    register += ["--block-device-mappings", f"DeviceName=/dev/xvda,Ebs={{SnapshotId={snapshot}}}"]
    image = aws("ec2", "register-image", *register)["ImageId"]
    permission = ["--launch-permission", f"Add=[{{UserId={CUSTOMER}}}]"]
    aws("ec2", "modify-image-attribute", "--image-id", image, *permission)
    told = aws("ec2", "describe-image-attribute", "--image-id", image, "--attribute", "launchPermission")
    assert told["LaunchPermissions"] == [{"UserId": CUSTOMER}]
    (found,) = aws("ec2", "describe-images", "--image-ids", image)["Images"]
    assert (found["TpmSupport"], found["BootMode"]) == ("v2.0", "uefi")


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which(COLDSNAP) is None, reason="no coldsnap in PATH (`cargo install coldsnap --locked` takes some minutes)"
)
@pytest.mark.parametrize("options", [[], ["--omit-zero-blocks"]])
def test_coldsnap_uploads_waits_and_downloads(twin, vendor, tmp_path, options):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    image = tmp_path / "image"
    blocks = sparse_image(image, 40, seed)
    done = run(twin, vendor, COLDSNAP, "upload", "--no-progress", "--wait", *options, str(image))
    snapshot = done.strip()
    entry = twin.ebs.snapshots._entries[snapshot]
    assert len(entry.blocks.own) == (len(blocks) if options else 80)
    run(twin, vendor, COLDSNAP, "download", "--no-progress", snapshot, str(tmp_path / "read"))
    with (tmp_path / "read").open("rb") as file:
        assert file.read(40 << 20) == image.read_bytes()
