# SPDX-License-Identifier: Apache-2.0
"""Calls about instances, with machines that are none: what is handed to them, what is asked of them, what is refused.

That they boot, and that boto3 and the AWS CLI get along with it, is in tests/boot/test_run_instances.py.
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.ec2_calls import BLOCKS, ROOT, Ec2, Refused, Registrar
from tests.kms_calls import CUSTOMER, VENDOR
from werkzeug.wrappers import Response

from strongroom.errors import LocalFault
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.uefi_data import read_uefi_data, write_uefi_data
from strongroom.twin.accounts import FULL_ACCESS, PrincipalKind
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.query import NAMESPACE, read_form
from strongroom.twin.instances import launching
from strongroom.twin.instances.boots import MOST_MACHINES
from strongroom.twin.instances.launching import Launching
from strongroom.twin.instances.service import CONSOLE_BYTES, Instances
from strongroom.twin.qemu.console import Console
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.machine import Cause, Ending
from strongroom.twin.qemu.variables import boot_next

RUN_ALLOWED = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}


class FakeMachine:
    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self.console = Console()
        self.ending: Ending | None = None
        self.did: list[str] = []

    def press_power_button(self) -> None:
        self.did.append("button")

    def wait(self, seconds: float) -> None:
        self.did.append(f"{seconds:g} s")

    def interrupt(self) -> None:
        if self.ending:
            raise LocalFault("qemu.silent", "it has ended")
        self.did.append("nmi")

    def stop(self) -> None:
        self.ending = self.ending or Ending(Cause.STOPPED, 1.0)

    def variables(self) -> EfiVariables:
        return EfiVariables((boot_next(9),))


@dataclass
class FakeInstance:
    instance_id: str
    account_id: str
    region: str
    image_id: str
    instance_type: str
    role: str
    machine: FakeMachine = field(init=False)

    @property
    def console(self) -> Console:
        return self.machine.console

    @property
    def ending(self) -> Ending | None:
        return self.machine.ending


class FakeBoots:
    def __init__(self) -> None:
        self.instances: list[FakeInstance] = []
        self.booted: list[dict[str, object]] = []
        self.fault: LocalFault | None = None

    def start(self, instance: FakeInstance, hardware: Hardware, *, role, user_data) -> None:
        if self.fault is not None:
            raise self.fault
        instance.machine = FakeMachine(hardware)
        self.instances.append(instance)
        sizes = [path.stat().st_size >> 30 for path in hardware.disks]
        with hardware.disk.open("rb") as disk:
            first = disk.read(8)
        self.booted.append({"first": first, "gib": sizes, "role": role, "user_data": user_data})


class FakeMoto:
    """Enters instances for RunInstances and remembers what else it is asked; `error` is its answer if there is one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.entered = 0
        self.error: Response | None = None

    def answer(self, call) -> Response:
        form = read_form(call.call.body)
        ids = tuple(value for name, value in form.items() if name.startswith("InstanceId."))
        self.asked.append((form["Action"], ids))
        if self.error is not None:
            return self.error
        if form["Action"] == "RunInstances":
            if form.get("DryRun") == "true":
                raise AwsFault("DryRunOperation", "Request would have succeeded.", status=412)
            numbers = range(self.entered, self.entered + int(form["MinCount"]))
            self.entered += len(numbers)
            items = "".join(f"<item><instanceId>i-{number:017x}</instanceId></item>" for number in numbers)
            return reply(f"<instancesSet>{items}</instancesSet>")
        if form["Action"] == "DescribeInstances":
            items = "".join(f"<item><instanceId>i-{number:017x}</instanceId></item>" for number in range(9))
            return reply(f"<reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet>")
        return reply("")

    @property
    def last(self) -> tuple[str, tuple[str, ...]]:
        return self.asked[-1]


def reply(inner: str) -> Response:
    return Response(f"<R xmlns='{NAMESPACE}'>{inner}</R>", mimetype="text/xml")


class Scene:
    def __init__(self) -> None:
        self.ec2 = Ec2()
        self.boots, self.moto = FakeBoots(), FakeMoto()
        self.instances = Instances(
            Launching(self.ec2.images.registry, self.ec2.ebs, self._role),
            self.boots,
            self.moto.answer,
            make=self._make,
            clock=self.ec2.clock,
        )
        self.ec2.images._moto = self.instances.answer
        self.vendor, self.customer = self.ec2.registrar(VENDOR), self.ec2.registrar(CUSTOMER)
        self.app = self.ec2.directory.create_principal(CUSTOMER, PrincipalKind.ROLE, "app", policies=(FULL_ACCESS,))

    def _role(self, account: str, profile: str):
        if profile != "app":
            raise AwsFault("InvalidParameterValue", "Invalid IAM Instance Profile")
        return self.ec2.directory.role(account, profile)

    def _make(self, instance_id, *, account, region, image_id, kind, role) -> FakeInstance:
        return FakeInstance(instance_id, account, region, image_id, kind, role)

    def shared(self, **parameters) -> str:
        """An image of the vendor's that the customer may launch."""
        ami = self.vendor.register(**parameters)
        self.vendor("ModifyImageAttribute", ImageId=ami, LaunchPermission={"Add": [{"UserId": CUSTOMER}]})
        return str(ami)

    def run(self, ami: str = "", *, by: Registrar | None = None, count: int = 1, **parameters) -> list[str]:
        call = {"ImageId": ami or self.shared(), "MinCount": count, "MaxCount": count} | parameters
        found = (by or self.customer)("RunInstances", **call)
        return [each["InstanceId"] for each in found["Instances"]]

    def caller(self, name: str, *statements: dict[str, object]) -> Registrar:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        return self.ec2.registrar(CUSTOMER, name, policy)


@pytest.fixture
def scene(monkeypatch):
    monkeypatch.setattr(launching, "expect_qemu", lambda: None)
    made = Scene()
    yield made
    made.instances.close()
    made.ec2.ebs.close()


def refused(scene: Scene, ami: str = "", **parameters) -> str:
    with pytest.raises(Refused) as caught:
        scene.run(ami, **parameters)
    assert not scene.boots.booted
    return caught.value.name


def test_an_instance_has_its_images_blocks_and_variables(scene):
    variables = EfiVariables((boot_next(1),))
    snapshot = scene.vendor.snapshot()
    devices = [
        {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 2}},
        {"DeviceName": ROOT, "Ebs": {"SnapshotId": snapshot}},
    ]
    data = write_uefi_data(variables).decode()
    scene.run(scene.shared(snapshot=snapshot, UefiData=data, BlockDeviceMappings=devices))
    (booted,) = scene.boots.booted
    assert booted["first"] == BLOCKS[0][:8]
    assert booted["gib"] == [1, 2], "the root device first"
    assert scene.boots.instances[0].machine.hardware.variables == variables


def test_a_call_makes_volumes_larger_adds_some_and_leaves_some_out(scene):
    devices = [
        {"DeviceName": ROOT, "Ebs": {"SnapshotId": scene.vendor.snapshot()}},
        {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 2}},
    ]
    ami = scene.shared(BlockDeviceMappings=devices)
    wanted = [
        {"DeviceName": ROOT, "Ebs": {"VolumeSize": 5}},
        {"DeviceName": "/dev/xvdb", "NoDevice": ""},
        {"DeviceName": "/dev/xvdc", "Ebs": {"VolumeSize": 3}},
    ]
    scene.run(ami, BlockDeviceMappings=wanted)
    assert scene.boots.booted[0]["gib"] == [5, 3]


@pytest.mark.parametrize(
    ("mapping", "error"),
    [
        ({"DeviceName": ROOT, "Ebs": {"VolumeSize": 0}}, "InvalidBlockDeviceMapping"),
        ({"DeviceName": "/dev/xvdc", "Ebs": {"Encrypted": False}}, "InvalidBlockDeviceMapping"),
        ({"DeviceName": ROOT, "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}, "InvalidParameterCombination"),
        ({"DeviceName": ROOT, "NoDevice": ""}, "Unsupported"),
    ],
)
def test_volumes_that_the_twin_cannot_make_are_refused(scene, mapping, error):
    assert refused(scene, BlockDeviceMappings=[mapping]) == error


def test_a_tpm_comes_from_the_image(scene):
    scene.run(scene.shared(name="with a TPM"))
    scene.run(scene.shared(name="without one", TpmSupport=None))
    assert [each.machine.hardware.has_tpm for each in scene.boots.instances] == [True, False]


def test_images_that_the_twin_cannot_boot_are_refused(scene):
    arm = scene.shared(name="for ARM", Architecture="arm64")
    bios = scene.shared(name="for BIOS", BootMode=None, TpmSupport=None)
    odd = scene.shared(name="with odd variables", UefiData=base64.b64encode(b"no variables").decode())
    assert [refused(scene, each) for each in (arm, bios, odd)] == ["Unsupported"] * 3


def test_an_image_of_somebody_elses_is_launched_with_a_permission_alone(scene):
    assert refused(scene, scene.vendor.register()) == "InvalidAMIID.NotFound"


def test_user_data_are_base64_and_at_most_16_kib(scene):
    ami = scene.shared()
    assert refused(scene, ami, UserData="no base64!") == "InvalidParameterValue"
    assert refused(scene, ami, UserData=base64.b64encode(bytes(16_385)).decode()) == "InvalidParameterValue"
    scene.run(ami, UserData=base64.b64encode(bytes(16_384)).decode())
    scene.run(ami)
    assert [each["user_data"] for each in scene.boots.booted] == [bytes(16_384), None]


def test_whoever_launches_with_a_role_must_be_allowed_to_pass_it(scene):
    ami, profile = scene.shared(), {"Name": "app"}
    assert refused(scene, ami, IamInstanceProfile={"Name": "other"}) == "InvalidParameterValue"
    only_runs = scene.caller("only-runs", RUN_ALLOWED)
    assert refused(scene, ami, by=only_runs, IamInstanceProfile=profile) == "UnauthorizedOperation"
    passes = scene.caller(
        "passes", RUN_ALLOWED, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": scene.app.arn}
    )
    scene.run(ami, by=passes, IamInstanceProfile=profile)
    scene.run(ami, by=only_runs)
    assert [each["role"] for each in scene.boots.booted] == [scene.app, None]
    assert [each.role for each in scene.boots.instances] == ["app", ""]


def test_callers_need_a_policy_for_the_image_and_for_instances(scene):
    ami = scene.shared()
    for number, resource in enumerate(("arn:aws:ec2:*::image/*", "arn:aws:ec2:*:*:instance/*")):
        half = scene.caller(f"half-{number}", RUN_ALLOWED | {"Resource": resource})
        assert refused(scene, ami, by=half) == "UnauthorizedOperation"
    whole = scene.caller("whole", RUN_ALLOWED)
    (found,) = scene.run(ami, by=whole)
    for operation in ("StopInstances", "TerminateInstances", "StartInstances", "RebootInstances"):
        with pytest.raises(Refused) as caught:
            whole(operation, InstanceIds=[found])
        assert caught.value.name == "UnauthorizedOperation"
    with pytest.raises(Refused) as caught:
        whole("GetConsoleOutput", InstanceId=found)
    assert caught.value.name == "UnauthorizedOperation"
    assert scene.boots.instances[0].ending is None


def test_an_instance_is_its_accounts_alone(scene):
    (found,) = scene.run()
    for operation, parameters in (
        ("GetConsoleOutput", {"InstanceId": found}),
        ("TerminateInstances", {"InstanceIds": [found]}),
    ):
        for caller in (scene.vendor, scene.customer.at("us-east-1")):
            with pytest.raises(Refused) as caught:
                caller(operation, **parameters)
            assert caught.value.name == "InvalidInstanceID.NotFound"
    assert scene.boots.instances[0].ending is None


def test_a_key_of_a_volume_must_be_open_to_whoever_launches(scene):
    admin = scene.ec2.user(CUSTOMER, "key-admin", FULL_ACCESS)
    key = admin("CreateKey")["KeyMetadata"]["Arn"]
    snapshot = scene.customer.snapshot(Encrypted=True, KmsKeyArn=key)
    ami = scene.customer.register(snapshot=snapshot)
    assert refused(scene, ami, by=scene.caller("only-runs", RUN_ALLOWED)) == "UnauthorizedOperation"
    assert refused(scene, ami, DryRun=True) == "DryRunOperation", "and it is to others"


def test_there_are_as_many_as_there_is_room_for_and_no_fewer_than_wanted(scene):
    ami = scene.shared()
    assert refused(scene, ami, MinCount=2, MaxCount=1) == "InvalidParameterValue"
    assert refused(scene, ami, count=MOST_MACHINES + 1) == "InsufficientInstanceCapacity"
    assert len(scene.run(ami, MinCount=1, MaxCount=99)) == MOST_MACHINES
    with pytest.raises(Refused) as caught:
        scene.run(ami)
    assert caught.value.name == "InsufficientInstanceCapacity"
    scene.boots.instances[0].machine.stop()
    assert len(scene.run(ami)) == 1


def test_where_no_machine_can_be_made_nothing_is_left(scene, monkeypatch):
    ami = scene.shared()
    scene.boots.fault = LocalFault("qemu.not-started", "expected QEMU to start", remedy="Look.")
    with pytest.raises(Refused) as caught:
        scene.run(ami)
    assert caught.value.name == "InsufficientInstanceCapacity"
    assert "Look." in caught.value.message
    assert scene.moto.last == ("TerminateInstances", ("i-00000000000000000",))
    assert not scene.instances._entries

    def missing() -> None:
        raise LocalFault("qemu.no-program", "expected QEMU", remedy="Install it.")

    monkeypatch.setattr(launching, "expect_qemu", missing)
    entered = scene.moto.entered
    assert refused(scene, ami) == "InsufficientInstanceCapacity"
    assert scene.moto.entered == entered


def test_what_moto_refuses_boots_nothing(scene):
    ami = scene.shared()
    assert refused(scene, ami, DryRun=True) == "DryRunOperation"
    error = (
        b"<Response><Errors><Error><Code>InvalidKeyPair.NotFound</Code><Message>m</Message></Error></Errors></Response>"
    )
    scene.moto.error = Response(error, status=400)
    assert refused(scene, ami) == "InvalidKeyPair.NotFound"


@pytest.mark.parametrize(("behavior", "action"), [(None, "StopInstances"), ("terminate", "TerminateInstances")])
def test_an_instance_that_ends_by_itself_is_stopped_or_terminated(scene, behavior, action):
    more = {"InstanceInitiatedShutdownBehavior": behavior} if behavior else {}
    (found,) = scene.run(**more)
    instance = scene.boots.instances[0]
    instance.machine.ending = Ending(Cause.POWERED_OFF, 1.0)
    scene.instances.ended(instance)
    assert scene.moto.last == (action, (found,))
    asked = len(scene.moto.asked)
    scene.instances.ended(FakeInstance("i-1", CUSTOMER, "", "", "", ""))
    scene.instances.expect_the_end()
    scene.instances.ended(instance)
    assert len(scene.moto.asked) == asked, "neither one of boot() nor one that ends with the twin has a record"


def test_stopping_gives_a_guest_time_unless_it_is_forced(scene):
    first, second, third = scene.run(count=3)
    machines = [each.machine for each in scene.boots.instances]
    scene.customer("StopInstances", InstanceIds=[first])
    scene.customer("StopInstances", InstanceIds=[second], Force=True)
    scene.customer("TerminateInstances", InstanceIds=[third], SkipOsShutdown=True)
    assert [each.did for each in machines] == [["button", "5 s"], [], []]
    assert all(each.ending for each in machines)
    scene.instances.ended(scene.boots.instances[0])
    assert scene.moto.last == ("TerminateInstances", (third,)), "its record says so already"


def test_a_call_that_moto_refuses_ends_nothing(scene):
    (found,) = scene.run()
    scene.moto.error = Response(
        b"<Response><Errors><Error><Code>OperationNotPermitted</Code><Message>m</Message></Error></Errors></Response>",
        status=400,
    )
    with pytest.raises(Refused):
        scene.customer("TerminateInstances", InstanceIds=[found])
    instance = scene.boots.instances[0]
    assert instance.ending is None
    scene.moto.error = None
    instance.machine.stop()
    scene.instances.ended(instance)
    assert scene.moto.last == ("StopInstances", (found,))


def test_an_instance_that_is_started_again_keeps_its_variables(scene):
    (found,) = scene.run()
    scene.customer("StartInstances", InstanceIds=[found])
    assert len(scene.boots.instances) == 1, "it runs"
    scene.customer("StopInstances", InstanceIds=[found], Force=True)
    scene.customer("StartInstances", InstanceIds=[found])
    scene.customer("RebootInstances", InstanceIds=[found])
    first, second, third = scene.boots.instances
    assert {each.instance_id for each in scene.boots.instances} == {found}
    kept = EfiVariables((boot_next(9),))
    assert [each.machine.hardware.variables for each in scene.boots.instances] == [EfiVariables(()), kept, kept]
    assert (first.ending is None, second.ending is None, third.ending is None) == (False, False, True)
    scene.boots.fault = LocalFault("qemu.not-started", "expected QEMU to start")
    with pytest.raises(Refused) as caught:
        scene.customer("RebootInstances", InstanceIds=[found])
    assert caught.value.name == "InsufficientInstanceCapacity"


def test_the_console_is_the_latest_64_kib_also_after_the_end(scene):
    (found,) = scene.run()
    machine = scene.boots.instances[0].machine
    machine.console.write(b"x" * CONSOLE_BYTES + b"\0\x1blatest")
    scene.customer("TerminateInstances", InstanceIds=[found], SkipOsShutdown=True)
    shown = scene.customer("GetConsoleOutput", InstanceId=found)
    assert base64.b64decode(shown["Output"]) == b"x" * (CONSOLE_BYTES - 8) + b"\0\x1blatest"
    assert shown["InstanceId"] == found


def test_uefi_data_are_those_of_the_instance_as_they_are_now(scene):
    (found,) = scene.run()
    data = scene.customer("GetInstanceUefiData", InstanceId=found)["UefiData"]
    assert read_uefi_data(data.encode()) == EfiVariables((boot_next(9),))


def test_an_interrupt_reaches_an_instance_that_runs(scene):
    (found,) = scene.run()
    scene.customer("SendDiagnosticInterrupt", InstanceId=found)
    machine = scene.boots.instances[0].machine
    assert machine.did == ["nmi"]
    with pytest.raises(Refused) as caught:
        scene.customer("SendDiagnosticInterrupt", InstanceId=found, DryRun=True)
    assert caught.value.name == "DryRunOperation"
    machine.stop()
    with pytest.raises(Refused) as caught:
        scene.customer("SendDiagnosticInterrupt", InstanceId=found)
    assert caught.value.name == "IncorrectInstanceState"


def test_descriptions_say_how_instances_of_ours_boot(scene):
    (found,) = scene.run()
    (reservation,) = scene.customer("DescribeInstances")["Reservations"]
    ours = {each["InstanceId"]: each for each in reservation["Instances"]}
    assert (ours[found]["BootMode"], ours[found]["CurrentInstanceBootMode"]) == ("uefi", "uefi")
    assert ours[found]["TpmSupport"] == "v2.0"
    assert "BootMode" not in ours["i-00000000000000008"]


def test_instances_and_images_of_motos_are_motos(scene):
    scene.customer("RunInstances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    scene.customer("TerminateInstances", InstanceIds=["i-0123456789abcdef0"])
    assert not scene.boots.instances
    assert scene.moto.last == ("TerminateInstances", ("i-0123456789abcdef0",))


def test_volumes_are_gone_once_nothing_needs_them(scene):
    (found,) = scene.run()
    folder = scene.boots.instances[0].machine.hardware.disk.parent
    assert folder.exists()
    scene.customer("StopInstances", InstanceIds=[found], Force=True)
    assert folder.exists(), "it may be started again"
    scene.customer("TerminateInstances", InstanceIds=[found])
    assert not folder.exists()
    scene.run(scene.shared(name="another"))
    left = Path(scene.boots.instances[-1].machine.hardware.disk).parent
    scene.instances.close()
    assert not left.exists()
