# SPDX-License-Identifier: Apache-2.0
"""`strongroom image compare`: what it prints, and with which exit code."""

import json

import pytest
from tests.images import make_uki

from strongroom.cli import image_differences
from strongroom.cli.main import run

ROOT_HASH = [f"quiet roothash={digit * 64}".encode() for digit in "ab"]


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(left, right, *options):
        (tmp_path / "left.efi").write_bytes(left)
        (tmp_path / "right.efi").write_bytes(right)
        code = run(["image", "compare", "left.efi", "right.efi", *options])
        return code, capsys.readouterr()

    return call


def test_equal_images_are_said_to_be_the_same(compare):
    code, printed = compare(make_uki(), make_uki())
    assert (code, printed.out) == (0, "left.efi and right.efi are the same, byte for byte.\n")


def test_a_difference_names_its_place_and_both_bytes(compare):
    code, printed = compare(make_uki(), make_uki(osrel=b"ID=tent\n"))
    assert code == 1
    assert printed.out == (
        "1 difference between left.efi and right.efi:\n"
        "  left.efi > .osrel: contents from byte 5 on: 73 on the left, 6e on the right\n"
    )


def test_what_follows_is_listed_apart(compare):
    code, printed = compare(make_uki(cmdline=ROOT_HASH[0]), make_uki(cmdline=ROOT_HASH[1], uname=b"6.1"))
    assert code == 1
    assert printed.out == (
        "1 difference between left.efi and right.efi:\n"
        "  left.efi > .uname: missing on the left, there on the right\n"
        "and what follows from that:\n"
        "  left.efi > .cmdline: contents, from the root hash\n"
    )


def test_what_cannot_be_looked_into_is_said(compare):
    _, printed = compare(b"one", b"other")
    assert "left.efi: contents from byte 1 on: 6e on the left, 74 on the right" in printed.out
    _, printed = compare(make_uki(), make_uki(initrd=b"no archive"))
    assert "      note: not compared by files: " in printed.out


def test_programs_get_every_difference_and_people_the_first_of_them(compare, monkeypatch):
    monkeypatch.setattr(image_differences, "_MOST_LINES", 2)
    sides = make_uki(), make_uki(osrel=b"ID=other\n", uname=b"6.1", splash=b"picture")
    code, printed = compare(*sides, "--json")
    facts = json.loads(printed.out)
    assert (code, facts["same"], len(facts["differences"])) == (1, False, 3)
    assert facts["differences"][1] == {
        "place": ["left.efi", ".uname"],
        "aspect": "presence",
        "left": "missing",
        "right": "there",
        "offset": None,
        "follows": "",
        "note": "",
    }
    assert "  and 1 more; --json lists them all\n" in compare(*sides)[1].out


def test_a_missing_image_is_this_machines_fault(compare, capsys):
    assert run(["image", "compare", "missing", "left.efi"]) == 9
    assert "missing" in capsys.readouterr().err
