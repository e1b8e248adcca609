# SPDX-License-Identifier: Apache-2.0
"""Grant tokens: opaque texts that name a grant (KMS Developer Guide, "Grants in AWS KMS", grant token).

`STWG`, version 1, the grant's 32-byte id, 16 random bytes, and an HMAC-SHA-256 over all of it under the grant's
secret, in base64. So each token of a grant is another, all of them name it for as long as it exists, and none can be
made up.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Sequence

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.keys import KeptGrant

MAX_TOKENS = 10
MAX_TOKEN = 8192
_MAGIC = b"STWG\x01"
_ID_END = len(_MAGIC) + 32
_MAC_START = _ID_END + 16
_BYTES = _MAC_START + 32


def new_token(kept: KeptGrant) -> str:
    """Return another token of a grant."""
    said = _MAGIC + bytes.fromhex(kept.grant.grant_id) + secrets.token_bytes(16)
    return base64.b64encode(said + hmac.digest(kept.secret, said, "sha256")).decode()


def find_grant(token: str, grants: Iterable[KeptGrant]) -> KeptGrant:
    """Return the grant that a token names. Raises AwsFault (InvalidGrantTokenException)."""
    try:
        data = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    grant_id = data[len(_MAGIC) : _ID_END].hex()
    kept = next((each for each in grants if each.grant.grant_id == grant_id), None)
    if kept is None or len(data) != _BYTES or not data.startswith(_MAGIC):
        raise _invalid()
    if not hmac.compare_digest(hmac.digest(kept.secret, data[:_MAC_START], "sha256"), data[_MAC_START:]):
        raise _invalid()
    return kept


def find_grants(tokens: Sequence[str], grants: Sequence[KeptGrant]) -> frozenset[str]:
    """Return the ids of the grants that tokens name. Raises AwsFault (InvalidGrantTokenException)."""
    return frozenset(find_grant(token, grants).grant.grant_id for token in tokens)


def _invalid() -> AwsFault:
    return AwsFault("InvalidGrantTokenException", "The grant token is not valid.")
