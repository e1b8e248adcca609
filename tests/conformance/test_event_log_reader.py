# SPDX-License-Identifier: Apache-2.0
"""Genuine event logs, read by us and by Debian's tpm2-tools; logs of our own boots: tests/boot."""

import pytest
from tests import tpm2_eventlog
from tests.event_logs import (
    CRTM_VERSION,
    IPL,
    NO_ACTION,
    RICH_BOOT,
    SHA1,
    SHA256,
    SHA384,
    SMALL_BOOT,
    event,
    log,
    sha1_event,
)

pytestmark = [pytest.mark.slow, pytest.mark.attack("A21")]

REFUSED_BY_THE_PEER = {
    "short_no_action_eventlog": "invalid eventDataSize in specid event",
}
"""It takes any EV_NO_ACTION at the start for a header. The record is a StartupLocality, and so no header."""
THREE = (SHA1, SHA256, SHA384)
NO_PCR = event(0xFFFFFFFF, NO_ACTION, b"SP800-155 Event3")
"""The peer stops at an index that is no PCR, also where the specification has it."""


def test_genuine_logs_have_the_same_events_and_lead_to_the_same_pcrs(genuine_vectors):
    files = sorted((genuine_vectors / "event-logs").iterdir())
    compared = [file for file in files if not tpm2_eventlog.refusal(file)]
    assert len(compared) >= 8
    for file in files:
        if file in compared:
            assert tpm2_eventlog.differences(file) == [], file.name
        else:
            assert REFUSED_BY_THE_PEER[file.name] in tpm2_eventlog.refusal(file)


@pytest.mark.parametrize(
    "data",
    [
        SMALL_BOOT,
        RICH_BOOT.removesuffix(NO_PCR),
        sha1_event(0, CRTM_VERSION, b"v1") + sha1_event(5, 0x80000007, b"Exit Boot Services Invocation"),
        log(*(event(pcr, IPL, b"text\0", algorithms=THREE) for pcr in range(16)), algorithms=THREE),
    ],
    ids=["small", "rich", "sha1", "three banks"],
)
def test_the_logs_of_our_tests_are_logs_for_others_too(data, tmp_path):
    (tmp_path / "log").write_bytes(data)
    assert tpm2_eventlog.differences(tmp_path / "log") == []


def test_a_difference_would_be_seen(tmp_path, monkeypatch):
    (tmp_path / "log").write_bytes(SMALL_BOOT)
    true = tpm2_eventlog.read(tmp_path / "log")
    true.pcrs["sha384"][4] = "00" * 48
    true.events[3].kind = "EV_IPL"
    true.events[5].digests["sha384"] = "00" * 48
    monkeypatch.setattr(tpm2_eventlog, "read", lambda _: true)
    assert [each.split()[0] for each in tpm2_eventlog.differences(tmp_path / "log")] == ["type", "event", "PCR4"]
