# SPDX-License-Identifier: Apache-2.0
"""The errors that AWS services answer with. They never leave the twin: the endpoint turns each into a reply."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class AwsFault(Exception):  # noqa: N818 -- AWS's own word for the errors in a service's answers
    """An error reply: AWS's exception name, the HTTP status and the sentence.

    `members` are what else the error has in the API model; REST-JSON services tell them.
    """

    def __init__(
        self, name: str, message: str, *, status: int = 400, members: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status
        self.members = members


class Unsigned(enum.StrEnum):
    """Why a signature is not believed. The value is the error's name in JSON services, which is not always another."""

    MISSING = "MissingAuthenticationTokenException"
    INCOMPLETE = "IncompleteSignatureException"
    MISMATCH = "InvalidSignatureException"
    UNKNOWN_KEY = "UnrecognizedClientException"
    EXPIRED_TOKEN = "ExpiredTokenException"  # noqa: S105 -- a name
    SKEWED = "InvalidSignatureException, because of the time"
    PAYLOAD = "InvalidSignatureException, because of the body"


class SignatureFault(AwsFault):
    """A call that is nobody's. Each protocol has its own names for the reasons (`refusals`)."""

    def __init__(self, reason: Unsigned, message: str) -> None:
        super().__init__(reason.value.partition(",")[0], message)
        self.reason = reason
