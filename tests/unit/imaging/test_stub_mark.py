# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.images import MAGIC, make_pe

from strongroom.errors import FormatError
from strongroom.imaging.stub_mark import missing_mark

MARK = MAGIC % b"252.39-1~deb12u2"


def test_a_stub_that_has_its_section_needs_none():
    assert missing_mark(make_pe([(".text", b"x"), (".sdmagic", MARK)])) == ()


def test_a_mark_behind_the_sections_becomes_one():
    assert missing_mark(make_pe(tail=b"sbat,1\0\0" + MARK)) == ((".sdmagic", MARK),)


@pytest.mark.parametrize(
    "stub",
    [make_pe(), make_pe(tail=MARK * 2), make_pe([(".text", MARK)])],
    ids=["no mark", "two", "inside of a section"],
)
def test_another_stub_gets_no_mark(stub):
    with pytest.raises(FormatError) as caught:
        missing_mark(stub)
    assert caught.value.code == "uki.no-mark"
