# SPDX-License-Identifier: Apache-2.0
"""Moments: as AWS writes them in policies and credentials (UTC, to the second), and as people and files write them.

IAM User Guide, "IAM JSON policy elements: Condition operators", date operators (W3C's profile of ISO 8601).
"""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def aws_time(moment: datetime) -> str:
    """Write a moment, to the whole second before it: an end is never later than asked."""
    return moment.astimezone(UTC).strftime(_FORM)


def parse_aws_time(text: str) -> datetime:
    """Read what `aws_time` writes. Raises ValueError for every other form."""
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)


def read_moment(text: str) -> datetime:
    """Read a time with its zone (RFC 3339) and return it in UTC.

    Raises ValueError for other texts, and for moments before the year 1 or after 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("expected a time with its zone, found one without")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a moment within the years 1 to 9999 in UTC") from error
