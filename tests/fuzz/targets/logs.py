# SPDX-License-Identifier: Apache-2.0
"""Event logs of TCG, whose claims are put into words whatever they are, and CloudTrail's records of calls to KMS."""

import json
import struct

from tests.event_logs import EVENT_TAG, NO_ACTION, RICH_BOOT, SMALL_BOOT, event, locality, log, sha1_event
from tests.fuzz.target import Target

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.kms_event import parse_kms_events
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


def kms_events(data: bytes) -> None:
    """Every time has a zone: a time without one would be compared with none."""
    assert all(each.time.tzinfo for each in parse_kms_events(data))


RECORD = {
    "eventSource": "kms.amazonaws.com",
    "eventName": "Decrypt",
    "eventTime": "2026-11-22T12:00:00Z",
    "awsRegion": "eu-west-1",
    "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/a/s", "sessionContext": {"sessionIssuer": {}}},
    "requestParameters": {"encryptionContext": {"a": "b"}},
    "resources": [{"ARN": "arn:aws:kms:eu-west-1:111122223333:key/1"}],
    "additionalEventData": {
        "recipient": {"attestationDocumentNitroTPMPCR4": "11" * 48, "attestationDocumentEnclaveImageDigest": "A" * 64}
    },
}


def records() -> list[bytes]:
    looked_up = {"Events": [{"CloudTrailEvent": json.dumps(RECORD)}]}
    return [json.dumps(each).encode() for each in (RECORD, {"Records": [RECORD]}, looked_up)]


def many_records() -> list[bytes]:
    return [json.dumps([RECORD] * 4_096).encode(), json.dumps({"Events": [{"CloudTrailEvent": "[" * 60_000}]}).encode()]


TARGETS = (
    Target("logs.event-log", event_log, logs, worst=many_events),
    Target("logs.kms-events", kms_events, records, worst=many_records),
)
