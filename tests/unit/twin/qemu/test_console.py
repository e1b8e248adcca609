# SPDX-License-Identifier: Apache-2.0
import threading

from strongroom.twin.qemu.console import Console


def test_only_the_latest_is_kept_and_one_is_told_where_it_begins():
    console = Console(kept_bytes=8)
    for piece in (b"0123", b"4567", b"89"):
        console.write(piece)
    assert console.contents == b"23456789"
    assert console.written_bytes == 10
    assert console.since(0) == (2, b"23456789")
    assert console.since(7) == (7, b"789")
    assert console.since(99) == (10, b"")


def test_each_piece_is_heard_as_it_comes():
    heard: list[bytes] = []
    console = Console(heard.append)
    console.write(b"a")
    console.write(b"b")
    assert heard == [b"a", b"b"]


def test_words_are_waited_for_even_where_they_come_in_pieces():
    console = Console()
    threading.Timer(0.05, lambda: [console.write(piece) for piece in (b"log", b"in:")]).start()
    assert console.wait_for("login:", seconds=10)


def test_nobody_waits_for_a_machine_that_is_off():
    console = Console()
    threading.Timer(0.05, console.close).start()
    assert not console.wait_for("login:", seconds=60)
    console.wait_beyond(0, seconds=60)
    assert console.is_closed


def test_waiting_ends_with_its_time():
    assert not Console().wait_for("login:", seconds=0.01)
