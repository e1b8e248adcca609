# SPDX-License-Identifier: Apache-2.0
"""TCG event logs: what they claim is put into words, whatever it is."""

import struct

from tests.event_logs import EVENT_TAG, NO_ACTION, RICH_BOOT, SMALL_BOOT, event, locality, log, sha1_event
from tests.fuzz.target import Target

from strongroom.formats.event_log import parse_event_log
from strongroom.measure.event_log import describe_events, replay_log


def event_log(data: bytes) -> None:
    parsed = parse_event_log(data)
    for bank in parsed.banks:
        assert len(describe_events(parsed, bank)) == len(parsed.events)
        assert set(replay_log(parsed, bank)) >= {each.pcr for each in parsed.events if each.extends}


def logs() -> list[bytes]:
    sha1 = sha1_event(0, 8, b"v1") + sha1_event(4, 4, bytes(4))
    return [RICH_BOOT, SMALL_BOOT, log(event(0, NO_ACTION, locality(3))), sha1]


def many_events() -> list[bytes]:
    tag = struct.pack("<II", 1, 0)
    return [log(*[event(9, EVENT_TAG, tag)] * 900), sha1_event(0, 8, b"") * 2_000, sha1_event(0, 8, bytes(65_000))]


TARGETS = (Target("logs.event-log", event_log, logs, worst=many_events),)
