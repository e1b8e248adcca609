# SPDX-License-Identifier: Apache-2.0
"""Records on a console: what a printer writes, what a serial line does to it, and what a reader makes of the rest."""

import base64
import random
import zlib

import pytest

from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES
from strongroom.formats.console import (
    CHUNK_BYTES,
    MAX_FAILURES,
    MAX_LINES,
    MAX_RECEIPTS,
    encode_failure,
    encode_receipt,
    parse_console,
)
from strongroom.formats.console_failure import MAX_FAILURE_BYTES, parse_failure_json
from strongroom.formats.console_model import ConsoleFailure, DamagedReceipt
from strongroom.formats.pcrs import PcrDigests

DOCUMENT = random.Random(1).randbytes(5000)
OTHER = random.Random(2).randbytes(5000)
LINES = encode_receipt(DOCUMENT).splitlines(keepends=True)
TOTAL = len(LINES) // 2
NAME = f"{zlib.crc32(DOCUMENT):08x}"
PCRS = PcrDigests.of({4: b"\x44" * 48, 12: bytes(48)})
FAILURE = ConsoleFailure("kms.access-denied", "Ask the vendor to allow this image.", PCRS)
KERNEL = b"[   12.345678] nvme nvme0: 2/0/0 default/read/poll queues\r\n"


def console(*pieces):
    """What was printed, as a serial line hands it over."""
    return b"".join(pieces).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def document_in(*pieces):
    return parse_console(console(*pieces)).last_receipt().document


def refused(code, *pieces):
    with pytest.raises(FormatError) as caught:
        parse_console(console(*pieces)).last_receipt()
    assert caught.value.code == code, caught.value
    assert caught.value.remedy
    return str(caught.value)


def with_crc(record: bytes) -> bytes:
    return b"%s %08x\n" % (record, zlib.crc32(record))


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_a_receipt_is_short_ascii_lines_twice():
    text = encode_receipt(DOCUMENT)
    assert text == b"".join(LINES[:TOTAL]) * 2
    assert TOTAL == 88
    assert len(text) < 23_000, "both copies fit into the 64 KB of EC2 with much to spare"
    for number, line in enumerate(LINES[:TOTAL], 1):
        assert line.isascii()
        assert len(line) < 128
        assert line.startswith(f"strongroom-receipt 1 {NAME} {number}/{TOTAL} ".encode())
        assert line == with_crc(line.rpartition(b" ")[0])
    assert b"".join(base64.b64decode(line.split()[4]) for line in LINES[:TOTAL]) == DOCUMENT


def test_what_was_printed_is_read():
    found = parse_console(encode_receipt(DOCUMENT))
    assert [receipt.document for receipt in found.complete] == [DOCUMENT]
    assert (found.receipts[0].name, found.receipts[0].total) == (NAME, TOTAL)
    assert (found.damaged, found.failures, found.unreadable, found.other_versions) == ((), (), 0, 0)


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MAX_DOCUMENT_BYTES])
def test_documents_of_every_size_are_carried(size):
    document = DOCUMENT[:1] * size
    text = encode_receipt(document)
    assert document_in(text) == document
    assert text.count(b"\n") == 2 * -(-size // CHUNK_BYTES)


@pytest.mark.parametrize("size", [0, MAX_DOCUMENT_BYTES + 1])
def test_documents_that_cannot_be_are_not_printed(size):
    with pytest.raises(FormatError) as caught:
        encode_receipt(bytes(size))
    assert caught.value.code == "console.document-size"


@pytest.mark.parametrize("copy", [LINES[:TOTAL], LINES[TOTAL:]], ids=["first", "second"])
def test_one_copy_is_enough(copy):
    assert document_in(*copy) == DOCUMENT


def test_lines_that_are_damaged_in_one_copy_come_from_the_other():
    broken = [line.replace(b"/", b"?") for line in LINES]
    first = [broken[n] if n % 2 else LINES[n] for n in range(TOTAL)]
    second = [broken[n] if not n % 2 else LINES[n] for n in range(TOTAL)]
    assert document_in(*first, *second) == DOCUMENT
    assert parse_console(console(*first, *second)).unreadable == TOTAL


def test_a_truncated_front_costs_nothing_when_the_second_copy_is_there():
    text = console(*LINES)
    assert document_in(text[len(text) // 2 - 40 :]) == DOCUMENT


def test_a_damaged_receipt_says_which_line_is_missing():
    for n in (16, TOTAL + 16):
        kept = [line for index, line in enumerate(LINES) if index not in (16, TOTAL + 16)]
        assert document_in(*kept, LINES[n]) == DOCUMENT
    assert refused("console.damaged-receipt", *kept).endswith(f"line 17 of {TOTAL} of receipt {NAME} is damaged")


def test_many_missing_lines_are_told_in_few_words():
    gone = {*range(16), 20, 30, 31, 40, 50, 51}
    kept = [line for index, line in enumerate(LINES) if index % TOTAL not in gone]
    assert f"lines 1 to 16, 21, 31 to 32 and 3 more of {TOTAL} of receipt {NAME} are damaged" in refused(
        "console.damaged-receipt", *kept
    )


@pytest.mark.parametrize("place", range(0, len(LINES[3]) - 1, 7))
def test_a_changed_character_is_noticed_wherever_it_stands(place):
    line = LINES[3]
    changed = line[:place] + bytes([line[place] ^ 0x01]) + line[place + 1 :]
    found = parse_console(console(*LINES[:3], changed, *LINES[4:TOTAL]))
    assert not found.complete
    assert found.damaged == (DamagedReceipt(NAME, TOTAL, (4,)),)


def test_a_line_with_two_contents_counts_as_damaged():
    chunk = base64.b64encode(OTHER[:CHUNK_BYTES])
    forged = with_crc(b"strongroom-receipt 1 %s 1/%d %s" % (NAME.encode(), TOTAL, chunk))
    for lines in ((*LINES, forged), (forged, *LINES)):
        assert f"line 1 of {TOTAL}" in refused("console.damaged-receipt", *lines)


def test_lines_that_do_not_make_up_the_document_are_no_receipt():
    chunk = base64.b64encode(OTHER[:CHUNK_BYTES])
    forged = with_crc(b"strongroom-receipt 1 %s 1/%d %s" % (NAME.encode(), TOTAL, chunk))
    words = refused("console.damaged-receipt", forged, *LINES[1:TOTAL])
    assert f"the {TOTAL} lines of receipt {NAME} do not belong together" in words


def record(number, total, chunk, name=NAME):
    return with_crc(f"strongroom-receipt 1 {name} {number}/{total} ".encode() + chunk)


@pytest.mark.parametrize(
    "line",
    [
        record(3, 2, base64.b64encode(b"x")),
        record(0, 2, base64.b64encode(b"x" * CHUNK_BYTES)),
        record("01", 2, base64.b64encode(b"x" * CHUNK_BYTES)),
        record(1, MAX_LINES + 1, base64.b64encode(b"x" * CHUNK_BYTES)),
        record(1, 2, base64.b64encode(b"x" * (CHUNK_BYTES - 1))),
        record(2, 2, base64.b64encode(b"x" * (CHUNK_BYTES + 1))),
        record(2, 2, b"QR=="),  # canonical: QQ==
        record(2, 2, b"QQ="),
        record(2, 2, b"QQQQQ"),
        record(2, 2, b""),
        record(2, 2, b"Q-Q_"),
        record(2, 2, b"QUE=", name=NAME.upper().replace("0", "A")),
        b"strongroom-receipt 1 \n",
        b"strongroom-receipt 1 " + NAME.encode() + b"\n",
    ],
)
def test_lines_of_another_shape_are_not_read(line):
    found = parse_console(line + KERNEL)
    assert (found.receipts, found.unreadable) == ((), 1)


def test_a_document_larger_than_any_is_no_receipt():
    large = bytes(MAX_LINES * CHUNK_BYTES)
    name = f"{zlib.crc32(large):08x}"
    chunk = base64.b64encode(large[:CHUNK_BYTES])
    found = parse_console(b"".join(record(n, MAX_LINES, chunk, name) for n in range(1, MAX_LINES + 1)))
    assert not found.complete
    assert len(large) > MAX_DOCUMENT_BYTES


# --- what a serial line does ------------------------------------------------------------------------------------------


def test_lines_of_others_between_ours_change_nothing():
    others = (
        KERNEL,
        b"         Starting \x1b[0;1;39mgetty\x1b[0m...\r\n",
        b"\x1b[0;32m  OK  \x1b[0m\n",
        b"\xff\xfe\0\n",
    )
    mixed = [piece for number, line in enumerate(LINES[:TOTAL]) for piece in (line, others[number % len(others)])]
    assert document_in(*mixed) == DOCUMENT


@pytest.mark.parametrize("place", range(len(LINES[3])))
def test_a_kernel_message_inside_a_line_is_taken_out_wherever_it_fell(place):
    torn = LINES[3][:place] + KERNEL + LINES[3][place:]
    assert document_in(*LINES[:3], torn, *LINES[4:TOTAL]) == DOCUMENT


def test_several_kernel_messages_inside_one_line_are_taken_out():
    line = LINES[3]
    torn = line[:10] + KERNEL * 3 + line[10:40] + KERNEL + line[40:90] + KERNEL * 2 + line[90:]
    assert document_in(*LINES[:3], torn, *LINES[4:TOTAL]) == DOCUMENT


def test_a_kernel_message_without_a_time_costs_one_copy_of_a_line():
    torn = LINES[3][:50] + b"nvme nvme0: 2/0/0 default/read/poll queues\r\n" + LINES[3][50:]
    assert f"line 4 of {TOTAL}" in refused("console.damaged-receipt", *LINES[:3], torn, *LINES[4:TOTAL])
    assert document_in(*LINES[:3], torn, *LINES[4:]) == DOCUMENT


@pytest.mark.parametrize(
    "prefix",
    [
        b"[   12.345678] ",
        b"[   12.345678] strongroom-agent[312]: ",
        b"strongroom-agent[312]: ",
        b"Jan 31 12:00:00 ip-10-0-0-1 strongroom-agent[312]: ",
        b"\x1b[0;32m",
        b"\x1b]0;a title\x07",
        b"\x1b(B\x1b7",
        b"\0\0\0",
    ],
)
def test_prefixes_and_escape_sequences_change_nothing(prefix):
    assert document_in(*(prefix + line for line in LINES[:TOTAL])) == DOCUMENT
    torn = [prefix + line[:60] + KERNEL + line[60:] for line in LINES[:TOTAL]]
    assert document_in(*torn) == DOCUMENT


def test_escape_sequences_inside_a_line_are_taken_out():
    assert document_in(*(line[:30] + b"\x1b[0m" + line[30:] for line in LINES[:TOTAL])) == DOCUMENT


def test_lines_that_a_terminal_has_wrapped_are_read():
    wrapped = [line[at : at + 80] + b"\r\n" for line in LINES[:TOTAL] for at in range(0, len(line), 80)]
    assert document_in(*wrapped) == DOCUMENT


def test_lines_without_their_ends_are_read():
    assert document_in(*(line.rstrip() for line in LINES[:TOTAL])) == DOCUMENT


def test_of_several_boots_the_last_complete_one_counts():
    other = encode_receipt(OTHER).splitlines(keepends=True)
    found = parse_console(console(*LINES, KERNEL, *other))
    assert [receipt.document for receipt in found.complete] == [DOCUMENT, OTHER]
    assert found.last_receipt().document == OTHER
    found = parse_console(console(*LINES, KERNEL, *other[:5]))
    assert found.last_receipt().document == DOCUMENT
    assert [type(receipt) for receipt in found.receipts][-1] is DamagedReceipt
    found = parse_console(console(*other[:TOTAL], *LINES, *other[TOTAL:]))
    assert [receipt.document for receipt in found.complete] == [DOCUMENT, OTHER], "a receipt stands where it ends"


def test_a_heavily_mixed_console_is_read():
    """One line in two is hit by kernel messages, at any place."""
    dice = random.Random(5)
    pieces = []
    for line in LINES:
        place = dice.randrange(len(line))
        hits = dice.choice((0, 1)) * dice.choice((1, 1, 2))
        pieces += [line[:place], KERNEL * hits, line[place:]]
    assert document_in(*pieces) == DOCUMENT


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_failure_is_one_line_of_json_twice():
    text = encode_failure(FAILURE)
    first, second = text.splitlines()
    assert first == second
    assert b'{"code":"kms.access-denied","pcrs":{"12":"' in first
    assert parse_console(text).failures == (FAILURE,)
    assert "failures: kms.access-denied" in refused("console.no-receipt", text)


@pytest.mark.parametrize(
    "remedy",
    [
        "",
        "[   12.345678] a line",
        "strongroom-receipt 1 00000000 1/1 QQ== 00000000",
        "} 00000000",
        "é\u202e\x1b[2J\n\0",
        "x" * 512,
    ],
)
def test_remedies_of_every_kind_are_carried(remedy):
    failure = ConsoleFailure("a.b", remedy, PcrDigests.of({}))
    text = encode_failure(failure)
    assert parse_console(console(KERNEL, text, KERNEL)).failures == (failure,)
    assert b"[" not in text
    assert text.isascii()


@pytest.mark.parametrize(
    "failure",
    [
        ConsoleFailure("Not a code", "", PCRS),
        ConsoleFailure("a." + "b" * 127, "", PCRS),
        ConsoleFailure("a.b", "x" * 513, PCRS),
    ],
)
def test_failures_that_could_not_be_read_are_not_written(failure):
    with pytest.raises(FormatError):
        encode_failure(failure)


def test_the_longest_failure_fits():
    longest = ConsoleFailure("a." + "b" * 126, "\u1234" * 512, PcrDigests.of({n: bytes(48) for n in range(32)}))
    assert parse_console(encode_failure(longest)).failures == (longest,)
    with pytest.raises(FormatError) as caught:
        parse_failure_json(b" " * (MAX_FAILURE_BYTES + 1))
    assert caught.value.code == "json.too-large"


@pytest.mark.attack("B13")
def test_an_errors_message_never_reaches_the_console():
    canary = "canary-5f1d2a40"
    error = NotAuthentic("bundle.forged", f"expected this, found {canary}", remedy="Fetch it again. " + "x" * 600)
    failure = ConsoleFailure.of(error, PCRS)
    text = encode_failure(failure)
    assert canary.encode() not in text
    assert parse_console(text).failures == (failure,)
    assert len(failure.remedy) == 512


@pytest.mark.parametrize("place", range(0, len(encode_failure(FAILURE)) // 2 - 1, 5))
def test_a_failure_that_is_hit_by_the_kernel_is_read(place):
    line = encode_failure(FAILURE).splitlines(keepends=True)[0]
    assert parse_console(console(line[:place] + KERNEL + line[place:])).failures == (FAILURE,)


def test_a_damaged_failure_is_counted():
    line = encode_failure(FAILURE).splitlines(keepends=True)[0]
    found = parse_console(line.replace(b"kms", b"kma") + KERNEL)
    assert (found.failures, found.unreadable) == ((), 1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"a.b","pcrs":{},"remedy":"","more":1}',
        b'{"code":"a.b","pcrs":{}}',
        b'{"code":"a.b","code":"a.b","pcrs":{},"remedy":""}',
        b'{"pcrs":{},"code":"a.b","remedy":""}',
        b'{"code": "a.b","pcrs":{},"remedy":""}',
        b'{"code":"a.b","pcrs":{"4":"00"},"remedy":""}',
        b'{"code":"a.b","pcrs":{"32":"' + b"00" * 48 + b'"},"remedy":""}',
        b'{"code":"a.b","pcrs":{"04":"' + b"00" * 48 + b'"},"remedy":""}',
        b'{"code":"a.b","pcrs":{"4":"' + b"AA" * 48 + b'"},"remedy":""}',
        b'{"code":"A.b","pcrs":{},"remedy":""}',
        b'{"code":"a.b","pcrs":{},"remedy":1}',
        b'{"code":"a.b","pcrs":{},"remedy":"[ ]"}',
        b"{}",
        b"{",
    ],
)
def test_a_failure_has_one_encoding(body):
    with pytest.raises(FormatError):
        parse_failure_json(body)
    found = parse_console(with_crc(b"strongroom-failure 1 " + body))
    assert (found.failures, found.unreadable) == ((), 1)


def test_a_failure_that_is_not_canonical_is_called_so():
    with pytest.raises(FormatError) as caught:
        parse_failure_json(b'{"code":"a.b","pcrs":{},"remedy":"[ ]"}')
    assert caught.value.code == "console.not-canonical"


def test_equal_failures_count_once_and_different_ones_in_their_order():
    others = [ConsoleFailure(f"a.b{n}", "", PCRS) for n in range(3)]
    text = b"".join(map(encode_failure, [*others, FAILURE, others[0]]))
    assert parse_console(text).failures == (*others, FAILURE)


# --- versions and bounds ----------------------------------------------------------------------------------------------


def test_records_of_other_versions_are_counted_and_named():
    newer = encode_receipt(DOCUMENT).replace(b"receipt 1 ", b"receipt 2 ")
    assert parse_console(newer).other_versions == 2 * TOTAL
    assert "found 176 of other versions" in refused("console.version", newer)
    assert document_in(newer, *LINES) == DOCUMENT
    assert parse_console(b"strongroom-receipt 01 x" + KERNEL).other_versions == 1


def test_a_console_without_receipts_says_so():
    assert "damaged records: 1; failures: none" in refused("console.no-receipt", b"strongroom-receipt 1 x\n", KERNEL)


@pytest.mark.attack("A10")
def test_more_receipts_than_anybody_prints_are_refused():
    def receipts(count):
        return b"".join(record(1, 2, base64.b64encode(b"x" * CHUNK_BYTES), f"{n:08x}") for n in range(count))

    assert len(parse_console(receipts(MAX_RECEIPTS)).damaged) == MAX_RECEIPTS
    with pytest.raises(FormatError) as caught:
        parse_console(receipts(MAX_RECEIPTS + 1))
    assert caught.value.code == "console.too-many-receipts"


@pytest.mark.attack("A10")
def test_more_failures_than_anybody_prints_are_refused():
    def failures(count):
        return b"".join(encode_failure(ConsoleFailure(f"a.b{n}", "", PcrDigests.of({}))) for n in range(count))

    assert len(parse_console(failures(MAX_FAILURES)).failures) == MAX_FAILURES
    with pytest.raises(FormatError) as caught:
        parse_console(failures(MAX_FAILURES + 1))
    assert caught.value.code == "console.too-many-failures"


@pytest.mark.attack("A10")
@pytest.mark.parametrize(
    "piece",
    [
        b"strongroom-failure 1 ",
        b"strongroom-failure 1 " + b"} 00000000" * 800,
        b"strongroom-receipt 1 00000000 1/1 AAAA 00000000 ",
        b"[    1.000000]",
        b"[ 1",
        b"\x1b[",
        b"\x1b]",
        b"{",
        b"A",
        b"AAAA\n",
        b"} 00000000",
    ],
)
def test_a_console_of_one_mebibyte_takes_little_time_whatever_is_in_it(piece):
    import time

    hostile = (b"x" + piece * (1_048_575 // len(piece)))[:1_048_576]
    started = time.process_time()
    found = parse_console(hostile)
    assert time.process_time() - started < 3
    assert not found.receipts
