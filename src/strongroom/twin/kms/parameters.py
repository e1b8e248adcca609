# SPDX-License-Identifier: Apache-2.0
"""Reads the JSON body of a KMS call, member by member, with the limits of KMS's API model (2014-11-01)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping

from strongroom.twin.fault import AwsFault

_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""What a JSON escape such as `\\ud800` leaves behind without its other half (RFC 8259, section 8.2)."""
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

    @property
    def members(self) -> Mapping[str, object]:
        """All members, as they came."""
        return self._members

    def text(self, name: str, *, default: str | None = None, minimum: int = 1, maximum: int = 2048) -> str:
        """Return a text of `minimum` to `maximum` whole characters; `default` when it is absent and there is one."""
        value = self._members.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise invalid(name, value, "Member must not be null and must be a string")
        if not minimum <= len(value) <= maximum:
            raise invalid(name, value[:64], f"Member must have length between {minimum} and {maximum}")
        if _SURROGATE.search(value):
            raise invalid(name, "...", "Member must be whole characters")
        return value

    def optional_text(self, name: str, *, minimum: int = 1, maximum: int = 2048) -> str | None:
        """Return a text, or None when it is absent."""
        return None if self._members.get(name) is None else self.text(name, minimum=minimum, maximum=maximum)

    def matching(self, name: str, pattern: re.Pattern[str], *, maximum: int) -> str | None:
        """Return a text that `pattern` matches as a whole, or None when it is absent."""
        value = self.optional_text(name, maximum=maximum)
        if value is not None and not pattern.fullmatch(value):
            raise invalid(name, value[:64], f"Member must satisfy regular expression pattern: {pattern.pattern}")
        return value

    def choice(self, name: str, options: Collection[str], *, default: str | None = None) -> str:
        """Return one of `options`; `default` when it is absent and there is one."""
        value = self.text(name, default=default)
        if value not in options:
            listed = ", ".join(sorted(options))
            raise invalid(name, value[:64], f"Member must satisfy enum value set: [{listed}]")
        return value

    def blob(self, name: str, *, maximum_bytes: int) -> bytes:
        """Return 1 to `maximum_bytes` bytes from base64."""
        text = self.text(name, maximum=maximum_bytes * 2)
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise AwsFault("SerializationException", f"{name}: expected base64") from error
        if not 1 <= len(value) <= maximum_bytes:
            raise invalid(name, f"{len(value)} bytes", f"Member must have length between 1 and {maximum_bytes}")
        return value

    def whole_number(self, name: str, *, minimum: int = 1, maximum: int) -> int | None:
        """Return a number from `minimum` to `maximum`, or None when it is absent."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise invalid(name, value, f"Member must have value between {minimum} and {maximum}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; absent is false."""
        value = self._members.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid(name, value, "Member must be a boolean")
        return bool(value)

    def texts(self, name: str, *, maximum: int, longest: int = 2048) -> tuple[str, ...]:
        """Return a list of at most `maximum` texts of at most `longest` characters; empty when it is absent."""
        value = self._members.get(name) or []
        if not isinstance(value, list) or len(value) > maximum:
            raise invalid(name, "...", f"Member must be a list of at most {maximum}")
        return tuple(Parameters({name: each}).text(name, maximum=longest) for each in value)

    def structures(self, name: str, *, maximum: int) -> tuple[Parameters, ...]:
        """Return a list of at most `maximum` objects; empty when it is absent."""
        value = self._members.get(name) or []
        if not isinstance(value, list) or len(value) > maximum or not all(isinstance(each, dict) for each in value):
            raise invalid(name, "...", f"Member must be a list of at most {maximum} structures")
        return tuple(map(Parameters, value))

    def context(self, name: str = "EncryptionContext") -> dict[str, str]:
        """Return an encryption context: a map of texts, possibly empty."""
        value = self._members.get(name) or {}
        if not isinstance(value, dict) or len(value) > MAX_CONTEXT_PAIRS:
            raise invalid(name, "...", "Member must be a map of strings")
        if not all(isinstance(item, str) and key for key, item in value.items()):
            raise invalid(name, "...", "Member must be a map of strings")
        if any(_SURROGATE.search(key + item) for key, item in value.items()):
            raise invalid(name, "...", "Member must be whole characters")
        return value

    def nested(self, name: str) -> Parameters | None:
        """Return an object, or None when it is absent."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid(name, value, "Member must be a structure")
        return Parameters(value)


def invalid(name: str, value: object, constraint: str) -> AwsFault:
    """Make the error of a member that is not what it should be, in the words of AWS's own validation."""
    at = name[:1].lower() + name[1:]
    return AwsFault(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {constraint}",
    )
