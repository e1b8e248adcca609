# SPDX-License-Identifier: Apache-2.0
"""What came and what left, in lists that anybody may have written."""

import time

import pytest
from tests.unit.measure.explain.boots import PROGRAM, differences, events_of, image, inserted, log

from strongroom.measure.events import Event, EventType
from strongroom.measure.explain.changes import moved_between
from strongroom.measure.explain.compare import explain

LONG = range(2000)
SECONDS = 10
"""Far more than is needed, far less than the minutes and hours that aligning such lists takes."""


@pytest.mark.parametrize(
    ("before", "after", "gone", "new"),
    [
        ("abc", "abc", [], []),
        ("abc", "abxc", [], [2]),
        ("abc", "bcd", [0], [2]),
        ("", "ab", [], [0, 1]),
        ("aaa", "aa", [2], []),
        ("abcd", "xbcy", [0, 3], [0, 3]),
    ],
)
def test_places_of_what_left_and_of_what_came(before, after, gone, new):
    assert moved_between(before, after) == (gone, new)


def test_in_long_lists_what_came_and_left_is_counted():
    before, after = [*LONG, "a", "b"], ["c", *reversed(LONG), "b", "b"]
    assert moved_between(before, after) == ([2000], [0, 2001])


@pytest.mark.attack("A10")
def test_long_texts_of_hostile_images_are_compared_in_no_time():
    before = b" ".join(b"aaaaaaaaaaaa%04d" % number for number in LONG)
    after = b" ".join(b"aaaaaaaaaaaa%04dx" % number for number in LONG)
    begun = time.monotonic()
    moved = differences(image(cmdline=before), image(cmdline=after))
    assert time.monotonic() - begun < SECONDS
    assert "and 1992 more" in moved["explain.section"].sentence


@pytest.mark.attack("A10")
@pytest.mark.parametrize("pcr", [2, 4, 7, 12])
@pytest.mark.parametrize("kinds", [2, 8000])
def test_logs_with_many_events_are_compared_in_no_time(pcr, kinds):
    many = [Event(pcr, "x", (number % kinds).to_bytes(48), "x", f"subject {number}") for number in range(8000)]
    begun = time.monotonic()
    reference, one = image(), log([*events_of(image()), *many])
    other = log([*events_of(image()), *many[1:4000], *many[::-1]], name="the other log")
    assert explain(reference, one).gated
    assert explain(one, other).gated
    assert time.monotonic() - begun < SECONDS


def test_variants_of_long_lists_are_not_tried():
    many = [Event(4, EventType.APPLICATION, bytes([number]) * 48, "x", claimed=True) for number in range(64)]
    seen = log(inserted([*events_of(image()), *many], 2, PROGRAM))
    assert 4 in seen.events  # as they stand, they lead to the value
