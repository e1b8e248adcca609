# SPDX-License-Identifier: Apache-2.0
"""Reads the JSON body of a KMS call, member by member, with the limits of KMS's API model (2014-11-01)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from strongroom.twin.fault import AwsFault

MAX_CONTEXT_PAIRS = 64
"""More than KMS's 8,192 characters would hold in practice."""


class Parameters:
    """The members of one JSON object. Every method raises AwsFault (ValidationException) for a wrong type."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    @classmethod
    def parse(cls, body: bytes) -> Parameters:
        """Parse a request body. Raises AwsFault (SerializationException)."""
        try:
            members = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise AwsFault("SerializationException", "expected a JSON object") from error
        if not isinstance(members, dict):
            raise AwsFault("SerializationException", "expected a JSON object")
        return cls(members)

    def text(self, name: str, *, default: str | None = None, maximum: int = 2048) -> str:
        """Return a text of 1 to `maximum` characters; `default` when it is absent and there is one."""
        value = self._members.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise _invalid(name, value, "Member must not be null and must be a string")
        if not 1 <= len(value) <= maximum:
            raise _invalid(name, value[:64], f"Member must have length between 1 and {maximum}")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None when it is absent."""
        return None if self._members.get(name) is None else self.text(name)

    def blob(self, name: str, *, maximum_bytes: int) -> bytes:
        """Return 1 to `maximum_bytes` bytes from base64."""
        text = self.text(name, maximum=maximum_bytes * 2)
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise AwsFault("SerializationException", f"{name}: expected base64") from error
        if not 1 <= len(value) <= maximum_bytes:
            raise _invalid(name, f"{len(value)} bytes", f"Member must have length between 1 and {maximum_bytes}")
        return value

    def whole_number(self, name: str, *, maximum: int) -> int | None:
        """Return a number from 1 to `maximum`, or None when it is absent."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= maximum:
            raise _invalid(name, value, f"Member must have value between 1 and {maximum}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; absent is false."""
        value = self._members.get(name)
        if value is not None and not isinstance(value, bool):
            raise _invalid(name, value, "Member must be a boolean")
        return bool(value)

    def texts(self, name: str) -> list[object]:
        """Return a list, empty when it is absent."""
        value = self._members.get(name) or []
        if not isinstance(value, list):
            raise _invalid(name, value, "Member must be a list")
        return value

    def context(self) -> dict[str, str]:
        """Return the encryption context: a map of texts, possibly empty."""
        value = self._members.get("EncryptionContext") or {}
        if not isinstance(value, dict) or len(value) > MAX_CONTEXT_PAIRS:
            raise _invalid("EncryptionContext", "...", "Member must be a map of strings")
        if not all(isinstance(item, str) and name for name, item in value.items()):
            raise _invalid("EncryptionContext", "...", "Member must be a map of strings")
        return value

    def nested(self, name: str) -> Parameters | None:
        """Return an object, or None when it is absent."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _invalid(name, value, "Member must be a structure")
        return Parameters(value)


def _invalid(name: str, value: object, constraint: str) -> AwsFault:
    at = name[:1].lower() + name[1:]
    return AwsFault(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {constraint}",
    )
