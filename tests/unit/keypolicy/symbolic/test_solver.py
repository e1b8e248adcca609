# SPDX-License-Identifier: Apache-2.0
"""A search that has used its steps says so: it does not say that there is no solution."""

import pytest

from strongroom.keypolicy.symbolic.solver import Clause, Search, TooLong
from strongroom.keypolicy.symbolic.variables import Literal


def test_a_search_without_steps_left_gives_up():
    choice = [Clause(((Literal(0, 0b01),), (Literal(0, 0b10),)))]
    assert Search(2).solve([0b11], choice) == [0b01]
    with pytest.raises(TooLong):
        Search(1).solve([0b11], choice)
