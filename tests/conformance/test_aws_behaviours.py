# SPDX-License-Identifier: Apache-2.0
"""The file of assumed behaviours: rows say what they have to say, pages show that, and probes belong to rows."""

import json
import subprocess
import sys
import tomllib

import conformance.aws.probes  # noqa: F401 -- enters the probes
import pytest
from conformance.aws.behaviours import FILE, BadBehaviourError, load_behaviours
from conformance.aws.policy.cases import load_cases
from conformance.aws.probe import PROBES
from tests.conformance.suite import ROOT

GOOD = {
    "id": "one",
    "service": "KMS",
    "sentence": "It answers",
    "grade": "assumed",
    "test": "test_it",
    "probe": "ask",
    "expect": {"answer": "yes"},
}


def write(tmp_path, *rows):
    """Write rows as a file; what is None is left out."""
    lines = []
    for row in rows:
        lines.append("[[behaviour]]")
        plain = {name: value for name, value in row.items() if value is not None and name != "expect"}
        lines += [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
        lines += ["[behaviour.expect]", *(f"{k} = {json.dumps(v)}" for k, v in (row.get("expect") or {}).items())]
    file = tmp_path / "behaviours.toml"
    file.write_text("\n".join(lines))
    return file


def test_a_good_row_is_read(tmp_path):
    (row,) = load_behaviours(write(tmp_path, GOOD))
    assert (row.id, row.evidence, dict(row.expect)) == ("one", "assumed", {"answer": "yes"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grade": "certain"}, "a grade"),
        ({"page": "cover"}, "a page"),
        ({"probe": None}, "why it is not replayed"),
        ({"not_replayed": "it is hard"}, "why it is not replayed"),
        ({"expect": None}, "belongs to a probe"),
        ({"probe": None, "case": "one", "test": None}, "belongs to a probe"),
        ({"test": None}, "expected a test"),
        ({"grade": "open"}, "expected a test"),
        ({"probe": None, "expect": None, "not_replayed": "it is hard", "left_out": "half"}, "left_out"),
        ({"expect": {"answer": 1}}, "is text"),
        ({"colour": "red"}, "members of Behaviour"),
        ({"sentence": None}, "members of Behaviour"),
    ],
)
def test_a_row_that_does_not_say_what_it_has_to_is_refused(tmp_path, changes, says):
    with pytest.raises(BadBehaviourError, match=says):
        load_behaviours(write(tmp_path, GOOD | changes))


@pytest.mark.parametrize("second", [GOOD | {"probe": "other"}, GOOD | {"id": "two"}])
def test_two_rows_have_neither_one_id_nor_one_probe(tmp_path, second):
    with pytest.raises(BadBehaviourError, match="one name"):
        load_behaviours(write(tmp_path, GOOD, second))


def test_a_file_without_rows_confirms_nothing(tmp_path):
    with pytest.raises(BadBehaviourError, match="no rows"):
        load_behaviours(write(tmp_path))


def test_every_probe_has_a_row_and_every_row_with_a_probe_has_that_probe():
    assert {row.probe for row in load_behaviours() if row.probe} == set(PROBES)


def test_every_case_that_a_row_names_is_in_the_policy_table():
    named = {row.case for row in load_behaviours() if row.case}
    assert named
    assert named <= {case["id"] for case in load_cases()}


def test_the_pages_show_what_the_file_says():
    command = [sys.executable, ROOT / "tools/behaviours", "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "question",
    ["document-skew", "document-chunks", "instance-types", "stop-start", "pcr-sample-image", "pcr7-unexplained"],
)
def test_what_nobody_knows_stands_among_the_open_questions(question):
    row = next(row for row in load_behaviours() if row.id == question)
    assert row.page == "open"
    assert row.sentence in (ROOT / "docs/aws-conformance.md").read_text()


def test_the_file_is_plain_toml_for_other_programs():
    assert len(tomllib.loads(FILE.read_text())["behaviour"]) == len(load_behaviours())
