# SPDX-License-Identifier: Apache-2.0
"""Operators, wildcards and variables against oracles that are too slow or too simple to be used."""

import ipaddress
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom.keypolicy.conditions import parse_conditions
from strongroom.keypolicy.grammar import parse_policy_text
from strongroom.keypolicy.patterns import Exact, any_of, plain_text, wildcard

FEW = st.text("ab*?:", max_size=8)
PLAIN = st.text("ab:", max_size=8)
NAMES = ["aws:PrincipalOrgID", "kms:KeySpec", "aws:userid", "kms:EncryptionContext:App"]
MANY = "kms:EncryptionContextKeys"


def holds(operator, key, values, seen):
    (condition,) = parse_conditions(parse_policy_text(json.dumps({operator: {key: values}})))
    return condition.holds({key.lower(): tuple(seen)} if seen else {})


def matches(pattern, text):
    """Match as the definition says: a star takes any number of characters, one at a time."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return matches(pattern[1:], text) or (bool(text) and matches(pattern, text[1:]))
    return bool(text) and pattern[0] in {"?", text[0]} and matches(pattern[1:], text[1:])


@given(FEW, PLAIN)
def test_a_pattern_matches_as_its_definition_says(pattern, text):
    assert (wildcard(pattern).fullmatch(text) is not None) is matches(pattern, text)
    assert any_of([(pattern,)])(text) is matches(pattern, text)


@given(st.lists(FEW, max_size=3), FEW)
def test_what_is_exact_matches_itself_alone(pieces, text):
    exact = tuple(map(Exact, pieces))
    assert (wildcard(*exact).fullmatch(text) is not None) is (text == "".join(pieces))
    assert plain_text(exact) == "".join(pieces)


ORACLES = {
    "StringEquals": lambda value, seen: value == seen,
    "StringEqualsIgnoreCase": lambda value, seen: value.lower() == seen.lower(),
    "StringLike": matches,
}


@pytest.mark.parametrize("operator", ORACLES)
@given(key=st.sampled_from(NAMES), values=st.lists(FEW, min_size=1, max_size=3), seen=st.text("abAB*:", max_size=6))
def test_a_text_operator_and_its_negation_are_opposites_and_do_as_the_oracle(operator, key, values, seen):
    expected = any(ORACLES[operator](value, seen) for value in values)
    assert holds(operator, key, values, [seen]) is expected
    assert holds(operator.replace("String", "StringNot"), key, values, [seen]) is not expected
    for name in (operator, operator.replace("String", "StringNot")):
        assert holds(name + "IfExists", key, values, [seen]) is holds(name, key, values, [seen])
        assert holds(name + "IfExists", key, values, [])


COMPARISONS = {
    "Equals": lambda seen, bound: seen == bound,
    "NotEquals": lambda seen, bound: seen != bound,
    "LessThan": lambda seen, bound: seen < bound,
    "LessThanEquals": lambda seen, bound: seen <= bound,
    "GreaterThan": lambda seen, bound: seen > bound,
    "GreaterThanEquals": lambda seen, bound: seen >= bound,
}
numbers = st.decimals(-1000, 1000, places=2, allow_nan=False, allow_infinity=False)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 -- hypothesis wants them naive
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@pytest.mark.parametrize("name", COMPARISONS)
@given(seen=numbers, bound=numbers)
def test_numbers_are_compared_as_numbers(name, seen, bound):
    key = "kms:RotationPeriodInDays"
    assert holds(f"Numeric{name}", key, str(bound), [str(seen)]) is COMPARISONS[name](Decimal(seen), Decimal(bound))


@pytest.mark.parametrize("name", COMPARISONS)
@given(seen=moments, bound=moments, hours=st.integers(-12, 14))
def test_dates_are_compared_as_moments_however_they_are_written(name, seen, bound, hours):
    shifted = bound.astimezone(timezone(timedelta(hours=hours))).isoformat()
    expected = COMPARISONS[name](seen, bound)
    assert holds(f"Date{name}", "aws:CurrentTime", shifted, [seen.isoformat()]) is expected
    assert holds(f"Date{name}", "aws:CurrentTime", str(int(bound.timestamp())), [seen.isoformat()]) is expected


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_an_address_is_in_a_range_when_its_first_bits_are(seen, network, bits):
    expected = int(seen) >> (32 - bits) == int(network) >> (32 - bits)
    cidr = str(ipaddress.ip_network((network, bits), strict=False))
    assert holds("IpAddress", "aws:SourceIp", cidr, [str(seen)]) is expected
    assert holds("NotIpAddress", "aws:SourceIp", cidr, [str(seen)]) is not expected


@given(st.sets(PLAIN.filter(bool), max_size=4), st.lists(FEW, min_size=1, max_size=3))
def test_set_operators_are_quantifiers(seen, values):
    like = [any(matches(value, each) for value in values) for each in seen]
    assert holds("ForAllValues:StringLike", MANY, values, seen) is all(like)
    assert holds("ForAnyValue:StringLike", MANY, values, seen) is any(like)
    assert holds("ForAllValues:StringNotLike", MANY, values, seen) is not any(like)
    assert holds("ForAnyValue:StringNotLike", MANY, values, seen) is (not all(like) if like else False)


@given(
    st.lists(st.text("ab*?", max_size=4), min_size=6, max_size=6),
    st.lists(st.text("ab", max_size=4), min_size=6, max_size=6),
)
def test_an_arn_is_matched_part_by_part(pattern, seen):
    pattern[0] = seen[0] = "arn"
    expected = all(map(matches, pattern, seen))
    assert holds("ArnLike", "aws:PrincipalArn", ":".join(pattern), [":".join(seen)]) is expected
    assert holds("ArnNotEquals", "aws:PrincipalArn", ":".join(pattern), [":".join(seen)]) is not expected


@given(st.text("ab*?${}", max_size=6), FEW)
def test_a_variable_is_its_value_to_the_letter(value, seen):
    assume(seen)
    (condition,) = parse_conditions(parse_policy_text('{"StringLike": {"aws:UserAgent": "x${aws:SourceIdentity}"}}'))
    context = {"aws:useragent": ("x" + seen,)}
    assert condition.holds({**context, "aws:sourceidentity": (value,)}) is (value == seen)
    assert not condition.holds(context)


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False), st.text("ab", max_size=3))
def test_the_case_of_a_key_does_not_matter(key, random, value):
    shuffled = "".join(random.choice((each.lower(), each.upper())) for each in key)
    for operator in ("StringEquals", "StringNotLike", "StringEqualsIgnoreCaseIfExists"):
        for seen in ([], [value], ["b"]):
            assert holds(operator, shuffled, ["a", "b"], seen) is holds(operator, key, ["a", "b"], seen)
