# SPDX-License-Identifier: Apache-2.0
"""Texts that patterns cannot express are refused, so what asks for them stays undecided."""

import pytest

from strongroom.keypolicy.symbolic.answer import Undecided
from strongroom.keypolicy.symbolic.patterns import Unreadable, any_case


def test_letters_of_no_simple_case(asking):
    assert len(any_case("ÿ")) == 1
    with pytest.raises(Unreadable, match="no simple case"):
        any_case("\u0100")
    found = asking.answer(*asking.only_if({"StringEqualsIgnoreCase": {"aws:UserAgent": "\u0100"}}))
    assert isinstance(found, Undecided)
    assert "no simple case" in str(found.doubts[0])
