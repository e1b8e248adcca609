# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest

from strongroom.formats.durations import say_duration


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=5, seconds=15), "5m 15s"),
        (timedelta(days=400, hours=3, seconds=1), "400d 3h 1s"),
        (timedelta(0), "0s"),
        (timedelta(seconds=-61), "-1m 1s"),
    ],
)
def test_durations_are_said_in_the_units_that_options_take(duration, words):
    assert say_duration(duration) == words


def test_an_age_just_above_a_limit_is_not_said_to_equal_it():
    assert say_duration(timedelta(minutes=5, microseconds=1)) == "5m 1s"
