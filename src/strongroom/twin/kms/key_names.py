# SPDX-License-Identifier: Apache-2.0
"""How a KeyId parameter names a key (KMS API Reference, "Key identifiers (KeyId)").

A bare id or alias name means one in the caller's own account, so another account's key must be named by an ARN. Only
operations that use keys take aliases; those that manage keys take an id or a key ARN.
"""

from __future__ import annotations

import re

from strongroom.twin.accounts import PARTITION
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.keys import Place

_ARN = re.compile(
    r"arn:aws:kms:(?P<region>[a-z0-9-]+):\d{12}:(?:key/(?P<id>[\w-]+)|alias/[a-zA-Z0-9/_-]{1,250})", re.ASCII
)
_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")
_RESERVED = "alias/aws/"


def completed(place: Place, identifier: str) -> str:
    """Return the key or alias ARN that an identifier stands for. Raises AwsFault (NotFoundException)."""
    if _KEY_ID.fullmatch(identifier):
        return f"{_prefix(place)}:key/{identifier}"
    if _ALIAS.fullmatch(identifier):
        return f"{_prefix(place)}:{identifier}"
    found = _ARN.fullmatch(identifier)
    if found is None:
        raise AwsFault("NotFoundException", f"Invalid keyId '{identifier[:128]}'")
    if found["region"] != place.region:
        raise AwsFault("NotFoundException", f"Invalid arn {found['region']}")
    return identifier


def completed_key(place: Place, identifier: str) -> str:
    """Return the key ARN, for an operation that takes no aliases. Raises AwsFault (NotFoundException)."""
    arn = completed(place, identifier)
    if is_alias(arn):
        raise AwsFault("NotFoundException", f"Invalid keyId '{identifier[:128]}'")
    return arn


def is_alias(arn: str) -> bool:
    """Tell whether a completed identifier names an alias."""
    return ":alias/" in arn


def alias_arn(place: Place, name: str) -> str:
    """Return the ARN of an alias that may be made, changed or deleted here. Raises AwsFault."""
    if not _ALIAS.fullmatch(name) or name.startswith(_RESERVED):
        raise AwsFault(
            "InvalidAliasNameException", f"Alias must start with the prefix \"alias/\". Found '{name[:64]}'."
        )
    return f"{_prefix(place)}:{name}"


def _prefix(place: Place) -> str:
    return f"arn:{PARTITION}:kms:{place.region}:{place.account_id}"
