# SPDX-License-Identifier: Apache-2.0
"""The row about attested Decrypt runs, once and tiny. How fast it was is nobody's business here."""

import pytest
from bench.kms_rows import PACE, kms_row
from tests.twin_world import small_uki


@pytest.fixture(scope="module")
def row():
    return kms_row(small_uki(), calls=2, rounds=1)


def test_the_row_has_figures_and_a_pace(row):
    assert all(row.figure(contender) for contender in ("ours", "limit"))
    assert row.figure("pace") == pytest.approx(PACE)
    assert row.ratio == pytest.approx(row.figure("ours") / PACE)
    assert row.goal_text == ">= 1.00 of pace"
