# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex

SOME = b"\x44" * 48


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (1, "depends on the machine and on what booted"),
        (4, "set by the programs that ran"),
        (5, "depends on the machine and on what booted"),
        (11, "set by the image, then by systemd's boot phases"),
        (12, "NOT zeros: something came from outside the image"),
        (13, "NOT zeros: something came from outside the image"),
    ],
)
def test_a_value_that_nobody_knows_is_said_to_come_from_what_sets_it(index, words):
    assert pcr_sentence(PcrIndex(index), SOME).endswith(f": {words}")


@pytest.mark.parametrize("index", [12, 13])
def test_zeros_are_not_said_to_come_from_outside(index):
    assert pcr_sentence(PcrIndex(index), ZERO_SHA384).endswith(": all zeros, nothing was measured into it")
