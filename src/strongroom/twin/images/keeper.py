# SPDX-License-Identifier: Apache-2.0
"""Keeps images in the twin's state file (docs/formats/twin-state.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.names import IMAGE_ID, SNAPSHOT_ID
from strongroom.formats.tree import Node
from strongroom.ids import ImageId, KeyArn, SnapshotId
from strongroom.twin.ebs.snapshots import MAX_VOLUME_GIB
from strongroom.twin.images.image import MAX_PERMISSIONS, Device, Grantee, Image, Permission
from strongroom.twin.state_file import Row, StateFile
from strongroom.twin.state_values import read_flag, read_time

_KIND = "ec2-image"
_SPEC = "docs/formats/twin-state.md"
_MAX_BODY_BYTES = 8 << 20
"""10,000 launch permissions and 64,000 characters of UEFI data have less than 2 MB."""
_MAX_UEFI_DATA = 64_000
_TEXTS = (
    "name",
    "description",
    "architecture",
    "virtualization",
    "boot_mode",
    "tpm_support",
    "imds_support",
    "sriov",
    "root_device",
    "source_image",
    "source_region",
)
_OTHERS = ("image_id", "account", "region", "uefi_data", "ena", "devices", "created", "tags", "permissions")
_DEVICE = (
    "name",
    "snapshot_id",
    "volume_gib",
    "delete_on_termination",
    "key_arn",
    "encrypted",
    "settings",
    "virtual_name",
)


class StateKeeper:
    """A `registry.Keeper` in a state file."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def load(self) -> Sequence[Image]:
        """Return every image that is kept. Raises FormatError where one is damaged."""
        return [self._read(row) for row in self._file.rows(_KIND)]

    def keep(self, image: Image) -> None:
        """Keep an image in its new form. Raises LocalFault, and FormatError for one that could not be read again."""
        body = image_body(image)
        _parse(body)
        self._file.write([Row(_KIND, image.image_id, body)])

    def forget(self, image_id: ImageId) -> None:
        """Forget an image. Raises LocalFault."""
        self._file.write([Row(_KIND, image_id, None)])

    def _read(self, row: Row) -> Image:
        try:
            found = _parse(row.body or "")
        except FormatError as error:
            raise self._file.damaged(f"{_KIND} {row.name}: {error}") from error
        if found.image_id != row.name:
            raise self._file.damaged(f"{_KIND} {row.name} holds {found.image_id}")
        return found


def _parse(body: str) -> Image:
    return read_image(strict_json.parse(body.encode(), maximum_bytes=_MAX_BODY_BYTES, spec=_SPEC))


def image_body(image: Image) -> str:
    """Return an image's body."""
    members = {
        **{name: getattr(image, name) for name in _TEXTS},
        "image_id": image.image_id,
        "account": image.account_id,
        "region": image.region,
        "uefi_data": image.uefi_data,
        "ena": image.ena,
        "devices": [_device(each) for each in image.devices],
        "created": image.created.isoformat(),
        "tags": dict(image.tags),
        "permissions": [list(each) for each in sorted(image.permissions)],
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _device(device: Device) -> dict[str, object]:
    return {name: getattr(device, name) for name in _DEVICE if name != "settings"} | {"settings": dict(device.settings)}


def read_image(node: Node) -> Image:
    """Read an image. Raises FormatError."""
    it = node.record((*_TEXTS, *_OTHERS))
    texts = {name: it[name].string() for name in _TEXTS}
    return Image(
        **texts,
        image_id=ImageId(it["image_id"].text(IMAGE_ID, wanted="an image id")),
        account_id=it["account"].account(),
        region=it["region"].region(),
        uefi_data=it["uefi_data"].string(maximum=_MAX_UEFI_DATA),
        ena=read_flag(it["ena"]),
        devices=tuple(_read_device(each) for each in it["devices"].items()),
        created=read_time(it["created"]),
        tags={name: value.string() for name, value in it["tags"].table()},
        permissions=frozenset(_read_permission(each) for each in it["permissions"].items(maximum=MAX_PERMISSIONS)),
    )


def _read_device(node: Node) -> Device:
    it = node.record(_DEVICE)
    absent = {name for name in _DEVICE if it[name].value is None}
    return Device(
        name=it["name"].string(),
        snapshot_id=None if "snapshot_id" in absent else SnapshotId(it["snapshot_id"].text(SNAPSHOT_ID)),
        volume_gib=None if "volume_gib" in absent else it["volume_gib"].integer(1, MAX_VOLUME_GIB),
        delete_on_termination=read_flag(it["delete_on_termination"]),
        key_arn=None if "key_arn" in absent else KeyArn(it["key_arn"].text()),
        encrypted=read_flag(it["encrypted"]),
        settings={name: _read_setting(value) for name, value in it["settings"].table()},
        virtual_name=None if "virtual_name" in absent else it["virtual_name"].string(),
    )


def _read_setting(node: Node) -> str | int:
    return node.string() if isinstance(node.value, str) else node.integer(0, 1 << 53)


def _read_permission(node: Node) -> Permission:
    kind, name = node.items(minimum=2, maximum=2)
    return kind.member(Grantee), name.text()
