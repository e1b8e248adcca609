# SPDX-License-Identifier: Apache-2.0
"""The scanner finds what is there, and proves that it would."""

import os

import pytest

from strongroom.errors import LocalFault
from strongroom.twin.attack import scan as scan_module
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.copies import sparse_copy
from strongroom.twin.attack.scan import Place, Sighting, prove_scanner, scan

CANARY = Canary("canary-8f14e45fceea167a5a36dedd4bea2543")


@pytest.fixture
def disk(tmp_path):
    """Nine MiB: one of noise, seven of nothing, one of noise."""
    file = tmp_path / "disk"
    with file.open("wb") as stream:
        stream.write(os.urandom(1 << 20))
        stream.seek(8 << 20)
        stream.write(os.urandom(1 << 20))
    return file


def write(file, offset, data):
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


@pytest.mark.parametrize("offset", [0, 999_999, (4 << 20) - 20, (5 << 20) + 1, (9 << 20) - 200])
@pytest.mark.parametrize("form", CANARY.forms, ids=lambda form: form.name)
def test_each_form_is_found_wherever_it_is(disk, offset, form):
    write(disk, offset, form.needle)
    assert Sighting("disk", offset, form.name) in scan([Place.whole("disk", disk)], CANARY)


def test_what_lies_across_two_pieces_is_found_once(disk):
    at = (8 << 20) + 17
    write(disk, at, CANARY.text.encode())
    assert scan([Place.whole("disk", disk)], CANARY) == (Sighting("disk", at, "plain"),)


def test_nothing_is_found_where_nothing_is(disk):
    assert scan([Place.whole("disk", disk)], CANARY) == ()


def test_only_the_place_is_searched(disk):
    write(disk, 500, CANARY.text.encode())
    assert scan([Place("behind it", disk, 501, 9 << 20)], CANARY) == ()
    assert scan([Place("cut off", disk, 0, 510)], CANARY) == ()


def test_a_planted_canary_is_found_in_each_place_and_the_place_is_left_alone(disk, tmp_path):
    before = disk.read_bytes()
    places = [Place("first", disk, 0, 1 << 20), Place("second", disk, 1 << 20, 9 << 20), Place.whole("log", disk)]
    forms = len(CANARY.forms)
    assert prove_scanner(places[:2], scratch=tmp_path) == 6 * forms
    assert prove_scanner(places[2:], scratch=tmp_path) == 4 * forms
    assert disk.read_bytes() == before
    assert list(tmp_path.iterdir()) == [disk]


def test_an_empty_log_is_proven_by_what_would_be_written_next(tmp_path):
    (tmp_path / "log").touch()
    assert prove_scanner([Place.whole("log", tmp_path / "log")], scratch=tmp_path) == len(CANARY.forms)


def test_a_scanner_that_misses_a_form_is_no_scanner(disk, tmp_path, monkeypatch):
    found = scan_module._scan_place
    monkeypatch.setattr(scan_module, "_scan_place", lambda *a: {s for s in found(*a) if s.form != "hex"})
    with pytest.raises(LocalFault, match="missed") as caught:
        prove_scanner([Place.whole("disk", disk)], scratch=tmp_path)
    assert caught.value.code == "attack.blind-scanner"


def test_a_place_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(LocalFault, match="found: No such file"):
        Place.whole("console", tmp_path / "gone")
    with pytest.raises(LocalFault, match="cannot search"):
        scan([Place("console", tmp_path / "gone", 0, 9)], CANARY)


def test_a_copy_is_equal_and_takes_no_more_room(disk, tmp_path):
    sparse_copy(disk, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == disk.read_bytes()
    assert (tmp_path / "copy").stat().st_blocks <= disk.stat().st_blocks + 16


def test_a_copy_overwrites_nothing(disk, tmp_path):
    (tmp_path / "copy").touch()
    with pytest.raises(LocalFault, match="cannot copy"):
        sparse_copy(disk, tmp_path / "copy")
