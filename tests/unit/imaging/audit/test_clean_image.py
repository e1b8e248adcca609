# SPDX-License-Identifier: Apache-2.0
"""The clean image has no finding, and every rule has a planted fault whose test carries the rule's attacks."""

import re
from collections import defaultdict

import pytest
from tests.audit_images import KERNEL, LINE, subject
from tests.unit.imaging.audit import (
    plants,
    test_access_rules,
    test_boot_rules,
    test_code_rules,
    test_memory_rules,
    test_secret_rules,
)
from tests.unit.imaging.audit.plants import faults

from strongroom.imaging.audit.rules import RULES, variant, whole

TABLES = (test_access_rules, test_boot_rules, test_code_rules, test_memory_rules, test_secret_rules)
OURS = [code for code in RULES if code not in {rule.code for rule in (*variant.RULES, *whole.RULES)}]


@pytest.mark.parametrize("code", OURS)
def test_the_clean_image_has_no_finding(code):
    rule, audited = RULES[code], subject()
    if all(audited.has(part) for part in rule.needs):
        assert not faults(code, audited)


def test_the_clean_image_has_what_most_rules_need():
    audited = subject()
    needed = {part for code in OURS for part in RULES[code].needs}
    assert sorted(part for part in needed if not audited.has(part)) == ["disk"]
    assert LINE
    assert KERNEL


def test_every_rule_has_a_planted_fault_with_its_attacks():
    carried = defaultdict(set)
    for module in TABLES:
        for code, attacks in plants.cases_of(module):
            carried[code] |= attacks
    assert set(carried) >= set(OURS)
    assert {code: set(RULES[code].attacks) - carried[code] for code in OURS} == {code: set() for code in OURS}


@pytest.mark.parametrize("code", OURS)
def test_a_rule_says_why_and_what_to_do(code):
    rule = RULES[code]
    assert code.startswith("audit.")
    assert not rule.title.endswith(".")
    assert all(text.endswith((".", ")")) for text in (rule.why, rule.fix))
    assert named_attacks(rule.why) == set(rule.attacks)


def named_attacks(text):
    """The ids that a text names, also as "B1 to B4"."""
    found = set(re.findall(r"\b[ABKLS][0-9]+\b", text))
    for letter, first, last in re.findall(r"\b([ABKLS])([0-9]+) to [ABKLS]([0-9]+)\b", text):
        found |= {f"{letter}{number}" for number in range(int(first), int(last) + 1)}
    return found
