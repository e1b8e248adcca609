# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents: the JSON in which EC2 says what an instance is. Parsed here, verified elsewhere.

Source: EC2 User Guide, "Instance identity documents for Amazon EC2 instances". Fields that nobody here needs may be
there and are not read; those that are read have fixed types and shapes. A name that stands twice is refused, because
two readers would see two documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from strongroom.errors import FormatError
from strongroom.ids import AccountId, ImageId, InstanceId, Region

MAX_IDENTITY_DOCUMENT_BYTES = 16_384
"""Genuine ones have about 500 bytes."""

_SPEC = "EC2 User Guide, instance identity documents"
_SHAPES = {
    "accountId": re.compile(r"[0-9]{12}"),
    "architecture": re.compile(r"[a-z0-9_]{1,32}"),
    "availabilityZone": re.compile(r"[a-z0-9-]{1,64}"),
    "imageId": re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})"),
    "instanceId": re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})"),
    "instanceType": re.compile(r"[a-z0-9.-]{1,64}"),
    "pendingTime": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    "region": re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}"),
}


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """What an identity document says, unverified."""

    account_id: AccountId
    instance_id: InstanceId
    image_id: ImageId
    region: Region
    availability_zone: str
    instance_type: str
    architecture: str
    pending_time: str
    """When the instance was last started, RFC 3339 in UTC."""


def parse_identity_document(data: bytes) -> IdentityDocument:
    """Parse the JSON of an identity document. Raises FormatError."""
    fields = _decode(data)
    values = {name: _text(fields, name) for name in _SHAPES}
    return IdentityDocument(
        account_id=AccountId(values["accountId"]),
        instance_id=InstanceId(values["instanceId"]),
        image_id=ImageId(values["imageId"]),
        region=Region(values["region"]),
        availability_zone=values["availabilityZone"],
        instance_type=values["instanceType"],
        architecture=values["architecture"],
        pending_time=values["pendingTime"],
    )


def _decode(data: bytes) -> Mapping[str, object]:
    if len(data) > MAX_IDENTITY_DOCUMENT_BYTES:
        raise FormatError(
            "identity.too-large",
            f"expected an identity document of at most {MAX_IDENTITY_DOCUMENT_BYTES} bytes, found {len(data)}",
            offset=MAX_IDENTITY_DOCUMENT_BYTES,
            spec=_SPEC,
        )
    try:
        fields = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            "identity.not-json", f"expected JSON in UTF-8, found something else: {error}", spec=_SPEC
        ) from error
    if not isinstance(fields, dict):
        raise FormatError("identity.not-an-object", "expected a JSON object, found another value", offset=0, spec=_SPEC)
    return fields


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormatError("identity.duplicate-name", "expected each name once in a JSON object", spec=_SPEC)
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError("identity.not-json", f"expected JSON, found {name}", spec="RFC 8259 section 6")


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _SHAPES[name].fullmatch(value):
        raise FormatError(
            "identity.field", f"expected {name} of the form {_SHAPES[name].pattern}, found {value!r:.80}", spec=_SPEC
        )
    return value
