# SPDX-License-Identifier: Apache-2.0
"""Conditions that cannot be taken apart."""

import pytest

from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.symbolic.patterns import Unreadable
from strongroom.keypolicy.symbolic.reading import read_condition


def test_binary_values_are_not_read():
    condition = Condition("BinaryEquals", "aws:Referer", ("YQ==",), "aws:referer", lambda _: True)
    with pytest.raises(Unreadable, match="binary"):
        read_condition(condition)


def test_what_aws_does_not_say_is_not_read():
    operator = "ForAnyValue:StringNotEqualsIfExists"
    condition = Condition(operator, "aws:CalledVia", ("a",), "aws:calledvia", lambda _: True)
    with pytest.raises(Unreadable, match="does not say"):
        read_condition(condition)
