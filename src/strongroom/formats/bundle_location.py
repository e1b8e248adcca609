# SPDX-License-Identifier: Apache-2.0
"""Where bundles lie, as user data says it (docs/formats/agent.md, "User data").

User data belong to whoever runs the account, so they may name a place and nothing else (ATTACKS B14, B15): what comes
from there counts if a signer of the measured trust file signed it for this account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from strongroom.formats import strict_json
from strongroom.ids import Region

MAX_USER_DATA_BYTES = 16_384
"""EC2 User Guide, "Run commands when you launch an EC2 instance": 16 KB before base64."""
_SPEC = "docs/formats/agent.md"
_BUCKET = r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]"
"""S3 User Guide, "General purpose bucket naming rules"."""
_FOLDERS = r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}){0,16}/?"
"""Folders of names that mean the same to everybody: no character that somebody might encode in another way."""
_LOCATION = re.compile(f"s3://{_BUCKET}{_FOLDERS}")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, the part of keys before a bundle's name, and the bucket's region if it is said."""

    bucket: str
    prefix: str
    """Empty, or folders that each end with a slash."""
    region: Region | None = None

    def key_of(self, file_name: str) -> str:
        """Return the key of a file at this place."""
        return self.prefix + file_name


def parse_bundle_location(user_data: bytes) -> S3Place:
    """Return the place that user data name. Raises FormatError for anything but a place under `strongroom`.

    Other keys beside `strongroom` are for others, and are not looked at.
    """
    root = strict_json.parse(user_data, maximum_bytes=MAX_USER_DATA_BYTES, spec=_SPEC)
    members = root.members(("strongroom",))["strongroom"].record(("bundles",), ("region",))
    text = members["bundles"].text(_LOCATION, wanted="a place such as s3://bucket/folder")
    bucket, _, folders = text.removeprefix("s3://").rstrip("/").partition("/")
    region = members["region"].region() if "region" in members else None
    return S3Place(bucket, f"{folders}/" if folders else "", region)
