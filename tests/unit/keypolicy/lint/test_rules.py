# SPDX-License-Identifier: Apache-2.0
"""Each rule fires on its example and is silent on the same policy put right; together they account for the attacks."""

import json
import re
from pathlib import Path

import pytest
from tests.lint_examples import SHUT, codes, fired_by, left_by, lint_of

from strongroom.errors import Severity
from strongroom.formats.json_places import find_spans
from strongroom.keypolicy.lint.examples import EXAMPLES
from strongroom.keypolicy.lint.rules import RULES

PAGE = (Path(__file__).parents[4] / "docs/key-lint.md").read_text()
ROWS = dict(re.findall(r"^\| ([KBA][0-9]+) \| (.+) \|$", PAGE, re.MULTILINE))
"""Attack id to what the page says of it."""
HOLES = {*(f"K{number}" for number in range(1, 27)), "B20", "A17"}
ELSEWHERE = "not a matter of the policy"


def test_every_rule_has_an_example_and_only_rules_have():
    assert RULES.keys() == EXAMPLES.keys()
    assert len(RULES) > 50


@pytest.mark.parametrize("code", RULES)
def test_the_rule_fires_on_its_example_and_names_the_statement(code):
    found = [each for each in fired_by(code) if each.rule.code == code]
    assert found
    for each in found:
        assert each.fault.message.startswith(each.fault.statement)
        assert len(each.fault.message.split("\n")) == 1


@pytest.mark.parametrize("code", RULES)
def test_the_rule_is_silent_where_that_is_put_right(code):
    assert code not in codes(left_by(code))


@pytest.mark.parametrize("code", RULES)
def test_the_example_is_made_by_a_small_change(code):
    fires, silent = (json.loads(text)["Statement"] for text in (EXAMPLES[code].fires, EXAMPLES[code].silent))
    same = [each for each in fires if each in silent]
    assert len(fires) == 1 or len(same) >= 1
    assert abs(len(fires) - len(silent)) <= 1


@pytest.mark.parametrize("code", RULES)
def test_a_finding_stands_at_a_place_of_the_text(code):
    spans = find_spans(EXAMPLES[code].fires)
    for each in fired_by(code):
        assert each.fault.path in spans
        assert each.rule.fix.endswith(".")
        assert each.rule.title[0].isupper()


def test_a_policy_that_lets_nobody_in_is_silent():
    assert codes(lint_of(SHUT)) == []


def test_errors_come_first():
    severities = [each.rule.severity for each in fired_by("lint.every-action")]
    assert severities == sorted(severities, key=list(Severity).index)
    assert len(set(severities)) == 3


def test_the_page_accounts_for_every_hole():
    assert ROWS.keys() >= HOLES


@pytest.mark.parametrize("attack", sorted(HOLES))
def test_the_page_names_exactly_the_rules_for_an_attack(attack):
    named = set(re.findall(r"`(lint\.[a-z0-9-]+)`", ROWS[attack]))
    assert named == {rule.code for rule in RULES.values() if attack in rule.attacks}
    assert bool(named) != (ELSEWHERE in ROWS[attack]), "rules, or where it is dealt with instead"


@pytest.mark.parametrize("attack", sorted(HOLES))
def test_what_is_no_matter_of_the_policy_says_where_it_is_dealt_with(attack):
    if ELSEWHERE in ROWS[attack]:
        tests = re.findall(r"`(test_[a-z0-9_]+)`", ROWS[attack])
        assert tests
        written = "\n".join(file.read_text() for file in (Path(__file__).parents[3]).rglob("test_*.py"))
        assert [name for name in tests if f"def {name}(" not in written] == []
