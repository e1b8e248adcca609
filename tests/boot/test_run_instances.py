# SPDX-License-Identifier: Apache-2.0
"""RunInstances of the twin's own images, with boto3: what boots, what it is told, and how its record follows it."""

import base64
import configparser
import hashlib
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.boot.guest_disk import NETWORK, busybox_initrd, disk_of
from tests.processes import wait_until
from tests.twin_up import Place
from tests.twin_world import client

from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.uefi_data import read_uefi_data, write_uefi_data
from strongroom.formats.uki import assemble_uki
from strongroom.measure.predict import measure_image
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.ebs.snapshots import BLOCK_BYTES
from strongroom.twin.qemu.machine import Cause
from strongroom.twin.qemu.variables import file_option, option_variables
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

SECONDS = 180
VENDOR, CUSTOMER = "111111111111", "222222222222"
GATES = (2, 4, 7, 12, 13)
REQUEST = r"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n"
SCRIPT = rf"""{NETWORK}
printf '{REQUEST}X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' | nc -w 5 169.254.169.254 80 > /token
header="X-aws-ec2-metadata-token: $(cat /token | sed -n '$p')"
get() {{ wget -q -O - --header "$header" "http://169.254.169.254/latest/$1"; }}
echo "INSTANCE $(get meta-data/instance-id)"
echo "ROLE $(get meta-data/iam/security-credentials/)"
echo "USER DATA $(get user-data)"
echo "TYPE $(get dynamic/instance-identity/document | grep instanceType)"
[ -e /sys/class/tpm/tpm0 ] && echo "HAS A TPM" || echo "HAS NO TPM"
echo "DISKS $(echo /sys/block/nvme*)"
[ "$(get user-data)" = "end yourself" ] || sleep 600
"""


@pytest.fixture(scope="module")
def image(parts) -> bytes:
    sections = [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", b"console=ttyS0 quiet"),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", busybox_initrd(parts, SCRIPT)),
    ]
    return bytes(assemble_uki(parts.stub.read_bytes(), sections))


class World:
    """A twin with a vendor who has uploaded a disk, and a customer who runs it."""

    def __init__(self, twin: Twin, disk: bytes) -> None:
        self.twin = twin
        for account, name in ((VENDOR, "vendor"), (CUSTOMER, "customer")):
            twin.create_account(account, name=name)
        vendor = twin.create_user(VENDOR, "admin", policies=[FULL_ACCESS])
        customer = twin.create_user(CUSTOMER, "admin", policies=[FULL_ACCESS])
        twin.create_role(CUSTOMER, "app", policies=[FULL_ACCESS])
        self.vendor = client(twin, "ec2", vendor)
        self.customer = client(twin, "ec2", customer)
        self.iam = client(twin, "iam", customer)
        self.snapshot = upload(client(twin, "ebs", vendor), disk)

    def register(self, name: str, **parameters) -> str:
        call = {
            "Name": name,
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "BootMode": "uefi",
            "TpmSupport": "v2.0",
            "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": self.snapshot}}],
        } | parameters
        found = self.vendor.register_image(**{key: value for key, value in call.items() if value is not None})
        permission = {"Add": [{"UserId": CUSTOMER}]}
        self.vendor.modify_image_attribute(ImageId=found["ImageId"], LaunchPermission=permission)
        return str(found["ImageId"])

    def run(self, image_id: str, **parameters) -> str:
        call = {"ImageId": image_id, "MinCount": 1, "MaxCount": 1, "InstanceType": "m7i.large"} | parameters
        reply = self.customer.run_instances(**call)
        (instance,) = reply["Instances"]
        return str(instance["InstanceId"])

    def machine(self, instance_id: str):
        return [each for each in self.twin.boots.instances if each.instance_id == instance_id][-1]

    def described(self, instance_id: str) -> dict[str, object]:
        (reservation,) = self.customer.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return dict(reservation["Instances"][0])

    def state(self, instance_id: str) -> str:
        return str(self.described(instance_id)["State"]["Name"])  # type: ignore[index]

    def console(self, instance_id: str) -> str:
        return str(self.customer.get_console_output(InstanceId=instance_id)["Output"])


def upload(ebs, disk: bytes) -> str:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    blocks = [disk[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0") for at in range(0, len(disk), BLOCK_BYTES)]
    written = {index: block for index, block in enumerate(blocks) if block.strip(b"\0")}
    for index, block in written.items():
        checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
        ebs.put_snapshot_block(
            SnapshotId=snapshot,
            BlockIndex=index,
            BlockData=block,
            DataLength=BLOCK_BYTES,
            Checksum=checksum,
            ChecksumAlgorithm="SHA256",
        )
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(written))
    return str(snapshot)


@pytest.fixture(scope="module")
def world(image):
    with Twin() as twin:
        yield World(twin, disk_of(image))


def said(console: str, word: str) -> str:
    (found,) = [line.partition(word)[2].strip() for line in console.splitlines() if line.startswith(f"{word} ")]
    return found


def test_an_instance_boots_its_images_blocks_and_its_record_follows_it(world, image):
    world.iam.create_instance_profile(InstanceProfileName="profile")
    world.iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="app")
    ami = world.register("boots")
    found = world.run(ami, IamInstanceProfile={"Name": "profile"}, UserData="where = bundles")
    machine = world.machine(found)
    assert machine.console.wait_for("DISKS", seconds=SECONDS), machine.console.text[-2000:]
    machine.console.wait_for("nvme0n1\r\n", seconds=10)
    console = world.console(found)
    assert said(console, "INSTANCE") == found
    assert said(console, "ROLE") == "app"
    assert said(console, "USER DATA") == "where = bundles"
    assert "m7i.large" in said(console, "TYPE")
    assert "HAS A TPM" in console
    predicted = measure_image(image, secure_boot=None).pcrs
    assert {index: machine.pcrs[index] for index in GATES} == {index: predicted[index] for index in GATES}
    shown = world.described(found)
    assert (shown["BootMode"], shown["TpmSupport"], shown["ImageId"]) == ("uefi", "v2.0", ami)
    assert world.state(found) == "running"
    assert {each.name for each in read_uefi_data(uefi_data(world, found))} >= {"BootOrder"}
    world.customer.send_diagnostic_interrupt(InstanceId=found)
    assert machine.console.wait_for("NMI received", seconds=60)

    world.customer.stop_instances(InstanceIds=[found], Force=True)
    assert world.state(found) == "stopped"
    assert machine.ending.cause is Cause.STOPPED
    with pytest.raises(ClientError) as caught:
        world.customer.send_diagnostic_interrupt(InstanceId=found)
    assert caught.value.response["Error"]["Code"] == "IncorrectInstanceState"
    world.customer.start_instances(InstanceIds=[found])
    again = world.machine(found)
    assert again is not machine
    assert again.ending is None
    assert world.state(found) == "running"
    world.customer.terminate_instances(InstanceIds=[found], SkipOsShutdown=True)
    assert world.state(found) == "terminated"
    assert again.ending.cause is Cause.STOPPED


def uefi_data(world: World, instance_id: str) -> bytes:
    return str(world.customer.get_instance_uefi_data(InstanceId=instance_id)["UefiData"]).encode()


@pytest.mark.parametrize(("behavior", "state"), [("stop", "stopped"), ("terminate", "terminated")])
def test_an_instance_that_switches_itself_off_is_stopped_or_terminated(world, behavior, state):
    ami = world.register(f"ends itself {behavior}", TpmSupport=None)
    extra = [{"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 1}}]
    found = world.run(
        ami, UserData="end yourself", InstanceInitiatedShutdownBehavior=behavior, BlockDeviceMappings=extra
    )
    wait_until(lambda: world.state(found) == state, "its record says otherwise", seconds=SECONDS, pause=0.5)
    console = world.console(found)
    assert "HAS NO TPM" in console, "the image does not say that it supports one"
    assert said(console, "DISKS") == "/sys/block/nvme0n1 /sys/block/nvme1n1"
    assert said(console, "ROLE") == "", "no profile, no role"
    assert world.machine(found).ending.cause is Cause.POWERED_OFF


def test_uefi_data_of_the_image_reach_the_firmware(world):
    option = file_option(r"\EFI\BOOT\BOOTX64.EFI", command_line="console=ttyS0 quiet hostile")
    data = write_uefi_data(EfiVariables(option_variables("Boot", [option], first=0x42)))
    found = world.run(world.register("hostile", UefiData=data.decode()), UserData="end yourself")
    machine = world.machine(found)
    assert machine.wait(SECONDS).cause is Cause.POWERED_OFF
    assert machine.pcrs[12] != bytes(48)
    world.customer.terminate_instances(InstanceIds=[found])


def test_what_cannot_boot_is_said(world, monkeypatch):
    arm, bios = world.register("arm", Architecture="arm64"), world.register("bios", BootMode=None, TpmSupport=None)
    for ami in (arm, bios):
        assert refused(world, ami) == "Unsupported"
    ami = world.register("fine")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        patch.setattr("strongroom.twin.qemu.programs.shutil.which", lambda *_, **__: None)
        assert refused(world, ami) == "InsufficientInstanceCapacity"
    assert refused(world, ami, MinCount=99, MaxCount=99) == "InsufficientInstanceCapacity"
    assert refused(world, ami, IamInstanceProfile={"Name": "nobody's"}) == "InvalidParameterValue"
    assert refused(world, ami, UserData="x" * 17_000) == "InvalidParameterValue"
    assert refused(world, ami, DryRun=True) == "DryRunOperation"
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": world.snapshot}}]
    assert refused(world, ami, BlockDeviceMappings=mapping) == "InvalidParameterCombination"
    before = len(world.twin.boots.instances)
    nobody = world.twin.create_user(CUSTOMER, "nobody", policies=[])
    with pytest.raises(ClientError) as caught:
        client(world.twin, "ec2", nobody).run_instances(ImageId=ami, MinCount=1, MaxCount=1)
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert len(world.twin.boots.instances) == before


def refused(world: World, ami: str, **parameters) -> str:
    with pytest.raises(ClientError) as caught:
        world.run(ami, **parameters)
    return str(caught.value.response["Error"]["Code"])


def test_an_image_of_motos_stays_a_record(world):
    before = len(world.twin.boots.instances)
    found = world.run("ami-12c6146b")
    assert world.state(found) == "running"
    assert len(world.twin.boots.instances) == before
    world.customer.terminate_instances(InstanceIds=[found])
    assert world.state(found) == "terminated"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "home").mkdir()
    found = Place(tmp_path)
    yield found
    found.end_all()


def test_the_aws_cli_runs_an_instance_on_a_twin_and_it_goes_with_it(place, image):
    twin = place.up()
    profiles = configparser.ConfigParser()
    profiles.read(place.home / "aws/credentials")
    key = profiles["customer"]
    session = boto3.Session(key["aws_access_key_id"], key["aws_secret_access_key"], region_name=twin["region"])
    snapshot = upload(session.client("ebs", endpoint_url=twin["endpoint"]), disk_of(image))
    device = f"DeviceName=/dev/xvda,Ebs={{SnapshotId={snapshot}}}"
    ran = place.shell(
        f"""
        ami=$(aws ec2 register-image --name acme-1.0 --architecture x86_64 --virtualization-type hvm --boot-mode uefi \
            --tpm-support v2.0 --root-device-name /dev/xvda --block-device-mappings '{device}' \\
            --query ImageId --output text)
        instance=$(aws ec2 run-instances --image-id $ami --iam-instance-profile Name=app --user-data bundles \
            --query 'Instances[0].InstanceId' --output text)
        for second in $(seq 90); do
            aws ec2 get-console-output --instance-id $instance --query Output --output text > console
            if grep -q "^HAS A TPM" console; then break; fi
            sleep 1
        done
        cat console
        """,
        "customer",
    )
    assert ran.returncode == 0, ran.stderr
    assert said(ran.stdout, "ROLE") == "app", "a role of the accounts file is in a profile of its own name"
    assert said(ran.stdout, "USER DATA") == "bundles"
    machines = children_of(twin["pid"])
    assert len(machines) == 1
    assert place.run("twin", "down").returncode == 0
    wait_until(lambda: not any(map(is_there, machines)), "QEMU goes on")


def children_of(pid: int) -> list[int]:
    found = [
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    ]
    return [each for each in found if b"qemu" in Path(f"/proc/{each}/cmdline").read_bytes()]


def is_there(pid: int) -> bool:
    return b"qemu" in Path(f"/proc/{pid}/cmdline").read_bytes() if Path(f"/proc/{pid}").exists() else False
