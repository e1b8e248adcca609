# SPDX-License-Identifier: Apache-2.0
"""Images: what they are made of, what of them is kept, and who sees it. Rows of docs/twin.md on EC2 have tests here."""

import base64
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.ec2_calls import BLOCKS, ROOT, Ec2, Refused
from tests.kms_calls import CUSTOMER, VENDOR, Caller

from strongroom.errors import FormatError, LocalFault
from strongroom.ids import AccountId
from strongroom.twin.api_model import input_of, service_model
from strongroom.twin.ebs.keys import default_key
from strongroom.twin.images.keeper import StateKeeper
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.state_file import Row, StateFile

UEFI_DATA = base64.b64encode(b"AMZNUEFI and more").decode()
ELSEWHERE = "us-east-1"


@pytest.fixture
def ec2():
    found = Ec2()
    yield found
    found.ebs.close()


@pytest.fixture
def vendor(ec2):
    return ec2.registrar(VENDOR)


@pytest.fixture
def customer(ec2):
    return ec2.registrar(CUSTOMER)


def share(vendor, image, snapshot=""):
    vendor("ModifyImageAttribute", ImageId=image, LaunchPermission={"Add": [{"UserId": CUSTOMER}]})
    if snapshot:
        permission = {"Add": [{"UserId": CUSTOMER}]}
        vendor("ModifySnapshotAttribute", SnapshotId=snapshot, CreateVolumePermission=permission)


# --- registering ------------------------------------------------------------------------------------------------------


def test_what_was_registered_is_described(vendor):
    snapshot = vendor.snapshot()
    tags = [{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "<&>"}]}]
    image = vendor.register(
        snapshot=snapshot, Description="ö", UefiData=UEFI_DATA, ImdsSupport="v2.0", TagSpecifications=tags
    )
    found = vendor.image(image)
    told = {name: found[name] for name in ("BootMode", "TpmSupport", "ImdsSupport", "Architecture", "EnaSupport")}
    assert told == {
        "BootMode": "uefi",
        "TpmSupport": "v2.0",
        "ImdsSupport": "v2.0",
        "Architecture": "x86_64",
        "EnaSupport": True,
    }
    assert (found["Name"], found["Description"], found["Tags"]) == ("acme 1.0", "ö", [{"Key": "a", "Value": "<&>"}])
    assert (found["OwnerId"], found["State"], found["Public"]) == (VENDOR, "available", False)
    assert (found["RootDeviceName"], found["RootDeviceType"], found["VirtualizationType"]) == (ROOT, "ebs", "hvm")
    (device,) = found["BlockDeviceMappings"]
    assert device["DeviceName"] == ROOT
    assert (device["Ebs"]["SnapshotId"], device["Ebs"]["VolumeSize"], device["Ebs"]["Encrypted"]) == (
        snapshot,
        1,
        False,
    )
    assert "UefiData" not in found


def test_what_was_not_said_is_not_there(vendor):
    image = vendor.register(BootMode=None, TpmSupport=None, Architecture=None, VirtualizationType=None, EnaSupport=None)
    found = vendor.image(image)
    assert not {"BootMode", "TpmSupport", "ImdsSupport", "Description", "SourceImageId"} & set(found)
    assert (found["Architecture"], found["VirtualizationType"], found["EnaSupport"]) == ("i386", "paravirtual", False)


@pytest.mark.parametrize("boot_mode", [None, "legacy-bios", "uefi-preferred"])
def test_a_tpm_needs_uefi(vendor, boot_mode):
    with pytest.raises(Refused) as caught:
        vendor.register(BootMode=boot_mode)
    assert caught.value.name == "InvalidParameterCombination"
    vendor.register(BootMode=boot_mode, TpmSupport=None)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"TpmSupport": "v1.2"}, "InvalidParameterValue"),
        ({"BootMode": "bios"}, "InvalidParameterValue"),
        ({"ImdsSupport": "v1.0"}, "InvalidParameterValue"),
        ({"Architecture": "riscv64"}, "InvalidParameterValue"),
        ({"UefiData": "no base64!"}, "InvalidParameterValue"),
        ({"UefiData": "A" * 64_001}, "InvalidParameterValue"),
        ({"Name": None}, "MissingParameter"),
        ({"Name": "ab"}, "InvalidAMIName.Malformed"),
        ({"Name": "a" * 129}, "InvalidAMIName.Malformed"),
        ({"Name": "acme:1"}, "InvalidAMIName.Malformed"),
        ({"RootDeviceName": None}, "MissingParameter"),
        ({"RootDeviceName": "/dev/sda1"}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": None}, "MissingParameter"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"VolumeSize": 8}}]}, "InvalidBlockDeviceMapping"),
        (
            {"BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}]},
            "InvalidSnapshot.NotFound",
        ),
        (
            {"TagSpecifications": [{"ResourceType": "image", "Tags": [{"Key": "aws:x", "Value": "y"}]}]},
            "InvalidParameterValue",
        ),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT}]}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT, "VirtualName": "a"}] * 2}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"VolumeSize": 65_537}}]}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"VolumeSize": -1}}]}, "InvalidBlockDeviceMapping"),
        (
            {"BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"VolumeSize": 1, "Iops": -5}}]},
            "InvalidParameterValue",
        ),
        ({"Description": "x" * 256}, "InvalidParameterValue"),
        ({"VirtualizationType": "x" * 65}, "InvalidParameterValue"),
        ({"KernelId": "aki-1"}, "UnsupportedOperation"),
        ({"ImageLocation": "bucket/manifest"}, "UnsupportedOperation"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_an_image_that_cannot_be_is_not_registered(vendor, parameters, code):
    with pytest.raises(Refused) as caught:
        vendor.register(**parameters)
    assert caught.value.name == code
    assert vendor("DescribeImages")["Images"] == []


def test_a_snapshot_is_completed_before_it_is_an_image(vendor):
    snapshot = vendor.ebs.start()
    with pytest.raises(Refused) as caught:
        vendor.register(snapshot=snapshot)
    assert caught.value.name == "IncorrectState"
    assert "pending" in caught.value.message
    vendor.ebs.complete(snapshot, {})
    vendor.register(snapshot=snapshot)


def test_a_snapshot_of_another_account_is_no_image_of_ones_own(vendor, customer):
    snapshot = vendor.snapshot()
    with pytest.raises(Refused) as caught:
        customer.register(snapshot=snapshot)
    assert caught.value.name == "InvalidSnapshot.NotFound"


def test_a_volume_is_as_large_as_its_snapshot_or_larger(vendor):
    snapshot = vendor.snapshot(VolumeSize=3)
    for size, encrypted, code in ((2, None, "InvalidBlockDeviceMapping"), (3, True, "InvalidParameterCombination")):
        volume = {"SnapshotId": snapshot, "VolumeSize": size, "Encrypted": encrypted}
        volume = {key: value for key, value in volume.items() if value is not None}
        with pytest.raises(Refused) as caught:
            vendor.register(BlockDeviceMappings=[{"DeviceName": ROOT, "Ebs": volume}])
        assert caught.value.name == code
    volume = {"SnapshotId": snapshot, "VolumeSize": 8, "VolumeType": "gp3", "Iops": 3000, "DeleteOnTermination": False}
    more = [
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 1}},
    ]
    image = vendor.register(BlockDeviceMappings=[{"DeviceName": ROOT, "Ebs": volume}, *more])
    first, second, third = vendor.image(image)["BlockDeviceMappings"]
    assert first["Ebs"] == {**volume, "Encrypted": False}
    assert second == more[0]
    assert third["Ebs"]["VolumeSize"] == 1


def test_a_name_is_used_once_in_an_account_and_a_region(ec2, vendor, customer):
    first = vendor.register("one")
    with pytest.raises(Refused) as caught:
        vendor.register("one")
    assert caught.value.name == "InvalidAMIName.Duplicate"
    assert first in caught.value.message
    customer.register("one")
    vendor.at(ELSEWHERE).register("one")
    vendor("DeregisterImage", ImageId=first)
    vendor.register("one")


# --- who sees what ----------------------------------------------------------------------------------------------------


def test_a_shared_image_is_seen_by_the_other_account_and_not_its_attributes(vendor, customer):
    image = vendor.register(UefiData=UEFI_DATA, TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "a"}]}])
    customer.refused("InvalidAMIID.NotFound", "DescribeImages", ImageIds=[image])
    assert customer("DescribeImages")["Images"] == []
    share(vendor, image)
    seen = customer.image(image)
    assert (seen["TpmSupport"], seen["BootMode"], seen["OwnerId"], seen["Tags"]) == ("v2.0", "uefi", VENDOR, [])
    for attribute in ("uefiData", "launchPermission", "tpmSupport"):
        message = customer.refused("AuthFailure", "DescribeImageAttribute", ImageId=image, Attribute=attribute)
        assert message == f"Not authorized for image:{image}"
    customer.refused("AuthFailure", "DeregisterImage", ImageId=image)
    customer.refused("AuthFailure", "ModifyImageAttribute", ImageId=image, Description={"Value": "mine"})
    vendor("ModifyImageAttribute", ImageId=image, LaunchPermission={"Remove": [{"UserId": CUSTOMER}]})
    customer.refused("InvalidAMIID.NotFound", "DescribeImages", ImageIds=[image])


def test_an_image_is_of_one_region(vendor):
    image = vendor.register()
    vendor.at(ELSEWHERE).refused("InvalidAMIID.NotFound", "DescribeImages", ImageIds=[image])


def test_attributes_are_told_to_the_owner(vendor):
    image = vendor.register(UefiData=UEFI_DATA, ImdsSupport="v2.0", Description="d")
    share(vendor, image)
    told = {
        name: vendor("DescribeImageAttribute", ImageId=image, Attribute=name)
        for name in ("uefiData", "tpmSupport", "bootMode", "imdsSupport", "description", "launchPermission", "kernel")
    }
    assert all(each.pop("ImageId") == image for each in told.values())
    assert told == {
        "uefiData": {"UefiData": {"Value": UEFI_DATA}},
        "tpmSupport": {"TpmSupport": {"Value": "v2.0"}},
        "bootMode": {"BootMode": {"Value": "uefi"}},
        "imdsSupport": {"ImdsSupport": {"Value": "v2.0"}},
        "description": {"Description": {"Value": "d"}},
        "launchPermission": {"LaunchPermissions": [{"UserId": CUSTOMER}]},
        "kernel": {"KernelId": {}},
    }
    vendor.refused("AuthFailure", "DescribeImageAttribute", ImageId=image, Attribute="blockDeviceMapping")
    vendor.refused("InvalidParameterValue", "DescribeImageAttribute", ImageId=image, Attribute="TpmSupport")


def test_every_attribute_of_the_model_is_answered(vendor):
    image = vendor.register()
    for name in service_model("ec2").shape_for("ImageAttributeName").metadata["enum"]:
        if name != "blockDeviceMapping":
            assert vendor("DescribeImageAttribute", ImageId=image, Attribute=name)["ImageId"] == image


def test_one_attribute_is_modified_at_a_time(vendor):
    image = vendor.register()
    vendor("ModifyImageAttribute", ImageId=image, Description={"Value": "new"})
    vendor("ModifyImageAttribute", ImageId=image, Attribute="imdsSupport", Value="v2.0")
    found = vendor.image(image)
    assert (found["Description"], found["ImdsSupport"]) == ("new", "v2.0")
    permission = {"Add": [{"UserId": CUSTOMER}]}
    both = {"Description": {"Value": "x"}, "LaunchPermission": permission}
    vendor.refused("InvalidParameterCombination", "ModifyImageAttribute", ImageId=image, **both)
    vendor.refused("InvalidParameterCombination", "ModifyImageAttribute", ImageId=image)
    vendor.refused("InvalidParameterValue", "ModifyImageAttribute", ImageId=image, ImdsSupport={"Value": "v1.0"})
    arn = "arn:aws:organizations::111111111111:organization/o-\x01"
    for wrong in ({"UserId": "1"}, {"UserId": f"{CUSTOMER}0"}, {"OrganizationArn": arn}):
        call = {"ImageId": image, "LaunchPermission": {"Add": [wrong]}}
        vendor.refused("InvalidAMIAttributeItemValue", "ModifyImageAttribute", **call)
    assert vendor("DescribeImageAttribute", ImageId=image, Attribute="launchPermission")["LaunchPermissions"] == []


def test_permissions_are_taken_in_the_older_form_too(vendor, customer):
    image = vendor.register()
    call = {"ImageId": image, "Attribute": "launchPermission", "UserIds": [CUSTOMER]}
    vendor.refused("MissingParameter", "ModifyImageAttribute", **call)
    vendor("ModifyImageAttribute", **call, OperationType="add")
    assert customer.image(image)
    vendor("ModifyImageAttribute", **call, OperationType="remove")
    customer.refused("InvalidAMIID.NotFound", "DescribeImages", ImageIds=[image])


def test_a_public_image_is_seen_by_all_and_organizations_open_nothing(vendor, customer):
    image, other = vendor.register("one"), vendor.register("two")
    vendor("ModifyImageAttribute", ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    organization = "arn:aws:organizations::111111111111:organization/o-example"
    permission = {"Add": [{"OrganizationArn": organization}]}
    vendor("ModifyImageAttribute", ImageId=other, LaunchPermission=permission)
    assert [each["ImageId"] for each in customer("DescribeImages")["Images"]] == [image]
    assert customer.image(image)["Public"]
    told = vendor("DescribeImageAttribute", ImageId=other, Attribute="launchPermission")["LaunchPermissions"]
    assert told == [{"OrganizationArn": organization}]


def test_encrypted_images_are_not_public_and_those_under_the_managed_key_not_shared(ec2, vendor):
    key = Caller(ec2.kms, vendor.credentials).new_key()
    own = vendor.register("own", snapshot=vendor.snapshot(Encrypted=True, KmsKeyArn=key))
    managed = vendor.register("managed", snapshot=vendor.snapshot(Encrypted=True))
    everybody, customer = {"Add": [{"Group": "all"}]}, {"Add": [{"UserId": CUSTOMER}]}
    for image, permission in ((own, everybody), (managed, everybody), (managed, customer)):
        call = {"ImageId": image, "LaunchPermission": permission}
        vendor.refused("InvalidParameterCombination", "ModifyImageAttribute", **call)
    vendor("ModifyImageAttribute", ImageId=own, LaunchPermission=customer)
    snapshot = vendor.image(managed)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    call = {"SnapshotId": snapshot, "CreateVolumePermission": customer}
    assert "can't be shared" in vendor.refused("InvalidParameterValue", "ModifySnapshotAttribute", **call)


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("name", ["acme*"], ["acme 1.0", "acme 2.0"]),
        ("name", ["acme ?.0", "nothing"], ["acme 1.0", "acme 2.0"]),
        ("name", ["ACME*"], []),
        ("name", [r"acme\*"], []),
        ("name", [r"\acme ?.\0", "other\\"], ["acme 1.0", "acme 2.0"]),
        ("boot-mode", ["uefi"], ["acme 1.0"]),
        ("boot-mode", ["*"], ["acme 1.0", "acme 2.0"]),
        ("architecture", ["arm64"], ["other"]),
        ("tag:team", ["a"], ["acme 2.0"]),
        ("tag-key", ["team"], ["acme 2.0"]),
        ("is-public", ["true"], []),
        ("owner-id", [VENDOR], ["acme 1.0", "acme 2.0", "other"]),
        ("state", ["available"], ["acme 1.0", "acme 2.0", "other"]),
        ("platform", ["windows"], []),
        ("block-device-mapping.volume-size", ["1"], ["acme 1.0", "acme 2.0", "other"]),
    ],
)
def test_filters_find_what_they_ask_for(vendor, name, values, found):
    tags = [{"ResourceType": "image", "Tags": [{"Key": "team", "Value": "a"}]}]
    vendor.register("acme 1.0")
    vendor.register("acme 2.0", BootMode="legacy-bios", TpmSupport=None, TagSpecifications=tags)
    vendor.register("other", Architecture="arm64", BootMode=None, TpmSupport=None)
    images = vendor("DescribeImages", Filters=[{"Name": name, "Values": values}])["Images"]
    assert [each["Name"] for each in images] == found


def test_a_filter_that_does_not_exist_is_refused(vendor):
    vendor.register()
    filters = [{"Name": "tpm-support", "Values": ["v2.0"]}]
    vendor.refused("InvalidParameterValue", "DescribeImages", Filters=filters)


def test_every_filter_of_the_model_is_known(vendor):
    vendor.register()
    for operation in ("DescribeImages", "DescribeSnapshots"):
        shape = input_of(service_model("ec2").operation_model(operation))
        text = shape.members["Filters"].documentation
        names = re.findall(r"<li>\s*<p>\s*<code>([a-z-]+(?:\.[a-z-]+)?)</code>\s*- ", text)
        assert len(names) > 8
        severities = {"informational", "low", "medium", "high", "critical"}
        others = ("image-watermark.", "instance-type-specification.", "scan-result.")
        known = {name for name in names if not name.startswith(others)} - severities
        for name in known:
            vendor(operation, Filters=[{"Name": name, "Values": ["x"]}])


def test_owners_and_launch_permissions_narrow_the_list(vendor, customer):
    image = vendor.register()
    own = customer.register()
    share(vendor, image)

    def ids(**asked):
        return {each["ImageId"] for each in customer("DescribeImages", **asked)["Images"]}

    assert ids() == {image, own}
    assert ids(Owners=["self"]) == {own}
    assert ids(Owners=[VENDOR]) == {image}
    assert ids(ExecutableUsers=["self"]) == {image}
    assert ids(ExecutableUsers=["all"]) == set()
    assert ids(Owners=["amazon"]) == set()


def test_lists_have_what_moto_knows_too_and_ids_of_ours_are_not_asked_of_moto(ec2, vendor):
    image = vendor.register()
    ec2.moto.items = "<item><imageId>ami-0motomotomotomoto</imageId><imageState>available</imageState></item>"
    assert [each["ImageId"] for each in vendor("DescribeImages")["Images"]] == ["ami-0motomotomotomoto", image]
    both = vendor("DescribeImages", ImageIds=[image, "ami-0motomotomotomoto"])["Images"]
    assert [each["ImageId"] for each in both] == ["ami-0motomotomotomoto", image]
    asked = {name: value for name, value in ec2.moto.asked[-1].items() if name.startswith("ImageId")}
    assert asked == {"ImageId.1": "ami-0motomotomotomoto"}
    before = len(ec2.moto.asked)
    vendor.image(image)
    assert len(ec2.moto.asked) == before


def test_what_is_not_about_our_images_goes_to_moto_as_it_came(ec2, vendor):
    for operation, parameters in (
        ("DescribeInstances", {}),
        ("DeregisterImage", {"ImageId": "ami-0123456789abcdef0"}),
        ("DescribeImageAttribute", {"ImageId": "ami-0123456789abcdef0", "Attribute": "bootMode"}),
        ("CopyImage", {"SourceImageId": "ami-0123456789abcdef0", "SourceRegion": ELSEWHERE, "Name": "copy"}),
        ("DeleteSnapshot", {"SnapshotId": "snap-0123456789abcdef0"}),
        ("CreateTags", {"Resources": ["i-0123456789abcdef0"], "Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        message = vendor.refused("InvalidAction", operation, **parameters)
        assert message == f"moto was asked for {operation}"


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_copy_keeps_what_makes_it_attestable_and_is_the_copiers(ec2, vendor, customer):
    snapshot = vendor.snapshot()
    image = vendor.register(snapshot=snapshot, UefiData=UEFI_DATA, ImdsSupport="v2.0")
    share(vendor, image, snapshot)
    there = customer.at(ELSEWHERE)
    call = {"SourceImageId": image, "SourceRegion": DEFAULT_REGION, "Name": "mine", "Description": "d"}
    copy = there("CopyImage", **call)["ImageId"]
    found = there.image(copy)
    kept = {name: found[name] for name in ("BootMode", "TpmSupport", "ImdsSupport", "Architecture", "EnaSupport")}
    assert kept == {name: vendor.image(image)[name] for name in kept}
    assert (found["OwnerId"], found["SourceImageId"], found["SourceImageRegion"]) == (CUSTOMER, image, DEFAULT_REGION)
    told = there("DescribeImageAttribute", ImageId=copy, Attribute="uefiData")
    assert told["UefiData"]["Value"] == UEFI_DATA
    copied = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert copied != snapshot
    assert there.ebs.download(copied) == BLOCKS
    assert there("DescribeImageAttribute", ImageId=copy, Attribute="launchPermission")["LaunchPermissions"] == []
    vendor("DeregisterImage", ImageId=image)
    vendor("DeleteSnapshot", SnapshotId=snapshot)
    assert there.ebs.download(copied) == BLOCKS


def test_to_copy_an_image_takes_its_snapshots_too(vendor, customer):
    snapshot = vendor.snapshot()
    image = vendor.register(snapshot=snapshot)
    call = {"SourceImageId": image, "SourceRegion": DEFAULT_REGION, "Name": "mine"}
    customer.refused("InvalidAMIID.NotFound", "CopyImage", **call)
    share(vendor, image)
    message = customer.refused("InvalidRequest", "CopyImage", **call)
    assert message == "You do not have permission to access the storage of this ami"
    share(vendor, image, snapshot)
    customer("CopyImage", **call)
    before = len(customer("DescribeSnapshots", OwnerIds=["self"])["Snapshots"])
    customer.refused("InvalidAMIName.Duplicate", "CopyImage", **call)
    assert len(customer("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]) == before, "no snapshot is left over"


def test_a_copy_may_be_encrypted_and_then_has_noise_where_nobody_wrote(ec2, vendor):
    key = Caller(ec2.kms, vendor.credentials).new_key()
    Caller(ec2.kms, vendor.credentials)("CreateAlias", AliasName="alias/volumes", TargetKeyId=key)
    image = vendor.register()
    source = {"SourceImageId": image, "SourceRegion": DEFAULT_REGION}
    vendor.refused("InvalidParameterValue", "CopyImage", **source, Name="none", KmsKeyId=key)
    for name, parameters, used in (
        ("by arn", {"KmsKeyId": key}, key),
        ("by alias", {"KmsKeyId": "alias/volumes"}, key),
        ("managed", {}, default_key(AccountId(VENDOR), DEFAULT_REGION)),
        ("managed by alias", {"KmsKeyId": "alias/aws/ebs"}, default_key(AccountId(VENDOR), DEFAULT_REGION)),
    ):
        copy = vendor("CopyImage", **source, Name=name, Encrypted=True, **parameters)["ImageId"]
        volume = vendor.image(copy)["BlockDeviceMappings"][0]["Ebs"]
        assert volume["Encrypted"]
        (snapshot,) = vendor("DescribeSnapshots", SnapshotIds=[volume["SnapshotId"]])["Snapshots"]
        assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, used)
        read = ec2.ebs.volume(volume["SnapshotId"], account=AccountId(VENDOR), region=DEFAULT_REGION)
        assert read.block(0) == BLOCKS[0]
        assert read.block(1) != bytes(len(BLOCKS[0]))


def test_an_encrypted_copy_is_never_plain_and_needs_the_sources_key(ec2, vendor):
    key = Caller(ec2.kms, vendor.credentials).new_key()
    snapshot = vendor.snapshot(Encrypted=True, KmsKeyArn=key)
    image = vendor.register(snapshot=snapshot)
    source = {"SourceImageId": image, "SourceRegion": DEFAULT_REGION}
    copy = vendor("CopyImage", **source, Name="copy")["ImageId"]
    assert vendor.image(copy)["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}'
    limited = ec2.registrar(VENDOR, "limited", policy)
    limited.refused("UnauthorizedOperation", "CopyImage", **source, Name="other")


def test_tags_are_copied_only_where_that_is_asked_for_and_ones_own(vendor, customer):
    snapshot = vendor.snapshot()
    tags = [{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}]
    image = vendor.register(snapshot=snapshot, TagSpecifications=tags)
    share(vendor, image, snapshot)
    source = {"SourceImageId": image, "SourceRegion": DEFAULT_REGION}
    for caller, name, asked, seen in (
        (vendor, "without", False, []),
        (vendor, "with", True, tags[0]["Tags"]),
        (customer, "other", True, []),
    ):
        copy = caller("CopyImage", **source, Name=name, CopyImageTags=asked)["ImageId"]
        assert caller.image(copy)["Tags"] == seen


# --- snapshots, in EC2's words ----------------------------------------------------------------------------------------


def test_a_snapshot_is_described_through_its_life(ec2, vendor):
    tags = [{"Key": "a", "Value": "b"}]
    snapshot = vendor.ebs.start(Description="d", Tags=tags, VolumeSize=2, Timeout=10)

    def seen():
        (found,) = vendor("DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"]
        return found

    assert (seen()["State"], seen()["Progress"], seen()["VolumeSize"], seen()["Tags"]) == ("pending", "0%", 2, tags)
    late = vendor.ebs.start(Timeout=10)
    vendor.ebs.complete(snapshot, {})
    assert (seen()["State"], seen()["Progress"], seen()["Description"]) == ("completed", "100%", "d")
    ec2.pass_time(minutes=11)
    states = {each["SnapshotId"]: each["State"] for each in vendor("DescribeSnapshots")["Snapshots"]}
    assert states == {snapshot: "completed", late: "error"}
    filters = [{"Name": "status", "Values": ["error"]}]
    assert [each["SnapshotId"] for each in vendor("DescribeSnapshots", Filters=filters)["Snapshots"]] == [late]


def test_a_snapshot_goes_when_no_image_is_made_of_it(vendor):
    snapshot = vendor.snapshot()
    image = vendor.register(snapshot=snapshot)
    assert image in vendor.refused("InvalidSnapshot.InUse", "DeleteSnapshot", SnapshotId=snapshot)
    vendor("DeregisterImage", ImageId=image)
    vendor.refused("InvalidAction", "DeregisterImage", ImageId=image)  # it is not ours any more, so moto is asked
    vendor("DeleteSnapshot", SnapshotId=snapshot)
    vendor.ebs.refused("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", "ListSnapshotBlocks", SnapshotId=snapshot)


def test_snapshots_may_go_with_their_image_unless_another_has_them(vendor):
    snapshot = vendor.snapshot()
    first, second = vendor.register("one", snapshot=snapshot), vendor.register("two", snapshot=snapshot)
    for image, said in ((first, "skipped"), (second, "success")):
        reply = vendor("DeregisterImage", ImageId=image, DeleteAssociatedSnapshots=True)
        assert reply["DeleteSnapshotResults"] == [{"SnapshotId": snapshot, "ReturnCode": said}]
    assert vendor("DescribeSnapshots")["Snapshots"] == []


def test_a_shared_snapshot_is_read_and_not_written_or_given_on(vendor, customer):
    snapshot, pending = vendor.snapshot(), vendor.ebs.start()
    for each in (snapshot, pending):
        call = {"SnapshotId": each, "Attribute": "createVolumePermission", "OperationType": "add"}
        vendor("ModifySnapshotAttribute", **call, UserIds=[CUSTOMER])
    told = vendor("DescribeSnapshotAttribute", SnapshotId=snapshot, Attribute="createVolumePermission")
    assert told["CreateVolumePermissions"] == [{"UserId": CUSTOMER}]
    assert customer.ebs.download(snapshot) == BLOCKS
    assert customer.ebs.start(ParentSnapshotId=snapshot)
    restorable = customer("DescribeSnapshots", RestorableByUserIds=["self"])["Snapshots"]
    assert {snapshot, pending} <= {each["SnapshotId"] for each in restorable}
    reason = ("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND")
    customer.ebs.refused(*reason, "CompleteSnapshot", SnapshotId=pending, ChangedBlocksCount=0)
    for operation, parameters in (
        ("DeleteSnapshot", {}),
        ("ModifySnapshotAttribute", {"CreateVolumePermission": {"Add": [{"UserId": CUSTOMER}]}}),
        ("DescribeSnapshotAttribute", {"Attribute": "createVolumePermission"}),
    ):
        customer.refused("InvalidSnapshot.NotFound", operation, SnapshotId=snapshot, **parameters)
    vendor("ModifySnapshotAttribute", SnapshotId=snapshot, CreateVolumePermission={"Remove": [{"UserId": CUSTOMER}]})
    customer.ebs.refused(*reason, "ListSnapshotBlocks", SnapshotId=snapshot)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"CreateVolumePermission": {"Add": [{"Group": "all"}]}}, "UnsupportedOperation"),
        ({"GroupNames": ["all"], "OperationType": "add"}, "UnsupportedOperation"),
        ({"CreateVolumePermission": {"Add": [{"UserId": "1"}]}}, "InvalidParameterValue"),
        ({"UserIds": [CUSTOMER]}, "MissingParameter"),
        ({}, "InvalidParameterCombination"),
    ],
)
def test_a_permission_that_cannot_be_is_refused(vendor, parameters, code):
    snapshot = vendor.snapshot()
    vendor.refused(code, "ModifySnapshotAttribute", SnapshotId=snapshot, **parameters)


def test_a_snapshot_is_copied_to_another_region(vendor):
    snapshot = vendor.snapshot()
    there = vendor.at(ELSEWHERE)
    call = {"SourceSnapshotId": snapshot, "SourceRegion": DEFAULT_REGION, "Description": "copy"}
    copy = there("CopySnapshot", **call)["SnapshotId"]
    assert there.ebs.download(copy) == BLOCKS
    there.refused("InvalidSnapshot.NotFound", "CopySnapshot", **{**call, "SourceRegion": ELSEWHERE})


# --- tags, policies ---------------------------------------------------------------------------------------------------


def test_tags_are_set_and_taken_from_images_and_snapshots(vendor, customer):
    snapshot = vendor.snapshot()
    image = vendor.register(snapshot=snapshot)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    vendor("CreateTags", Resources=[image, snapshot], Tags=tags)
    assert vendor.image(image)["Tags"] == tags
    vendor("DeleteTags", Resources=[image], Tags=[{"Key": "a", "Value": "other"}, {"Key": "b"}])
    assert vendor.image(image)["Tags"] == tags[:1]
    (seen,) = vendor("DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"]
    assert seen["Tags"] == tags
    vendor("DeleteTags", Resources=[image, snapshot])
    assert vendor.image(image)["Tags"] == []
    share(vendor, image)
    customer.refused("AuthFailure", "CreateTags", Resources=[image], Tags=tags)
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    vendor.refused("TagLimitExceeded", "CreateTags", Resources=[image], Tags=many)
    vendor.refused("MissingParameter", "CreateTags", Resources=[image])


def test_callers_need_a_policy_for_what_they_do_with_which_image(ec2, vendor):
    allowed, other = vendor.register("one"), vendor.register("two")
    arn = f"arn:aws:ec2:{DEFAULT_REGION}::image/{allowed}"
    statements = [
        {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:ModifyImageAttribute", "Resource": arn},
    ]
    limited = ec2.registrar(VENDOR, "limited", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    call = {"Description": {"Value": "d"}}
    limited("ModifyImageAttribute", ImageId=allowed, **call)
    message = limited.refused("UnauthorizedOperation", "ModifyImageAttribute", ImageId=other, **call)
    assert f"ec2:ModifyImageAttribute on resource: arn:aws:ec2:{DEFAULT_REGION}::image/{other}" in message
    limited.refused("UnauthorizedOperation", "DeregisterImage", ImageId=allowed)
    limited.refused("UnauthorizedOperation", "RegisterImage", Name="three")
    limited.refused("UnauthorizedOperation", "CreateTags", Resources=[allowed], Tags=[{"Key": "a", "Value": "b"}])
    assert limited.image(allowed)["Description"] == "d"


@pytest.mark.parametrize(
    "form",
    [
        {"Action": "RegisterImage", "Name": "abc", "BlockDeviceMapping": "x", "BlockDeviceMapping.1.DeviceName": "y"},
        {"Action": "RegisterImage", "Name": "abc", "BlockDeviceMapping.1.Ebs": "x"},
        {"Action": "RegisterImage", "Name": "abc", "EnaSupport": "maybe"},
        {"Action": "RegisterImage", "Name.1": "abc"},
        {"Action": "RegisterImage", "Name": "abc", "BlockDeviceMapping.1.Ebs.VolumeSize": "many"},
        {"Action": "RegisterImage", "Name": "abc", f"BlockDeviceMapping.{'9' * 5000}.DeviceName": "y"},
        {"Action": "DescribeImages", "Filter.1.Name": "name", "Filter.1.Value.x": "y", "Filter.2": "z"},
    ],
)
def test_a_form_that_makes_no_sense_is_refused(vendor, form):
    assert 400 <= vendor.send(form).status_code < 500


# --- state ------------------------------------------------------------------------------------------------------------


def restarted(path, use):
    with StateFile(path) as file:
        ec2 = Ec2(file)
        return use(ec2, ec2.registrar(VENDOR))


def test_images_are_there_after_a_restart(tmp_path):
    path = tmp_path / "twin.db"

    def filled(_, vendor):
        image = vendor.register(UefiData=UEFI_DATA, Description="ö \U0001f511", ImdsSupport="v2.0")
        share(vendor, image)
        gone = vendor.register("gone")
        vendor("DeregisterImage", ImageId=gone)
        return image, vendor("DescribeImages")["Images"]

    image, before = restarted(path, filled)

    def again(ec2, vendor):
        assert vendor("DescribeImages")["Images"] == before
        assert vendor("DescribeImageAttribute", ImageId=image, Attribute="uefiData")["UefiData"]["Value"] == UEFI_DATA
        assert ec2.registrar(CUSTOMER).image(image)
        with pytest.raises(Refused):
            vendor.register()

    restarted(path, again)


def test_whatever_is_wrong_in_a_row_is_named(tmp_path):
    path = tmp_path / "twin.db"
    restarted(path, lambda _, vendor: share(vendor, vendor.register()))
    with StateFile(path) as file:
        row = next(iter(file.rows("ec2-image")))
    members, whole = json.loads(row.body), path.read_bytes()
    wrong = [{key: each for key, each in members.items() if key != name} for name in members]
    wrong += [{**members, name: 7} for name in members] + [{**members, "more": 1}]
    wrong += [{**members, "permissions": [["Group"]]}, {**members, "permissions": [["Nobody", "all"]]}]
    for device in members["devices"][0]:
        rest = {key: each for key, each in members["devices"][0].items() if key != device}
        wrong.append({**members, "devices": [rest]})
    for body in map(json.dumps, wrong):
        path.write_bytes(whole)
        with StateFile(path) as file:
            file.write([Row(row.kind, row.name, body)])
        with StateFile(path) as file, pytest.raises(FormatError) as caught:
            StateKeeper(file).load()
        assert caught.value.code == "twin.state", body


def test_nothing_is_kept_that_could_not_be_read_again(tmp_path):
    """Else one call would make the state of everybody unreadable."""
    strange = {"Key": "\x01\U0001f511", "Value": "\x00\x7f"}

    def use(ec2, vendor):
        tags = [{"ResourceType": "image", "Tags": [strange]}]
        image = vendor.register("strange", Description="\x00 \u2028", TagSpecifications=tags)
        vendor.ebs.start(Description="\x00", Tags=[strange])
        with pytest.raises(FormatError):
            ec2.images.registry.change(image, lambda found: replace(found, image_id="ami-../../x"))
        (snapshot,) = vendor("DescribeImages")["Images"][0]["BlockDeviceMappings"]
        entry = ec2.ebs.snapshots._entries[snapshot["Ebs"]["SnapshotId"]]
        with pytest.raises(FormatError):
            ec2.ebs.snapshots.change(entry, lambda found: replace(found, volume_gib=0))
        return vendor("DescribeImages")["Images"]

    before = restarted(tmp_path / "twin.db", use)
    assert restarted(tmp_path / "twin.db", lambda _, vendor: vendor("DescribeImages")["Images"]) == before


def test_an_image_has_so_many_permissions_and_a_snapshot_so_many_accounts(vendor):
    image = vendor.register()
    snapshot = vendor.image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    accounts = [f"{number:012}" for number in range(30_000)]
    call = {"ImageId": image, "OperationType": "add", "Attribute": "launchPermission"}
    for start in (0, 5_000, 10_000, 15_000):
        vendor("ModifyImageAttribute", **call, UserIds=accounts[start : start + 5_000])
    over = vendor.refused(
        "AMILaunchPermissionLimitExceeded", "ModifyImageAttribute", **call, UserIds=accounts[20_000:20_001]
    )
    assert "20000" in over
    vendor.refused("AMILaunchPermissionLimitExceeded", "ModifyImageAttribute", **call, UserIds=accounts[:10_001])
    many = {"SnapshotId": snapshot, "OperationType": "add", "UserIds": accounts[:1001]}
    vendor.refused("ResourceLimitExceeded", "ModifySnapshotAttribute", **many)


def test_a_filter_of_many_stars_takes_no_longer_than_another(vendor):
    vendor.register("a" * 128)
    filters = [{"Name": "name", "Values": ["*a" * 60 + "b"]}]
    started = time.monotonic()
    assert vendor("DescribeImages", Filters=filters)["Images"] == []
    assert time.monotonic() - started < 5


def test_an_image_that_cannot_be_kept_is_not_there(tmp_path, monkeypatch):
    def full(self, rows):
        raise LocalFault("twin.state-unwritable", "the disk is full")

    def use(_, vendor):
        snapshot = vendor.snapshot()
        with monkeypatch.context() as patch:
            patch.setattr(StateFile, "write", full)
            with pytest.raises(Refused) as caught:
                vendor.register(snapshot=snapshot)
        assert (caught.value.name, caught.value.status) == ("InternalError", 500)
        assert vendor("DescribeImages")["Images"] == []
        vendor.register(snapshot=snapshot)

    restarted(tmp_path / "twin.db", use)


def test_every_operation_that_is_ours_was_called_here(ec2, vendor):
    """The names of the operations, each of which another test calls by name: a new one needs a test."""
    called = set(ec2.images._operations) | set(ec2.images._tagging) | set(ec2.images._lists)
    source = Path(__file__).read_text() + (Path(__file__).parents[2] / "ec2_calls.py").read_text()
    assert {name for name in called if f'"{name}"' not in source} == set()
