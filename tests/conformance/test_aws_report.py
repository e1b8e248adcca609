# SPDX-License-Identifier: Apache-2.0
"""What a report says, and with what the program ends."""

import json
from datetime import UTC, datetime

import pytest
from conformance.aws.plan import Question
from conformance.aws.report import Finding, Report, Verdict

WHO = "arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
QUESTION = Question("row", "It | answers", "assumed", None, {"answer": "yes"}, left_out="half of it")
CONFIRMED = Finding(QUESTION, Verdict.CONFIRMED, {"answer": "yes"})
DIFFERS = Finding(QUESTION, Verdict.DIFFERS, {"answer": "no, 123456789012", "more": f"x, {WHO}"})
BROKEN = Finding(QUESTION, Verdict.BROKEN, why="setting up: no")
NOT_REPLAYED = Finding(QUESTION, Verdict.NOT_REPLAYED, why="it needs a second account")


def report(*findings, **changes):
    facts = {
        "run": "src-1",
        "account": "123456789012",
        "caller_arn": WHO,
        "endpoint": "https://kms",
        "region": "eu-central-1",
        "begun": NOW,
        "versions": {"boto3": "1"},
    }
    return Report(findings, **{**facts, **changes})


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(CONFIRMED), 0),
        (report(CONFIRMED, NOT_REPLAYED), 0),
        (report(CONFIRMED, DIFFERS), 1),
        (report(CONFIRMED, BROKEN), 3),
        (report(BROKEN, DIFFERS), 1),
        (report(NOT_REPLAYED), 3),
        (report(), 3),
        (report(CONFIRMED, interrupted=True), 3),
        (report(CONFIRMED, left=["key k: no"]), 3),
    ],
)
def test_only_a_whole_run_in_which_nothing_differs_ends_with_0(found, code):
    assert found.exit_code == code


def test_a_difference_is_told_for_what_is_missing_and_what_is_too_much():
    assert DIFFERS.differences == [("answer", "yes", "no, 123456789012"), ("more", "nothing", f"x, {WHO}")]


def test_the_three_forms_say_the_same():
    found = report(CONFIRMED, DIFFERS, BROKEN, NOT_REPLAYED, left=["key k: somebody else's"])
    text, page, body = found.text(), found.markdown(), json.loads(found.json())
    assert "1 confirmed, 1 differs, 1 could not be asked, 1 not replayed" in text
    assert body["counts"] == {"confirmed": 1, "differs": 1, "could not be asked": 1, "not replayed": 1}
    assert [each["verdict"] for each in body["findings"]] == [*body["counts"]]
    assert "| `row` | It \\| answers | assumed | confirmed | left out: half of it |" in page
    assert "| `row` | It \\| answers | assumed | not replayed | it needs a second account |" in page
    assert "NOT CLEARED AWAY: key k: somebody else's" in text
    assert body["not_cleared_away"] == ["key k: somebody else's"]
    assert "2026-11-25T00:00:00+00:00" in page
    assert "boto3 1" in page
    assert page.startswith("# What https://kms answered"), "a twin is not AWS"


def test_what_is_kept_names_no_account():
    found = report(DIFFERS)
    assert "no, ACCOUNT" in found.json()
    assert "no, ACCOUNT" in found.markdown()
    assert "x, CALLER" in found.json()
    assert "123456789012" not in found.json() + found.markdown()
    assert "alice" not in found.json() + found.markdown()
