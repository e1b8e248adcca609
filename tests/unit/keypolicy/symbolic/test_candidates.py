# SPDX-License-Identifier: Apache-2.0
"""Condition keys whose cases cannot be listed are doubts, never a case less."""

import pytest

from strongroom.keypolicy.symbolic.answer import Undecided
from strongroom.keypolicy.symbolic.candidates import Sketch, cases_of
from strongroom.keypolicy.symbolic.patterns import Unreadable
from strongroom.keypolicy.symbolic.variables import MAX_MEMBERS


def test_a_key_that_no_table_has():
    with pytest.raises(Unreadable, match="no such condition key"):
        cases_of(Sketch(("aws:brandnew",), (), ()))


def test_more_members_of_a_set_than_can_be_listed(asking):
    names = [{"ForAnyValue:StringEquals": {"aws:CalledVia": f"s{n}.amazonaws.com"}} for n in range(MAX_MEMBERS + 1)]
    found = asking.answer(*asking.only_if(names[0], *names[1:]))
    assert isinstance(found, Undecided)
    assert "too many of its values" in str(found.doubts[0])
