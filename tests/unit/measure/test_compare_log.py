# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib

import pytest
from tests.event_logs import ACTION, CALLING, IPL, SHA1, SHA384, SMALL_BOOT, event, extended, log, sha1_event
from tests.images import make_uki

from strongroom.errors import FormatError
from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import PcrBank, PcrDigests
from strongroom.measure.compare_log import compare_log
from strongroom.measure.event_log import replay_log
from strongroom.measure.predict import measure_image

EXIT = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
LOG = parse_event_log(SMALL_BOOT)
PCRS = dict(replay_log(LOG, PcrBank.SHA384))


def codes(found) -> list[str]:
    return [finding.code for finding in found.findings]


def test_pcrs_that_the_log_leads_to_are_reproduced():
    found = compare_log(LOG, PcrDigests.of(PCRS))
    assert (found.reproduced, found.differing, found.uncovered) == (tuple(sorted(PCRS)), (), ())
    assert found.findings == ()


def test_pcrs_that_nobody_touched_are_reproduced_by_their_first_value():
    found = compare_log(LOG, PcrDigests.of({13: bytes(48), 17: b"\xff" * 48, 22: b"\xff" * 48, 23: bytes(48)}))
    assert found.reproduced == (13, 17, 22, 23)


@pytest.mark.attack("A21")
def test_a_pcr_that_the_log_does_not_lead_to_is_a_finding_with_both_values():
    found = compare_log(LOG, PcrDigests.of({**PCRS, 4: b"\x44" * 48}))
    assert (found.differing, codes(found)) == ((4,), ["event-log.pcr-differs"])
    assert f"expected PCR4 {'44' * 8}…, found {PCRS[4].hex()[:16]}… by the log" in found.findings[0].message


@pytest.mark.attack("A21")
@pytest.mark.parametrize("index", [8, 13, 17])
def test_a_pcr_without_events_whose_value_needs_some_is_a_finding(index):
    found = compare_log(LOG, PcrDigests.of({index: b"\x01" * 48}))
    assert (found.reproduced, found.uncovered) == ((), (index,))
    assert codes(found) == ["event-log.pcr-not-covered"]


@pytest.mark.parametrize(("index", "value"), [(13, b"\xff" * 48), (17, bytes(48))])
def test_no_pcr_begins_as_others_do(index, value):
    assert compare_log(LOG, PcrDigests.of({index: value})).uncovered == (index,)


def test_each_pcr_is_in_one_place_and_each_that_is_wanting_has_a_finding():
    found = compare_log(LOG, PcrDigests.of({**PCRS, 4: b"\x44" * 48, 8: b"\x08" * 48}))
    assert sorted((*found.reproduced, *found.differing, *found.uncovered)) == sorted({**PCRS, 8: b""})
    assert codes(found) == ["event-log.pcr-differs", "event-log.pcr-not-covered"]


def test_a_log_that_was_taken_before_the_firmware_left_is_told_from_a_wrong_one():
    exits = [hashlib.sha384(text).digest() for text in EXIT]
    after = extended(SHA384, exits, start=PCRS[5])
    found = compare_log(LOG, PcrDigests.of({5: after}))
    assert (found.differing, codes(found)) == ((5,), ["event-log.exit-boot-services-missing"])
    assert found.ends_before_exit
    for other in ({5: extended(SHA384, exits[:1], start=PCRS[5])}, {4: extended(SHA384, exits, start=PCRS[4])}):
        found = compare_log(LOG, PcrDigests.of(other))
        assert (found.ends_before_exit, codes(found)) == (False, ["event-log.pcr-differs"])


def test_gates_without_events_and_values_that_differ_are_wrong():
    others = dict.fromkeys((4, 5, 8, 13), b"D" * 48)
    found = compare_log(LOG, PcrDigests.of({**PCRS, **others}))
    assert (found.wrong, found.uncovered, found.ends_before_exit) == ((4, 5, 13), (8, 13), False)


def test_a_comparison_with_nothing_is_no_success():
    found = compare_log(LOG, PcrDigests.of({}))
    assert (found.reproduced, codes(found)) == ((), ["event-log.nothing-compared"])


def test_values_of_another_bank_are_a_programmers_mistake():
    with pytest.raises(ValueError, match="SHA384"):
        compare_log(LOG, PcrDigests.of({4: bytes(32)}, size_bytes=32))


def test_a_log_without_the_bank_is_refused():
    with pytest.raises(FormatError) as caught:
        compare_log(parse_event_log(sha1_event(4, ACTION, CALLING)), PcrDigests.of(PCRS))
    assert caught.value.code == "event-log.no-bank"


def test_other_banks_are_compared_with_values_of_their_own():
    older = parse_event_log(sha1_event(4, ACTION, CALLING))
    value = extended(SHA1, [hashlib.sha1(CALLING).digest()])
    found = compare_log(older, PcrDigests.of({4: value}, size_bytes=20), bank=PcrBank.SHA1)
    assert found.reproduced == (4,)


def test_a_prediction_is_compared_like_a_document():
    pcrs = measure_image(make_uki(), secure_boot=None).pcrs
    found = compare_log(parse_event_log(log(event(11, IPL, b"another image"))), pcrs)
    assert found.reproduced == (12, 13)
    assert found.differing == (11,)
    assert found.uncovered == (2, 4, 7)
