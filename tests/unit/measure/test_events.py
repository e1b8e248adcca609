# SPDX-License-Identifier: Apache-2.0
import hashlib

from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrIndex
from strongroom.measure.events import EventType, event_over, replay, separator

ONE, TWO = (event_over(4, EventType.ACTION, data, "test") for data in (b"one", b"two"))


def test_replay_starts_at_zero_and_extends_in_order():
    after_one = hashlib.sha384(bytes(48) + hashlib.sha384(b"one").digest()).digest()
    expected = hashlib.sha384(after_one + hashlib.sha384(b"two").digest()).digest()
    assert replay([ONE, TWO], pcrs=[PcrIndex(4)])[PcrIndex(4)] == expected
    assert replay([TWO, ONE], pcrs=[PcrIndex(4)])[PcrIndex(4)] != expected


def test_only_the_asked_pcrs_are_replayed_and_untouched_ones_are_zero():
    pcrs = replay([ONE, separator(2)], pcrs=[PcrIndex(12), PcrIndex(2)])
    assert dict(pcrs) == {2: SEPARATOR_ONLY_SHA384, 12: ZERO_SHA384}
