# SPDX-License-Identifier: Apache-2.0
"""Starts, shutdowns and clocks of the emulated NitroTPM: what comes back, and what does not after a surprise."""

import pytest
from tests.tpm_commands import (
    ECC,
    EMPTY,
    NONE,
    NULL,
    OWNER,
    PLATFORM,
    RSA,
    SHA256,
    Command,
    Response,
    digests,
    password,
    selection,
    send,
    sized,
    u8,
    u16,
    u32,
    u64,
)

from strongroom.formats.tpm.attest import ClockInfo
from strongroom.twin.nitrotpm.tpm import NitroTpm

INITIALIZE, VALUE_1, LOCALITY = 0x100, 0x1C4, 0x907
EXTEND = Command("PCR_Extend", (0,), digests((SHA256, bytes(32))), EMPTY)


@pytest.fixture
def tpm(clock):
    made = NitroTpm(monotonic_ms=clock)
    assert send(made, "Startup", (), u16(0)).code == 0
    return made


def startup(tpm, kind):
    return send(tpm, "Startup", (), u16(kind)).code


def again(tpm, shutdown=None, kind=0):
    if shutdown is not None:
        assert send(tpm, "Shutdown", (), u16(shutdown)).code == 0
    tpm.cut_power()
    assert startup(tpm, kind) == 0


def pcr_0(tpm):
    return send(tpm, "PCR_Read", (), selection((SHA256, [0]))).parameters()[-32:]


def time_info(tpm):
    """Return time, and what an attestation says of the clock."""
    content = send(tpm, "ReadClock").parameters()
    numbers = [int.from_bytes(content[start:end]) for start, end in ((8, 16), (16, 20), (20, 24))]
    return int.from_bytes(content[:8]), ClockInfo(*numbers, bool(content[24]))


def is_orderly(tpm):
    return send(tpm, "GetCapability", (), u32(6) + u32(0x201) + u32(1)).parameters()[-4] == 0x80


def test_nothing_is_answered_before_it_is_started():
    tpm = NitroTpm()
    assert send(tpm, "GetRandom", (), u16(8)).code == INITIALIZE
    assert startup(tpm, 0) == 0
    assert startup(tpm, 0) == INITIALIZE


def test_a_resume_brings_pcrs_back_and_a_restart_does_not(tpm):
    tpm.execute(EXTEND.content)
    measured = pcr_0(tpm)
    again(tpm, shutdown=1, kind=1)
    assert pcr_0(tpm) == measured != bytes(32)
    again(tpm, shutdown=1, kind=0)
    assert pcr_0(tpm) == bytes(32)


def test_a_state_is_good_for_one_start(tpm):
    again(tpm, shutdown=1, kind=1)
    tpm.cut_power()
    assert startup(tpm, 1) == VALUE_1
    assert startup(tpm, 0) == 0
    assert not is_orderly(tpm)


@pytest.mark.parametrize(
    "command",
    [
        EXTEND,
        Command("HierarchyChangeAuth", (PLATFORM,), sized(b"x"), EMPTY),
        Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(0), EMPTY),
        Command("Clear", (PLATFORM,), b"", EMPTY),
        Command("ChangePPS", (PLATFORM,), b"", EMPTY),
    ],
    ids=lambda command: command.name,
)
def test_what_happens_after_a_shutdown_voids_it(tpm, command):
    assert send(tpm, "Shutdown", (), u16(1)).code == 0
    assert Response(tpm.execute(command.content)).code == 0
    tpm.cut_power()
    assert startup(tpm, 1) == VALUE_1


def test_what_is_refused_after_a_shutdown_does_not_void_it(tpm):
    assert send(tpm, "Shutdown", (), u16(1)).code == 0
    assert Response(tpm.execute(EXTEND.but(areas=()).content)).code != 0
    assert send(tpm, "HierarchyChangeAuth", (PLATFORM,), sized(), (password(b"wrong"),)).code != 0
    tpm.cut_power()
    assert startup(tpm, 1) == 0


def test_sessions_and_sequences_need_power(tpm):
    send(tpm, "HashSequenceStart", (), sized() + u16(SHA256))
    send(tpm, "StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(0) + u16(16) + u16(SHA256))
    again(tpm, shutdown=1, kind=1)
    for kind in (0x02000000, 0x03000000, 0x80000000):
        listed = send(tpm, "GetCapability", (), u32(1) + u32(kind) + u32(1)).parameters()
        assert listed[5:9] == bytes(4)


@pytest.mark.parametrize("locality", [1, 2, 4])
def test_it_is_started_from_locality_0_or_3(locality):
    tpm = NitroTpm()
    start = Command("Startup", (), u16(0)).content
    assert Response(tpm.execute(start, locality)).code == LOCALITY
    assert Response(tpm.execute(start, 3)).code == 0
    assert pcr_0(tpm) == bytes(31) + b"\3"


def test_a_state_from_one_locality_is_not_taken_up_from_another():
    tpm = NitroTpm()
    tpm.execute(Command("Startup", (), u16(0)).content, 3)
    send(tpm, "Shutdown", (), u16(1))
    tpm.cut_power()
    resume = Command("Startup", (), u16(1)).content
    assert Response(tpm.execute(resume, 0)).code == LOCALITY
    assert Response(tpm.execute(resume, 3)).code == 0


def test_the_clock_goes_on_and_the_time_begins_anew(tpm, clock):
    clock.now_ms += 5000
    assert time_info(tpm) == (5000, ClockInfo(5000, 1, 0, safe=True))
    again(tpm, shutdown=0)
    clock.now_ms += 100
    assert time_info(tpm) == (100, ClockInfo(5100, 2, 0, safe=True))
    again(tpm, shutdown=1, kind=1)
    assert time_info(tpm) == (0, ClockInfo(5100, 2, 1, safe=True))


def test_after_a_surprise_the_clock_is_not_safe_for_a_while(tpm, clock):
    again(tpm)
    assert not time_info(tpm)[1].safe
    clock.now_ms += 4095
    assert not time_info(tpm)[1].safe
    again(tpm, shutdown=0)
    assert not time_info(tpm)[1].safe
    clock.now_ms += 1
    assert time_info(tpm)[1].safe


def test_the_clock_is_set_forward_only(tpm, clock):
    clock.now_ms += 1000
    assert send(tpm, "ClockSet", (OWNER,), u64(999), EMPTY).code == VALUE_1
    assert send(tpm, "ClockSet", (OWNER,), u64(1 << 40), EMPTY).code == 0
    assert send(tpm, "ClockSet", (OWNER,), u64(0xFFFF000000000001), EMPTY).code == VALUE_1
    clock.now_ms += 1
    assert time_info(tpm) == (1001, ClockInfo((1 << 40) + 1, 1, 0, safe=True))


@pytest.mark.parametrize(("steps", "rate"), [(1, 30_001), (2, 30_030), (3, 30_300), (0xFD, 29_700), (0, 30_000)])
def test_the_clock_is_made_faster_and_slower_from_now_on(tpm, clock, steps, rate):
    clock.now_ms += 30_000
    assert send(tpm, "ClockRateAdjust", (OWNER,), u8(steps), EMPTY).code == 0
    assert time_info(tpm)[0] == 30_000
    clock.now_ms += 30_000
    assert time_info(tpm)[0] == 30_000 + rate


def test_the_clock_is_never_made_faster_by_more_than_a_sixth(tpm, clock):
    for _ in range(30):
        send(tpm, "ClockRateAdjust", (OWNER,), u8(3), EMPTY)
    clock.now_ms += 30_000
    assert time_info(tpm)[0] == 35_000
    assert send(tpm, "ClockRateAdjust", (OWNER,), u8(4), EMPTY).code == VALUE_1


def test_a_self_test_takes_every_algorithm_that_it_has_and_no_other(tpm):
    tested = send(tpm, "IncrementalSelfTest", (), u32(3) + u16(SHA256) + u16(RSA) + u16(ECC))
    assert (tested.code, tested.parameters()) == (0, u32(0))
    for unknown in (NONE, 0xFFFF):
        assert send(tpm, "IncrementalSelfTest", (), u32(1) + u16(unknown)).code == VALUE_1
