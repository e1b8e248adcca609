# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes a log holds: refused with FormatError or read, and only digests count (ATTACKS A21)."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import uuid
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.damage import damaged
from tests.event_logs import (
    AUTHORITY,
    GPT,
    HASHES,
    IPL,
    NO_ACTION,
    SHA1,
    SHA384,
    SMALL_BOOT,
    TABLES,
    VARIABLE,
    VARIABLE_BOOT,
    event,
    extended,
    file_path,
    image_load,
    load_option,
    log,
    partition_table,
    sha1_event,
    variable,
)

from strongroom.errors import FormatError
from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import PcrBank
from strongroom.measure.event_log import describe_events, replay_log
from strongroom.measure.events import EVENT_TYPES
from strongroom.measure.wording.words import MAX_TEXT_CHARACTERS

pytestmark = pytest.mark.attack("A21")

KINDS = st.sampled_from([number for number in EVENT_TYPES if number != NO_ACTION]) | st.integers(4, 2**32 - 1)
PCRS = st.integers(0, 31)
DATA = st.binary(max_size=80)
EXTENDS = st.lists(st.tuples(PCRS, KINDS, DATA), max_size=12)
LAYOUTS = [
    variable(uuid.UUID(int=1), "SecureBoot", b"\1"),
    variable(uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c"), "Boot0001", load_option("a", file_path("\\b"), b"c")),
    image_load(file_path("\\EFI\\BOOT\\BOOTX64.EFI")),
    partition_table((uuid.UUID(int=1), "one"), (uuid.UUID(int=2), "two")),
    struct.pack("<II", 0x8F3B22EC, 3) + b"abc",
    struct.pack("<Q", 1) + bytes(24),
    b"kernel_cmdline: quiet\0",
]


def pcrs_of(data: bytes) -> dict[int, bytes]:
    return {int(index): value for index, value in replay_log(parse_event_log(data), PcrBank.SHA384).items()}


def read_whole(data: bytes) -> None:
    parsed = parse_event_log(data)
    for bank in parsed.banks:
        replay_log(parsed, bank)
        assert len(describe_events(parsed, bank)) == len(parsed.events)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_or_read(data):
    with contextlib.suppress(FormatError):
        read_whole(data)


@given(damaged(SMALL_BOOT))
def test_a_damaged_log_is_refused_or_read(data):
    with contextlib.suppress(FormatError):
        read_whole(data)


@given(st.integers(0, len(SMALL_BOOT) - 1))
def test_a_truncated_log_is_refused_or_leads_to_other_pcrs(length):
    with contextlib.suppress(FormatError):
        assert pcrs_of(SMALL_BOOT[:length]) != pcrs_of(SMALL_BOOT)


@given(EXTENDS)
def test_replay_is_the_definition(extends):
    expected = {
        pcr: extended(SHA384, [HASHES[SHA384](data) for index, _, data in extends if index == pcr])
        for pcr in {pcr for pcr, _, _ in extends}
    }
    assert pcrs_of(log(*(event(*each) for each in extends))) == expected


@given(EXTENDS, st.randoms(use_true_random=False))
def test_an_order_that_differs_in_one_pcr_gives_another_value(extends, random):
    shuffled = random.sample(extends, len(extends))
    same = all(
        [data for index, _, data in extends if index == pcr] == [data for index, _, data in shuffled if index == pcr]
        for pcr in range(32)
    )
    before, after = (pcrs_of(log(*(event(*each) for each in order))) for order in (extends, shuffled))
    assert (before == after) is same


SILENT = DATA.filter(lambda data: not data.startswith((b"Spec ID Event", b"StartupLocality\0")))
"""What changes nothing as an EV_NO_ACTION: a second header is refused, and a locality is what PCR 0 begins with."""


@given(EXTENDS, st.lists(st.tuples(st.integers(0, 12), PCRS | st.just(0xFFFFFFFF), SILENT), max_size=5))
def test_any_number_of_events_that_extend_nothing_changes_nothing(extends, added):
    records = [event(*each) for each in extends]
    for place, pcr, data in added:
        records.insert(place, event(pcr, NO_ACTION, data))
    assert pcrs_of(log(*records)) == pcrs_of(log(*(event(*each) for each in extends)))


@given(EXTENDS, st.lists(st.tuples(KINDS, DATA), min_size=12, max_size=12))
def test_other_texts_and_types_change_nothing(extends, lies):
    true = [event(*each) for each in extends]
    told = [event(pcr, kind, lie, measured=data) for (pcr, _, data), (kind, lie) in zip(extends, lies, strict=False)]
    assert pcrs_of(log(*told)) == pcrs_of(log(*true))


@given(PCRS, st.sampled_from(sorted(EVENT_TYPES)), st.sampled_from(LAYOUTS).flatmap(partial(damaged, least=0)))
def test_whatever_an_event_holds_it_gets_words(pcr, kind, data):
    (found,) = describe_events(parse_event_log(log(event(pcr, kind, data))), PcrBank.SHA384)
    assert 0 < len(found.about) < 40 * MAX_TEXT_CHARACTERS


FULL = 65_536
LARGE: dict[str, Callable[[], bytes]] = {
    "smallest events": lambda: sha1_event(0, 8, b"") * (FULL // 32),
    "events of one bank": lambda: log(*[event(31, 0x80000003, b"", algorithms=(SHA1,))] * 1700, algorithms=(SHA1,)),
    "sections": lambda: log(*[event(11, IPL, b"x")] * 900),
    "text": lambda: log(event(8, IPL, b"grub_cmd: " + b"a" * (FULL - 200))),
    "database": lambda: log(event(7, VARIABLE, variable(uuid.UUID(int=0), "db", bytes(FULL - 300)))),
    "certificates": lambda: log(*[event(7, AUTHORITY, variable(uuid.UUID(int=0), "db", bytes(90)))] * 300),
    "partitions": lambda: log(event(5, GPT, partition_table(*[(uuid.UUID(int=1), "name")] * 500))),
    "tables": lambda: log(event(1, TABLES, struct.pack("<Q", 2700) + bytes(2700 * 24))),
    "order": lambda: log(event(1, VARIABLE_BOOT, variable(uuid.UUID(int=0), "BootOrder", bytes(FULL - 300)))),
}


@pytest.mark.attack("B19")
@pytest.mark.parametrize("name", LARGE)
def test_a_log_of_64_kib_takes_little_memory(name):
    data = LARGE[name]()
    assert FULL // 2 < len(data) <= FULL
    tracemalloc.start()
    try:
        read_whole(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
