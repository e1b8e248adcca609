# SPDX-License-Identifier: Apache-2.0
"""Our evaluator decides every case of the KMS policy table as it says, and the table notices when it does not."""

import collections
import json
import re
import subprocess
import sys

import pytest
from tests.conformance.kms_policy_bugs import BUGS
from tests.conformance.kms_policy_table import FOLDER, answer, every_case, groups

ROOT = FOLDER.parents[1]
README = (FOLDER / "README.md").read_text()
GRADES = {"documented", "measured", "assumed"}
MOST_VARIED = 30
"""Cases that differ from an earlier one in one place of request and policies."""


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case["id"])
def test_our_evaluator_decides_as_the_table_says(case):
    assert answer(case) == case["expect"], case["title"]


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_noticed_by_a_case(name, monkeypatch):
    BUGS[name](monkeypatch)
    noticed = [case["id"] for case in every_case() if _differs(case)]
    assert noticed, f"no case notices: {name}"


def _differs(case):
    try:
        return answer(case) != case["expect"]
    except (ValueError, KeyError):  # a bug that breaks the reading of a policy is noticed, too
        return True


def test_the_table_is_large_and_its_cases_are_told_apart():
    cases = every_case()
    assert len(cases) >= 200
    assert len({case["id"] for case in cases}) == len(cases)
    assert len({_canonical(case) for case in cases}) == len(cases)


def test_few_cases_are_made_by_varying_one_value():
    seen, varied = [], []
    for case in every_case():
        leaves = frozenset(_leaves(_asked(case)))
        if any(len(leaves ^ other) <= 2 and len(leaves - other) <= 1 for other in seen):
            varied.append(case["id"])
        seen.append(leaves)
    assert len(varied) <= MOST_VARIED, varied


def _asked(case):
    """Return what a case asks, without its names: two cases with other Sids ask the same."""
    asked = {name: value for name, value in case.items() if name not in {"id", "title", "grade", "source", "expect"}}
    return json.loads(re.sub(r'"Sid": "[^"]*"', '"Sid": ""', json.dumps(asked)))


def _canonical(case):
    return json.dumps(_asked(case), sort_keys=True)


def _leaves(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield (path, value)


def test_every_case_is_graded_and_cites_its_source():
    for case in every_case():
        assert case["grade"] in GRADES, case["id"]
        assert case["source"].startswith("https://"), case["id"]
        assert set(case["expect"]) in ({"decision", "by", "statement"}, {"decision", "lacking"}), case["id"]


def test_a_case_that_allows_or_denies_names_a_statement_that_is_there():
    for case in every_case():
        statement = case["expect"].get("statement")
        if statement not in {None, "the root user"}:
            text = json.dumps(case)
            assert f'"Sid": "{statement}"' in text or f'"GrantId": "{statement}"' in text, case["id"]


def test_the_readme_counts_the_cases():
    cases = every_case()
    assert f"{len(cases)} cases" in README
    grades = collections.Counter(case["grade"] for case in cases)
    for grade, count in grades.items():
        assert f"{count} {grade}" in README
    table = {name: int(count) for name, count in re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", README, re.MULTILINE)}
    assert table == {name: len(each) for name, each in groups().items()}
    assert f"{len(cases)} cases" in (ROOT / "docs/conformance.md").read_text()


def test_the_generator_writes_exactly_this_table(tmp_path):
    command = [sys.executable, str(FOLDER.parent / "generate_kms_policy.py"), "--into", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={"PATH": "/nowhere"})
    written = {path.name: path.read_text() for path in (tmp_path / "kms-policy").iterdir()}
    assert written == {path.name: path.read_text() for path in FOLDER.glob("*.json")}


def test_the_generator_shares_no_code_with_the_evaluator():
    for path in (FOLDER.parent / "generator/kms_policy").glob("*.py"):
        assert "strongroom" not in path.read_text(), path
