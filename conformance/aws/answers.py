# SPDX-License-Identifier: Apache-2.0
"""What calls end in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

ANSWERED = "answered"
"""What is said of a call that succeeds."""


def outcome(call: Callable[..., Any], /, **parameters: Any) -> str:
    """Return the code of the error that a call ends in, or that it was answered."""
    return error_of(call, **parameters)[0]


def error_of(call: Callable[..., Any], /, **parameters: Any) -> tuple[str, str]:
    """Return code and message of the error that a call ends in."""
    try:
        call(**parameters)
    except ClientError as error:
        known = error.response["Error"]
        return known.get("Code", ""), known.get("Message", "")
    return ANSWERED, ""
