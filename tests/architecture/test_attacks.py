# SPDX-License-Identifier: Apache-2.0
"""The threat model names the tests that play its attacks. They exist, and carry the attack's id."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text()
ROWS = dict(re.findall(r"^\| ([ABK][0-9]+) \| (.+) \|$", PAGE, re.MULTILINE))
"""Attack id to the rest of its row in the tables of attacks on documents, on keys and what they seal, on images."""
LATER = "not built yet"
TEST = re.compile(r"`(test_[a-z0-9_]+)`")


def marked_tests() -> dict[str, set[str]]:
    """Return attack id to the names of the tests that carry it, by themselves or through their module."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        of_all = [node.value for node in tree.body if isinstance(node, ast.Assign) and names(node) == ["pytestmark"]]
        for test in tests:
            for attack in attacks_in([*test.decorator_list, *of_all]):
                found[attack].add(test.name)
    return found


def names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def attacks_in(expressions: list[ast.expr]) -> list[str]:
    calls = [node for each in expressions for node in ast.walk(each) if isinstance(node, ast.Call)]
    marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.attack"]
    return [str(mark.args[0].value) for mark in marks if isinstance(mark.args[0], ast.Constant)]


MARKED = marked_tests()


def test_the_tables_have_every_attack_in_order():
    last = {"A": 25, "K": 28, "B": 20}
    assert list(ROWS) == [f"{kind}{number}" for kind, count in last.items() for number in range(1, count + 1)]


@pytest.mark.parametrize("attack", ROWS)
def test_every_attack_of_the_table_has_the_tests_that_the_table_names(attack):
    named = TEST.findall(ROWS[attack])
    assert set(named) <= MARKED[attack], "these are no tests, or do not carry the attack's id"
    assert bool(named) != (LATER in ROWS[attack]), "a row names its tests, or says what is not built yet"


@pytest.mark.parametrize("attack", [attack for attack, row in ROWS.items() if LATER in row])
def test_what_is_said_to_be_not_built_yet_has_no_tests(attack):
    assert not MARKED[attack], "the table says that this is not built yet: name its tests there"


def test_every_attack_that_the_page_names_has_a_test():
    named = set(re.findall(r"\b([ABKLS][0-9]{1,2})\b", PAGE)) - {a for a, row in ROWS.items() if LATER in row}
    assert len(named) > 30
    assert {attack for attack in named if not MARKED[attack]} == set()


def test_marks_are_found_however_they_are_set():
    assert "test_random_bytes_are_no_image" in MARKED["B19"], "through its module"
    assert "test_the_second_form_of_a_certificates_signature_does_not_help" in MARKED["A8"] & MARKED["A23"], "two marks"
