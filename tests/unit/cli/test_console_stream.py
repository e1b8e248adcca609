# SPDX-License-Identifier: Apache-2.0
from strongroom.cli.console_stream import MAX_LINE_CHARACTERS, ConsoleStream


def shown(*pieces: bytes) -> list[str]:
    lines: list[str] = []
    stream = ConsoleStream(lines.append)
    for piece in pieces:
        stream.heard(piece)
    stream.end()
    return lines


def test_lines_are_printed_whole_whatever_pieces_they_come_in():
    assert shown(b"on", b"e\r\ntw", b"o\r\n\xc3", b"\xa4\n") == ["one", "two", "ä"]
    assert shown(b"login: ") == ["login: "]


def test_nothing_in_them_commands_the_terminal():
    assert shown(b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe\n") == ["BdsDxe"]
    assert shown(b"\x1b]0;title\x07\n", b"\x9b2J\n") == ["\\x1b]0;title\\x07", "\ufffd2J"]
    assert shown("\u202eevil\n".encode()) == ["\\u202eevil"]


def test_a_line_without_end_is_cut():
    lines = shown(b"a" * (MAX_LINE_CHARACTERS + 1), b"b\n")
    assert [len(line) for line in lines] == [MAX_LINE_CHARACTERS + 1, 1]
