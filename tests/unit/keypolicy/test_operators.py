# SPDX-License-Identifier: Apache-2.0
"""Every operator, present and missing. Source: IAM User Guide, Condition operators; AWS-documented unless said."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from strongroom.errors import FormatError
from strongroom.keypolicy.conditions import parse_conditions
from strongroom.keypolicy.grammar import parse_policy_text
from strongroom.keypolicy.operators import (
    OPERATORS,
    READERS,
    ValueKind,
    _comparison,
    read_boolean,
    read_date,
    read_number,
)
from strongroom.keypolicy.patterns import wildcard

ORG, ARN, NOW, TLS, IP = (
    f"aws:{name}" for name in ("PrincipalOrgID", "PrincipalArn", "CurrentTime", "SecureTransport", "SourceIp")
)
MANY = "kms:EncryptionContextKeys"
EPOCH, VALID_TO, WINDOW = "aws:EpochTime", "kms:ValidTo", "kms:ScheduleKeyDeletionPendingWindowInDays"
ROLE = "arn:aws:iam::111122223333:role/team/app"
# operator, key, policy values, request values, holds?
ROWS = [
    ("StringEquals", ORG, ["o-1", "o-2"], ["o-2"], True),
    ("StringEquals", ORG, ["o-1"], ["O-1"], False),
    ("StringEquals", ORG, ["o-*"], ["o-1"], False),
    ("StringNotEquals", ORG, ["o-1", "o-2"], ["o-2"], False),
    ("StringNotEquals", ORG, ["o-1", "o-2"], ["o-3"], True),
    ("StringEqualsIgnoreCase", ORG, ["AbC"], ["aBc"], True),
    ("StringEqualsIgnoreCase", ORG, ["Ab*"], ["abc"], False),
    ("StringNotEqualsIgnoreCase", ORG, ["ABC"], ["abc"], False),
    ("StringNotEqualsIgnoreCase", ORG, ["ABC"], ["abd"], True),
    ("StringLike", ORG, ["o-?2*"], ["o-1234"], True),
    ("StringLike", ORG, ["o-?"], ["o-"], False),
    ("StringLike", ORG, ["O-*"], ["o-1"], False),
    ("StringLike", ORG, ["a*b*c"], ["a-b-b-c"], True),
    ("StringLike", ORG, ["a*b*c"], ["a-c-b"], False),
    ("StringLike", ORG, ["a.c"], ["abc"], False),
    ("StringNotLike", ORG, ["o-*"], ["o-1"], False),
    ("StringNotLike", ORG, ["o-*"], ["x-1"], True),
    ("StringEquals", ARN, [ROLE], [ROLE], True),
    ("ArnEquals", ARN, ["arn:aws:iam::111122223333:role/*"], [ROLE], True),
    ("ArnLike", ARN, ["arn:aws:iam::111122223333:role/team/a?p"], [ROLE], True),
    ("ArnLike", ARN, ["*"], [ROLE], True),
    ("ArnLike", ARN, ["arn:aws:*:111122223333:role/team/app:x"], [ROLE], False),
    ("ArnLike", ARN, ["arn:aws:i*:*:*:role/team/app"], [ROLE], True),
    ("ArnLike", ARN, ["arn:aws:iam:*:999999999999:*"], [ROLE], False),
    ("ArnNotEquals", ARN, [ROLE], [ROLE], False),
    ("ArnNotLike", ARN, ["arn:aws:iam::*:user/*"], [ROLE], True),
    ("DateEquals", NOW, ["2026-11-22"], ["2026-11-22T00:00:00Z"], True),
    ("DateEquals", NOW, ["2026-11-22T01:00:00+01:00"], ["2026-11-22T00:00:00Z"], True),
    ("DateNotEquals", NOW, ["2026-11-22"], ["2026-11-22T00:00:00Z"], False),
    ("DateLessThan", NOW, ["2026-11-22T00:00:00Z"], ["2026-11-21T23:59:59Z"], True),
    ("DateLessThan", NOW, ["2026-11-22T00:00:00Z"], ["2026-11-22T00:00:00Z"], False),
    ("DateLessThanEquals", NOW, ["2026-11-22T00:00:00Z"], ["2026-11-22T00:00:00Z"], True),
    ("DateGreaterThan", NOW, ["2026-11-22T00:00:00Z"], ["2026-11-22T00:00:00Z"], False),
    ("DateGreaterThan", NOW, ["2026-11-22T00:00:00Z"], ["2026-11-22T00:00:01Z"], True),
    ("DateGreaterThanEquals", NOW, ["1795305600"], ["2026-11-22T00:00:00Z"], True),
    ("DateLessThan", EPOCH, ["2026-11-22T00:00:00Z"], ["1795305599"], True),
    ("NumericLessThan", EPOCH, ["1795305600"], ["1795305600"], False),
    ("NumericLessThanEquals", VALID_TO, ["1546257599.0"], ["1546257599.0"], True),
    ("DateLessThan", VALID_TO, ["1546257599.5"], ["1546257599.0"], True),
    ("NumericGreaterThan", WINDOW, ["7"], ["30"], True),
    ("NumericNotEquals", WINDOW, ["7"], [], True),
    ("Bool", TLS, ["true"], ["true"], True),
    ("Bool", TLS, ["TRUE"], ["true"], True),
    ("Bool", TLS, ["false"], ["true"], False),
    ("IpAddress", IP, ["10.0.0.0/8", "2001:db8::/32"], ["10.1.2.3"], True),
    ("IpAddress", IP, ["10.0.0.0/8"], ["11.1.2.3"], False),
    ("NotIpAddress", IP, ["10.0.0.0/8"], ["10.1.2.3"], False),
    ("Null", ORG, ["true"], [], True),
    ("Null", ORG, ["true"], ["o-1"], False),
    ("Null", ORG, ["false"], [], False),
    ("Null", ORG, ["false"], ["o-1"], True),
    ("Null", MANY, ["false"], ["a", "b"], True),
    # The key is missing.
    ("StringEquals", ORG, ["o-1"], [], False),
    ("StringLike", ORG, ["*"], [], False),
    ("ArnLike", ARN, ["*"], [], False),
    ("Bool", TLS, ["false"], [], False),
    ("DateLessThan", NOW, ["2999-01-01"], [], False),
    ("IpAddress", IP, ["0.0.0.0/0"], [], False),
    ("StringNotEquals", ORG, ["o-1"], [], True),
    ("StringNotEqualsIgnoreCase", ORG, ["o-1"], [], True),
    ("ArnNotLike", ARN, ["*"], [], True),
    ("NotIpAddress", IP, ["0.0.0.0/0"], [], True),
    ("StringEqualsIfExists", ORG, ["o-1"], [], True),
    ("StringEqualsIfExists", ORG, ["o-1"], ["o-2"], False),
    ("StringNotEqualsIfExists", ORG, ["o-1"], [], True),
    ("StringNotEqualsIfExists", ORG, ["o-1"], ["o-1"], False),
    ("ForAllValues:StringEquals", MANY, ["a"], [], True),
    ("ForAllValues:StringNotEquals", MANY, ["a"], [], True),
    ("ForAnyValue:StringEquals", MANY, ["a"], [], False),
    ("ForAnyValue:StringNotEquals", MANY, ["a"], [], False),
    ("ForAnyValue:StringEqualsIfExists", MANY, ["a"], [], True),
    # Several values in the request.
    ("ForAllValues:StringEquals", MANY, ["a", "b", "c"], ["a", "b"], True),
    ("ForAllValues:StringEquals", MANY, ["a"], ["a", "b"], False),
    ("ForAnyValue:StringEquals", MANY, ["a"], ["a", "b"], True),
    ("ForAnyValue:StringEquals", MANY, ["c"], ["a", "b"], False),
    ("ForAllValues:StringNotEquals", MANY, ["a"], ["b", "c"], True),
    ("ForAllValues:StringNotEquals", MANY, ["a"], ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", MANY, ["a"], ["a", "b"], True),
    ("ForAnyValue:StringNotEquals", MANY, ["a"], ["a"], False),
]
NUMBERS = [
    ("NumericEquals", "5", "5.0", True),
    ("NumericEquals", "5", "6", False),
    ("NumericNotEquals", "5", "5", False),
    ("NumericLessThan", "5", "5", False),
    ("NumericLessThan", "5", "4.9", True),
    ("NumericLessThanEquals", "5", "5", True),
    ("NumericGreaterThan", "5", "5", False),
    ("NumericGreaterThan", "-5", "-4", True),
    ("NumericGreaterThanEquals", "5", "5", True),
]


def compiled(operator, key, values):
    """Return the condition as a test of the values that the request has for its key."""
    condition = parse_conditions(parse_policy_text(json.dumps({operator: {key: values}})))[0]
    return lambda seen: condition.holds({key.lower(): seen} if seen else {})


@pytest.mark.parametrize(("operator", "key", "values", "seen", "holds"), ROWS)
def test_an_operator_holds_as_iam_says(operator, key, values, seen, holds):
    assert compiled(operator, key, values)(tuple(seen)) is holds


def test_a_star_in_an_arn_never_stands_for_a_missing_part():
    with pytest.raises(FormatError) as caught:
        compiled("ArnLike", ARN, ["arn:*:role/team/app"])
    assert caught.value.code == "keypolicy.condition-value"


@pytest.mark.parametrize(("operator", "bound", "seen", "holds"), NUMBERS)
def test_a_numeric_operator_holds_as_iam_says(operator, bound, seen, holds):
    row = OPERATORS[operator]
    assert (row.compile(((bound,),))(seen) is not row.negated) is holds


@pytest.mark.parametrize("text", ["", "five", "1e5", "1_000", "٣"])
def test_a_numeric_operator_takes_decimal_numbers_only(text):
    with pytest.raises(ValueError, match="expected a"):
        OPERATORS["NumericEquals"].compile(((text,),))


def test_binary_values_are_compared_by_their_bytes():
    """No condition key of KMS is binary, so no policy can ask: the row is asked directly."""
    row = OPERATORS["BinaryEquals"]
    test = row.compile((("QmluYXJ5",), ("AA==",)))
    assert test("QmluYXJ5")
    assert not test("QmluYXJZ")
    with pytest.raises(ValueError, match="base64"):
        row.compile((("not base64",),))


def test_every_operator_of_the_table_has_a_row_here():
    tried = {str(row[0]).split(":")[-1].removesuffix("IfExists") for row in (*ROWS, *NUMBERS)} | {"BinaryEquals"}
    assert tried == set(OPERATORS)


@pytest.mark.parametrize("text", ["role/app", "arn:aws:iam::111122223333", "urn:aws:iam::1:role/x", ""])
def test_what_a_request_says_is_an_arn_has_six_parts(text):
    with pytest.raises(ValueError, match="six parts"):
        READERS[ValueKind.ARN](text)


def test_a_pattern_full_of_stars_does_not_backtrack():
    assert wildcard("a*" * 60 + "b").fullmatch("a" * 5000) is None  # a pattern that backtracks would not end


@pytest.mark.parametrize(
    ("operator", "key", "text"),
    [
        ("Bool", TLS, "yes"),
        ("Bool", TLS, ""),
        ("DateEquals", NOW, "2026-11-22T00:00:00"),
        ("DateEquals", NOW, "tomorrow"),
        ("DateEquals", NOW, "123456789012"),
        ("DateEquals", NOW, "2026-13-01"),
        ("IpAddress", IP, "10.0.0.1/8"),
        ("ArnLike", ARN, "arn:aws:iam::role/app"),
    ],
)
def test_a_value_that_its_operator_cannot_read_is_refused(operator, key, text):
    with pytest.raises(FormatError) as caught:
        compiled(operator, key, [text])
    assert caught.value.code == "keypolicy.condition-value"


@pytest.mark.parametrize(("read", "text"), [(read_boolean, "yes"), (read_date, "tomorrow"), (read_number, "1e3")])
def test_a_reader_says_what_it_cannot_read(read, text):
    with pytest.raises(ValueError, match=text):
        read(text)


def test_a_reader_gives_the_value():
    assert (read_boolean("TRUE"), read_boolean("false")) == (True, False)
    assert read_date("1795305600") == read_date("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)
    assert read_date("1795305600.5") == datetime(2026, 11, 22, 0, 0, 0, 500_000, tzinfo=UTC)
    assert read_date("99999999999").year == 5138
    assert read_number("-1.50") == Decimal("-1.5")


def test_a_comparison_puts_the_request_before_the_policy_and_needs_one_that_holds():
    below = _comparison(read_number, Decimal.__lt__)
    assert below((("2",),))("1.5")
    assert below((("1",), ("2",)))("1.5")
    assert not below((("2",),))("2.5")
    assert not below((("1",),))("1.5")
    with pytest.raises(ValueError, match="x"):
        below((("x",),))
