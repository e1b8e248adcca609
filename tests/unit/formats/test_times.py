# SPDX-License-Identifier: Apache-2.0
"""Moments in the one form that AWS and we write."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from strongroom.formats.times import aws_time, parse_aws_time, read_moment


def test_a_moment_is_written_in_utc_to_the_second_before_it():
    moment = datetime(2026, 11, 22, 1, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert aws_time(moment) == "2026-11-21T23:30:59Z"


def test_what_is_written_is_read_as_the_same_moment():
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert parse_aws_time(aws_time(moment)) == moment


@pytest.mark.parametrize("text", ["", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22T12:00:00+00:00"])
def test_no_other_form_is_read(text):
    with pytest.raises(ValueError, match="does not match"):
        parse_aws_time(text)


@pytest.mark.parametrize("text", ["2026-11-22T12:00:00Z", "2026-11-22T14:00:00+02:00"])
def test_a_time_with_its_zone_is_read_in_utc(text):
    found = read_moment(text)
    assert (found, found.tzinfo) == (datetime(2026, 11, 22, 12, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "text", ["", "noon", "2026-11-22T12:00:00", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"]
)
def test_a_time_without_zone_or_beyond_the_calendar_is_none(text):
    with pytest.raises(ValueError, match=r"expected|Invalid"):
        read_moment(text)
