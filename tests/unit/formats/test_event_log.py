# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.event_logs import (
    APPLICATION,
    CRTM_VERSION,
    HASHES,
    IPL,
    NO_ACTION,
    SEPARATOR,
    SHA1,
    SHA256,
    SHA384,
    SM3,
    SMALL_BOOT,
    event,
    header,
    locality,
    log,
    sha1_event,
)

from strongroom.errors import FormatError
from strongroom.formats import event_log
from strongroom.formats.event_log import NO_PCR, LogFormat, parse_event_log
from strongroom.formats.pcrs import PcrBank

BANKS = (SHA1, SHA256, SHA384)
HEADER = sha1_event(0, NO_ACTION, header())
RECORD = event(4, IPL, b"data")


def refusal(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_event_log(data)
    assert caught.value.spec.startswith("TCG PC Client Platform Firmware Profile")
    assert caught.value.offset is not None
    return caught.value


def code_of(data: bytes) -> str:
    return refusal(data).code


def test_every_field_of_every_record_is_read():
    parsed = parse_event_log(
        log(event(4, IPL, b"one", algorithms=BANKS), event(31, 0x8401, b"", algorithms=BANKS), algorithms=BANKS)
    )
    assert (parsed.format, parsed.banks) == (LogFormat.CRYPTO_AGILE, (PcrBank.SHA1, PcrBank.SHA256, PcrBank.SHA384))
    first, second = parsed.events
    assert (first.pcr, first.kind, first.data) == (4, IPL, b"one")
    assert first.digests == {bank: HASHES[bank.algorithm_id](b"one") for bank in parsed.banks}
    assert (second.pcr, second.kind, second.data) == (31, 0x8401, b"")
    assert (first.offset, second.offset) == (32 + 41, 32 + 41 + 12 + 6 + 20 + 32 + 48 + 4 + 3)
    assert (parsed.startup_locality, parsed.unknown_algorithms) == (0, ())


def test_a_log_of_the_header_alone_has_no_events():
    assert parse_event_log(HEADER).events == ()


@pytest.mark.parametrize("vendor", [b"", b"maker's own"])
def test_the_makers_words_in_the_header_are_passed_over(vendor):
    assert len(parse_event_log(sha1_event(0, NO_ACTION, header(vendor=vendor)) + RECORD).events) == 1


@pytest.mark.parametrize("first", [b"Spec ID Event00\0" + bytes(9), b"Spec ID Event02\0" + bytes(9)])
def test_a_log_with_sha1_alone_is_read_as_one(first):
    records = sha1_event(0, NO_ACTION, first) + sha1_event(0, CRTM_VERSION, b"v1") + sha1_event(4, SEPARATOR, bytes(4))
    parsed = parse_event_log(records)
    assert (parsed.format, parsed.banks) == (LogFormat.SHA1_ONLY, (PcrBank.SHA1,))
    assert [each.kind for each in parsed.events] == [NO_ACTION, CRTM_VERSION, SEPARATOR]
    assert parsed.events[1].digests == {PcrBank.SHA1: HASHES[SHA1](b"v1")}


def test_a_log_with_sha1_alone_needs_no_header():
    parsed = parse_event_log(sha1_event(0, CRTM_VERSION, b"v1"))
    assert (parsed.format, len(parsed.events)) == (LogFormat.SHA1_ONLY, 1)


def test_digests_may_come_in_any_order():
    swapped = event(4, IPL, b"data", algorithms=(SHA384, SHA1))
    parsed = parse_event_log(log(swapped, algorithms=(SHA1, SHA384)))
    assert parsed.events[0].digests == {PcrBank.SHA1: HASHES[SHA1](b"data"), PcrBank.SHA384: HASHES[SHA384](b"data")}


def test_an_algorithm_without_a_name_is_passed_over_by_the_size_in_the_header():
    table = header((SHA384, 0x7777), sizes={0x7777: 24})
    digests = struct.pack("<H", SHA384) + b"d" * 48 + struct.pack("<H", 0x7777) + b"u" * 24
    record = struct.pack("<III", 4, IPL, 2) + digests + struct.pack("<I", 4) + b"data"
    parsed = parse_event_log(sha1_event(0, NO_ACTION, table) + record)
    assert (parsed.banks, parsed.unknown_algorithms) == ((PcrBank.SHA384,), (0x7777,))
    assert (parsed.events[0].digests, parsed.events[0].data) == ({PcrBank.SHA384: b"d" * 48}, b"data")


def test_sm3_is_a_bank_like_others():
    assert parse_event_log(log(event(4, IPL, b"x", algorithms=(SM3,)), algorithms=(SM3,))).banks == (PcrBank.SM3_256,)


def test_only_what_extends_nothing_may_belong_to_no_pcr():
    parsed = parse_event_log(log(event(0xFFFFFFFF, NO_ACTION, b"SP800-155 Event3")))
    assert parsed.events[0].pcr == NO_PCR
    assert not parsed.events[0].extends
    for pcr, kind in ((0xFFFFFFFF, IPL), (32, NO_ACTION), (32, IPL), (0xFFFFFFFE, NO_ACTION)):
        assert code_of(log(event(pcr, kind, b""))) == "event-log.pcr"
        assert code_of(sha1_event(pcr, kind, b"")) == "event-log.pcr"


@pytest.mark.parametrize("value", [0, 3, 4])
def test_the_locality_at_startup_is_told_before_anything_goes_into_pcr_0(value):
    records = (
        event(1, IPL, b""),
        event(0, NO_ACTION, b"other"),
        event(0, NO_ACTION, locality(value)),
        event(0, 8, b""),
    )
    assert parse_event_log(log(*records)).startup_locality == value


LOCALITY = event(0, NO_ACTION, locality(3))


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    "records",
    [
        (event(0, CRTM_VERSION, b""), LOCALITY),
        (LOCALITY, LOCALITY),
        (LOCALITY, event(0, NO_ACTION, locality(0))),
        (event(1, NO_ACTION, locality(3)),),
        (event(0, NO_ACTION, locality(1)),),
        (event(0, NO_ACTION, locality(5)),),
        (event(0, NO_ACTION, b"StartupLocality\0"),),
        (event(0, NO_ACTION, locality(3) + b"\0"),),
    ],
    ids=["late", "twice", "taken back", "of PCR 1", "1", "5", "none", "two bytes"],
)
def test_a_locality_that_could_change_pcr_0_as_one_likes_is_refused(records):
    assert code_of(log(*records)) == "event-log.startup-locality"


@pytest.mark.attack("A21")
def test_a_second_header_is_refused():
    assert code_of(log(event(0, NO_ACTION, header((SHA1,))))) == "event-log.second-header"
    assert code_of(sha1_event(0, 8, b"") + sha1_event(0, NO_ACTION, header())) == "event-log.second-header"


@pytest.mark.attack("A21")
@pytest.mark.parametrize("whole", [SMALL_BOOT, sha1_event(0, CRTM_VERSION, b"v1") + sha1_event(4, SEPARATOR, bytes(4))])
def test_a_log_that_ends_inside_an_event_is_refused_with_the_place(whole):
    ends = {each.offset for each in parse_event_log(whole).events} | {len(whole)}
    for length in range(len(whole)):
        if length in ends and length:
            assert len(parse_event_log(whole[:length]).events) < len(parse_event_log(whole).events)
        else:
            error = refusal(whole[:length])
            assert error.code in {"event-log.truncated", "event-log.filler"}
            assert 0 <= error.offset <= length


@pytest.mark.attack("A21")
@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
@pytest.mark.parametrize("count", [1, 40, 5000])
@pytest.mark.parametrize("whole", [SMALL_BOOT, sha1_event(0, CRTM_VERSION, b"v1"), HEADER])
def test_filler_behind_the_last_event_is_refused_as_what_it_is(whole, filler, count):
    error = refusal(whole + filler * count)
    assert (error.code, error.offset) == ("event-log.filler", len(whole))
    assert error.message.endswith(f"found {count} bytes of filler")


@pytest.mark.parametrize("data", [bytes(32), bytes(5000), b"\xff" * 5000])
def test_filler_alone_is_no_log(data):
    assert code_of(data) == "event-log.filler"


def test_an_event_that_ends_in_zeros_is_no_filler():
    assert parse_event_log(log(event(8, IPL, b"grub_cmd: ls\0\0\0"))).events[0].data.endswith(b"\0\0\0")


def patched(data: bytes, offset: int, layout: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, value)
    return bytes(changed)


SIZE_OF_HEADER = 28
TABLE = 32 + 28
COUNT_OF_DIGESTS = len(HEADER) + 8
TWO = header((SHA256, SHA384))
TWO_BANKS = sha1_event(0, NO_ACTION, TWO) + event(4, IPL, b"data", algorithms=(SHA256, SHA384))


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [
        (b"", "event-log.truncated", 0),
        (b"MZ" + bytes(60), "event-log.pcr", 0),
        (HEADER + RECORD + b"x", "event-log.truncated", len(HEADER + RECORD)),
        (patched(HEADER, SIZE_OF_HEADER, "<I", 34), "event-log.truncated", 32),
        (patched(HEADER, SIZE_OF_HEADER, "<I", 0xFFFFFFFF), "event-log.truncated", 32),
        (patched(HEADER + RECORD, len(HEADER + RECORD) - 8, "<I", 0xFFFFFFFF), "event-log.truncated", 131),
        (patched(HEADER, 0, "<I", 1), "event-log.header", 0),
        (patched(HEADER, 8, "<I", 1), "event-log.header", 0),
        (HEADER.replace(b"Event03", b"Event04"), "event-log.header", 0),
        (patched(HEADER, 32 + 21, "<B", 1), "event-log.header", 32),  # major version
        (patched(HEADER, 32 + 23, "<B", 0), "event-log.header", 32),  # UINTN
        (patched(HEADER, 32 + 23, "<B", 3), "event-log.header", 32),
        (patched(HEADER, 32 + 24, "<I", 0), "event-log.header", 32),  # algorithms
        (patched(HEADER, 32 + 24, "<I", 17), "event-log.header", 32),
        (patched(HEADER, 32 + 24, "<I", 2), "event-log.truncated", 64),
        (patched(HEADER, 32 + 24, "<I", 0xFFFFFFFF), "event-log.header", 32),
        (patched(HEADER, TABLE + 4, "<B", 1), "event-log.truncated", 65),  # the maker's words
        (sha1_event(0, NO_ACTION, header() + b"x"), "event-log.header", 65),
        (patched(HEADER, TABLE + 2, "<H", 32), "event-log.algorithm", TABLE),
        (patched(HEADER, TABLE + 2, "<H", 0), "event-log.algorithm", TABLE),
        (sha1_event(0, NO_ACTION, header((0x77,), sizes={0x77: 0})), "event-log.algorithm", TABLE),
        (sha1_event(0, NO_ACTION, header((0x77,), sizes={0x77: 65})), "event-log.algorithm", TABLE),
        (sha1_event(0, NO_ACTION, header((SHA384, SHA384))), "event-log.algorithm", TABLE + 4),
        (patched(HEADER + RECORD, COUNT_OF_DIGESTS, "<I", 0), "event-log.digest-count", COUNT_OF_DIGESTS),
        (patched(HEADER + RECORD, COUNT_OF_DIGESTS, "<I", 2), "event-log.digest-count", COUNT_OF_DIGESTS),
        (patched(HEADER + RECORD, COUNT_OF_DIGESTS, "<I", 0xFFFFFFFF), "event-log.digest-count", COUNT_OF_DIGESTS),
        (patched(HEADER + RECORD, COUNT_OF_DIGESTS + 4, "<H", SHA256), "event-log.digest-algorithm", 77),
        (patched(TWO_BANKS, 32 + len(TWO) + 12 + 34, "<H", SHA256), "event-log.digest-algorithm", 32 + 33 + 4 + 46),
    ],
)
def test_one_fault_each(data, code, offset):
    error = refusal(data)
    assert (error.code, error.offset) == (code, offset)


def test_what_is_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(event_log, "MAX_EVENTS", 2)
    assert len(parse_event_log(HEADER + RECORD * 2).events) == 2
    assert code_of(HEADER + RECORD * 3) == "event-log.too-many-events"
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", len(HEADER))
    assert parse_event_log(HEADER).events == ()
    assert code_of(HEADER + RECORD) == "event-log.too-large"


GENUINE = {
    "crypto_agile_eventlog": (LogFormat.CRYPTO_AGILE, "SHA256", 26, 0),
    "ebs_event_missing_eventlog": (LogFormat.SHA1_ONLY, "SHA1", 38, 0),
    "gotpmtools-confidential-gke-debug-251000_eventlog.bin": (LogFormat.CRYPTO_AGILE, "SHA1 SHA256 SHA384", 54, 0),
    "gotpmtools-debian-10.bin": (LogFormat.SHA1_ONLY, "SHA1", 25, 0),
    "gotpmtools-ubuntu-2104-no-dbx.bin": (LogFormat.CRYPTO_AGILE, "SHA1 SHA256 SHA384", 111, 0),
    "gotpmtools-ubuntu-2404-amd-sevsnp.bin": (LogFormat.CRYPTO_AGILE, "SHA1 SHA256 SHA384", 116, 0),
    "keylime-binary_bios_measurements-secureboot": (LogFormat.CRYPTO_AGILE, "SHA256", 98, 0),
    "rustkeylime-uefi_log.bin": (LogFormat.CRYPTO_AGILE, "SHA256", 123, 0),
    "short_no_action_eventlog": (LogFormat.SHA1_ONLY, "SHA1", 1, 3),
}


def test_all_genuine_logs_are_known_here(genuine_vectors):
    assert {file.name for file in (genuine_vectors / "event-logs").iterdir()} == set(GENUINE)


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_logs_are_read_to_their_last_byte(genuine_vectors, name):
    data = (genuine_vectors / "event-logs" / name).read_bytes()
    parsed = parse_event_log(data)
    summary = (parsed.format, " ".join(parsed.banks), len(parsed.events), parsed.startup_locality)
    assert summary == GENUINE[name]
    assert data.endswith(parsed.events[-1].data)
    starts = [each.offset for each in parsed.events]
    assert starts == sorted(set(starts))


def test_a_log_that_starts_with_a_short_record_without_header_is_one_for_sha1(genuine_vectors):
    (record,) = parse_event_log((genuine_vectors / "event-logs/short_no_action_eventlog").read_bytes()).events
    assert (record.extends, record.data) == (False, locality(3))


def test_a_log_without_the_firmwares_last_events_ends_with_the_loader(genuine_vectors):
    last = parse_event_log((genuine_vectors / "event-logs/ebs_event_missing_eventlog").read_bytes()).events[-1]
    assert (last.pcr, last.kind) == (4, APPLICATION)
