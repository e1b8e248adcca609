# SPDX-License-Identifier: Apache-2.0
"""Policy variables: how they are read and filled. Source: IAM User Guide, "Variables and tags"."""

import pytest

from strongroom.keypolicy.patterns import Exact, arn_pattern, is_pattern, plain_text, wildcard
from strongroom.keypolicy.variables import Template, Variable, parse_resource_template, parse_template

TEAM = "aws:principaltag/team"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("",)),
        ("plain*", ("plain*",)),
        ("${aws:PrincipalTag/team}", (Variable(TEAM, None),)),
        ("a${AWS:principaltag/Team}b", ("a", Variable(TEAM, None), "b")),
        ("${aws:PrincipalTag/team, 'company-wide'}", (Variable(TEAM, "company-wide"),)),
        ("${aws:PrincipalTag/team, ''}", (Variable(TEAM, ""),)),
        ("x${*}${?}${$}", ("x", Exact("*"), Exact("?"), Exact("$"))),
        ("$ {aws:userid} $", ("$ {aws:userid} $",)),
    ],
)
def test_a_text_is_taken_apart_at_its_variables(text, parts):
    assert parse_template(text) == Template(parts)


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${}",
        "${aws:userid",
        "${aws:userid,'x'}",
        "${aws:userid, x}",
        "${aws:userid, 'x}",
        "${aws:${aws:userid}}",
        "${aws:Unheard}",
        "${aws:TagKeys}",
        "${**}",
    ],
)
def test_a_malformed_variable_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        parse_template(text)


def test_only_a_text_without_variables_is_fixed():
    assert parse_template("a${*}").fixed == ("a", Exact("*"))
    assert parse_template("a${aws:userid}").fixed is None


def test_a_variable_is_filled_with_its_value_its_default_or_nothing():
    named, defaulted = parse_template("t-${aws:PrincipalTag/team}"), parse_template("${aws:PrincipalTag/team, 'none'}")
    assert named.filled({TEAM: ("blue*",)}) == ("t-", Exact("blue*"))
    assert named.filled({}) is None
    assert defaulted.filled({}) == (Exact("none"),)
    assert defaulted.filled({TEAM: ("red",)}) == (Exact("red"),)


def test_a_resource_takes_variables_after_the_fifth_colon_only():
    text = "arn:aws:kms:us-east-1:111122223333:key/${aws:userid}:${aws:username}"
    assert [part.lookup for part in parse_resource_template(text).parts if isinstance(part, Variable)] == [
        "aws:userid",
        "aws:username",
    ]
    for bad in (
        "arn:aws:kms:${*}:${*}${aws:userid}",
        "arn:aws:kms:${aws:RequestedRegion}:1:key/1",
        "${aws:userid}",
        "arn:aws:kms:r:${aws:userid}:key/1",
    ):
        with pytest.raises(ValueError, match="fifth colon"):
            parse_resource_template(bad)


def test_exact_pieces_are_no_wildcards():
    assert wildcard("a", Exact("*"), "?").fullmatch("a*b")
    assert not wildcard("a", Exact("*"), "?").fullmatch("axb")
    assert wildcard(Exact("a.c"), "*").fullmatch("a.cde")
    assert not wildcard(Exact("a.c"), "*").fullmatch("abcde")
    assert is_pattern(("a*",))
    assert not is_pattern((Exact("*"), "a"))
    assert plain_text(("a", Exact("*"))) == "a*"


def test_an_arn_pattern_is_split_at_its_own_colons():
    assert arn_pattern(("arn:aws:iam::", Exact("1:2"), ":role/", Exact("x:y"))) == [
        ("arn",),
        ("aws",),
        ("iam",),
        ("",),
        ("", Exact("1:2"), ""),
        ("role/", Exact("x:y")),
    ]
    with pytest.raises(ValueError, match="six parts"):
        arn_pattern(("arn:aws:iam:", Exact(":1:role/x")))
