# SPDX-License-Identifier: Apache-2.0
"""Block tokens and page tokens: what they say, until when, and a MAC of the twin's.

A block token lives 7 days, a page token 60 minutes (EBS User Guide, "EBS direct APIs FAQ"). Both are at most 256
characters of base64 (API model, BlockToken and PageToken).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

BLOCK_LIFE = timedelta(days=7)
PAGE_LIFE = timedelta(minutes=60)
SECRET_BYTES = 32
_MAC_BYTES = 16


class TokenError(Exception):
    """A token that says something else, is too old, or was not made here."""


class Tokens:
    """Makes and reads tokens under one secret, which has to be kept as long as the snapshots."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, about: Sequence[str | int], *, expires: datetime) -> str:
        """Return a token about something, until a time."""
        body = json.dumps([*about, int(expires.timestamp())], separators=(",", ":")).encode()
        return base64.b64encode(self._mac(body) + body).decode()

    def read(self, token: str, *, now: datetime) -> list[str | int]:
        """Return what a token is about. Raises TokenError."""
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError) as error:
            raise TokenError from error
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise TokenError
        found: list[str | int] = json.loads(body)
        if now.timestamp() >= int(found[-1]):
            raise TokenError
        return found[:-1]

    def expect(self, token: str, about: Sequence[str | int], *, now: datetime) -> None:
        """Require that a token is about exactly this. Raises TokenError."""
        if self.read(token, now=now) != list(about):
            raise TokenError

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()[:_MAC_BYTES]
