# SPDX-License-Identifier: Apache-2.0
"""RunInstances, as far as one of the twin's own images is concerned: what boots, from which blocks, as whom."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.uefi_data import read_uefi_data
from strongroom.formats.uki import Architecture
from strongroom.ids import AccountId, ImageId, KeyArn, SnapshotId
from strongroom.twin.accounts import PARTITION, Principal
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.ebs.service import Ebs
from strongroom.twin.ebs.snapshots import MAX_VOLUME_GIB
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.faults import invalid_combination, invalid_value
from strongroom.twin.images.image import Image, image_arn
from strongroom.twin.images.registry import ImageRegistry
from strongroom.twin.instances.boot_order import MAX_USER_DATA_BYTES
from strongroom.twin.permissions import Question
from strongroom.twin.qemu.hardware import NO_VARIABLES, Hardware
from strongroom.twin.qemu.programs import expect_qemu

DEFAULT_TYPE = "m1.small"
"""Of RunInstances (EC2 API Reference)."""
MAX_VOLUMES = 8
_UEFI = frozenset({"uefi", "uefi-preferred"})
_TPM = "v2.0"
_TERMINATE = "terminate"

ProfileRole = Callable[[AccountId, str], Principal]
"""Returns the role in an instance profile, by the profile's name or ARN. Raises AwsFault."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of an instance: made of a snapshot of the image, or empty. `gib` is its size in GiB."""

    name: str
    snapshot_id: SnapshotId | None
    key_arn: KeyArn | None
    gib: int


@dataclass(frozen=True, slots=True)
class Launch:
    """What every instance of one call has in common."""

    image: Image
    volumes: tuple[Volume, ...]
    """The root device's first."""
    instance_type: str
    role: Principal | None
    user_data: bytes | None
    terminates: bool
    """Whether an instance that switches itself off is terminated by it, not stopped."""
    variables: EfiVariables


class Launching:
    """Reads calls, and makes the disks of what they ask for."""

    def __init__(self, registry: ImageRegistry, ebs: Ebs, profile_role: ProfileRole) -> None:
        self._registry = registry
        self._ebs = ebs
        self._profile_role = profile_role

    def knows(self, image_id: str) -> bool:
        """Whether an image is one of the twin's own."""
        return image_id in self._registry

    def read(self, request: ApiRequest) -> Launch:
        """Return what a call asks for. Raises AwsFault, also for an image that the twin cannot boot, and EbsFault."""
        image = self._registry.seen(ImageId(request.text("ImageId")), request.view)
        _expect_allowed(request, "ec2:RunInstances", image_arn(request.region, image.image_id))
        _expect_allowed(request, "ec2:RunInstances", instance_arn(request, "*"))
        role = self._role(request)
        volumes = _volumes(image, request)
        _expect_bootable(image, volumes)
        for volume in volumes:
            self._ebs.keys.use(request, volume.key_arn, "Decrypt")
        return Launch(
            image=image,
            volumes=volumes,
            instance_type=request.text("InstanceType") or DEFAULT_TYPE,
            role=role,
            user_data=_user_data(request.text("UserData")),
            terminates=request.text("InstanceInitiatedShutdownBehavior") == _TERMINATE,
            variables=_variables(image),
        )

    def disks(self, launch: Launch) -> tempfile.TemporaryDirectory[str]:
        """Return a folder with the image's volumes as files. Raises AwsFault, OSError and FormatError."""
        folder = tempfile.TemporaryDirectory(prefix="strongroom-volumes-")
        with contextlib.ExitStack() as undo:
            undo.callback(folder.cleanup)
            for number, volume in enumerate(launch.volumes):
                self._write(volume, launch.image, Path(folder.name) / f"{number}")
            undo.pop_all()
        return folder

    def _write(self, volume: Volume, image: Image, path: Path) -> None:
        if volume.snapshot_id is None:
            path.touch()
        else:
            self._ebs.volume(volume.snapshot_id, account=image.account_id, region=image.region).write_to(path)
        os.truncate(path, volume.gib << 30)

    def _role(self, request: ApiRequest) -> Principal | None:
        """Return the role of the instance profile, which the caller may pass on. Raises AwsFault."""
        profile = request.inside("IamInstanceProfile")
        named = profile.text("Name") or profile.text("Arn")
        if not named:
            return None
        role = self._profile_role(request.account_id, named)
        _expect_allowed(request, "iam:PassRole", role.arn)
        return role


def hardware_of(launch: Launch, folder: Path, variables: EfiVariables | None = None) -> Hardware:
    """Return the machine: it boots from the root device, and has the others."""
    disks = tuple(folder / f"{number}" for number in range(len(launch.volumes)))
    return Hardware(
        disks[0],
        launch.variables if variables is None else variables,
        disks_behind=disks[1:],
        has_tpm=launch.image.tpm_support == _TPM,
    )


def instance_arn(request: ApiRequest, instance_id: str) -> str:
    """Return an instance's ARN (Service Authorization Reference, Amazon EC2)."""
    return f"arn:{PARTITION}:ec2:{request.region}:{request.account_id}:instance/{instance_id}"


def expect_machine() -> None:
    """Raise AwsFault where this machine cannot run another."""
    try:
        expect_qemu()
    except LocalFault as fault:
        raise no_capacity(fault) from fault


def no_capacity(fault: LocalFault | FormatError) -> AwsFault:
    """Make the error of an instance that this machine cannot run."""
    remedy = f" {fault.remedy}" if fault.remedy else ""
    return AwsFault("InsufficientInstanceCapacity", f"The twin cannot boot it: {fault}.{remedy}", status=500)


def expect_may(request: ApiRequest, action: str, instance_id: str) -> None:
    """Ask the caller's policies about an action on one instance. Raises AwsFault."""
    _expect_allowed(request, f"ec2:{action}", instance_arn(request, instance_id))


def _expect_allowed(request: ApiRequest, action: str, resource: str) -> None:
    try:
        Question(request.authentic, action, resource, request.now).expect_allowed()
    except AwsFault as fault:
        message = f"You are not authorized to perform this operation. {fault.message}"
        raise AwsFault("UnauthorizedOperation", message, status=403) from fault


def _expect_bootable(image: Image, volumes: Sequence[Volume]) -> None:
    found = ""
    if image.architecture != Architecture.X86_64.value:
        found = f"the architecture {image.architecture}"
    elif image.boot_mode not in _UEFI:
        found = f"the boot mode {image.boot_mode or 'legacy-bios'}"
    elif not volumes or volumes[0].name != image.root_device:
        found = "no volume that is the root device"
    if found:
        message = f"The twin boots images for x86_64 with UEFI from a volume; {image.image_id} has {found}."
        raise AwsFault("Unsupported", message)


def _volumes(image: Image, request: ApiRequest) -> tuple[Volume, ...]:
    """Return the image's volumes as the call changes them, and those that it adds. Raises AwsFault."""
    found = {
        each.name: Volume(each.name, each.snapshot_id, each.key_arn, each.volume_gib)
        for each in image.devices
        if each.volume_gib is not None
    }
    for row in request.each("BlockDeviceMappings"):
        name, wanted = row.text("DeviceName"), row.inside("Ebs")
        if "NoDevice" in row.parameters:
            found.pop(name, None)
        elif wanted.parameters:
            found[name] = _changed(found.get(name), name, wanted)
    if len(found) > MAX_VOLUMES:
        raise invalid_value(f"The twin's machines have at most {MAX_VOLUMES} volumes.")
    return tuple(sorted(found.values(), key=lambda each: each.name != image.root_device))


def _changed(volume: Volume | None, name: str, wanted: ApiRequest) -> Volume:
    if wanted.text("SnapshotId"):
        raise invalid_combination("The twin boots an image from its own snapshots.")
    least = volume.gib if volume else 1
    gib = wanted.number("VolumeSize", volume.gib if volume else 0)
    if not least <= gib <= MAX_VOLUME_GIB:
        raise AwsFault("InvalidBlockDeviceMapping", f"The volume {name} has {least} to {MAX_VOLUME_GIB} GiB.")
    return replace(volume, gib=gib) if volume else Volume(name, None, None, gib)


def _variables(image: Image) -> EfiVariables:
    if not image.uefi_data:
        return NO_VARIABLES
    try:
        return read_uefi_data(image.uefi_data.encode())
    except FormatError as error:
        message = f"The UefiData of {image.image_id} are none that the twin can read: {error}."
        raise AwsFault("Unsupported", message) from error


def _user_data(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_value("Invalid BASE64 encoding of user data.") from error
    if len(found) > MAX_USER_DATA_BYTES:
        raise invalid_value(f"User data is limited to {MAX_USER_DATA_BYTES} bytes")
    return found or None
