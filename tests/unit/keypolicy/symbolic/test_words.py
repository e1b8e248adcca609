# SPDX-License-Identifier: Apache-2.0
"""A search over patterns that gets too large is given up: it does not leave cases out."""

import pytest

from strongroom.keypolicy.symbolic import words
from strongroom.keypolicy.symbolic.patterns import ANYTHING, Unreadable, exactly


def test_more_states_than_the_search_follows(monkeypatch):
    patterns = [exactly("abc"), (*ANYTHING, *exactly("b"), *ANYTHING)]
    assert "abc" in words.words(patterns, [ANYTHING])
    monkeypatch.setattr(words, "MAX_STATES", 2)
    with pytest.raises(Unreadable, match="too many cases"):
        words.words(patterns, [ANYTHING])
