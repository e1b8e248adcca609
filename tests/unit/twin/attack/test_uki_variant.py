# SPDX-License-Identifier: Apache-2.0
"""A variant differs from the image in what was asked for, and in nothing else."""

import pytest

from strongroom.errors import FormatError
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki, parse_uki
from strongroom.twin.attack.uki_variant import command_line_variant, older_variant, variant

SECTIONS = {
    ".osrel": b"ID=test\n",
    ".cmdline": b"console=ttyS0 lockdown=integrity roothash=aa",
    ".linux": minimal_kernel(Architecture.X86_64, release="6.1"),
    ".initrd": b"initrd" * 500,
}
IMAGE = assemble_uki(minimal_stub(Architecture.X86_64, version="252.1"), list(SECTIONS.items()))


def contents(image):
    uki = parse_uki(image)
    return {name: bytes(uki.section(name)) for name in SECTIONS}


def test_no_change_gives_the_same_bytes():
    assert variant(IMAGE, {}) == IMAGE


def test_words_of_the_command_line_are_dropped_and_added():
    changed = command_line_variant(IMAGE, drop="lockdown=.*", add="quiet panic=1")
    assert parse_uki(changed).command_line == "console=ttyS0 roothash=aa quiet panic=1"
    assert contents(changed) == contents(IMAGE) | {".cmdline": b"console=ttyS0 roothash=aa quiet panic=1"}


def test_a_word_is_dropped_as_a_whole_only():
    assert parse_uki(command_line_variant(IMAGE, drop="lock")).command_line == parse_uki(IMAGE).command_line


def test_an_older_release_has_another_os_release_alone():
    assert contents(older_variant(IMAGE)) == contents(IMAGE) | {".osrel": b"ID=test\nIMAGE_VERSION=before\n"}


def test_a_section_that_was_not_there_is_added():
    assert bytes(parse_uki(variant(IMAGE, {".uname": b"6.1.0"})).section(".uname")) == b"6.1.0"


def test_what_is_no_image_is_refused():
    with pytest.raises(FormatError):
        variant(minimal_kernel(Architecture.X86_64, release="6.1"), {})
