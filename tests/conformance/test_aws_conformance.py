# SPDX-License-Identifier: Apache-2.0
"""`python -m conformance.aws` on a twin, over HTTP: what it confirms, what it notices, and what it leaves behind."""

import dataclasses
import json
import re
import shlex
import subprocess
import time
from collections import Counter
from datetime import timedelta

import pytest
from conformance.aws import __main__ as program
from conformance.aws import documents, plan
from conformance.aws.behaviours import load_behaviours
from conformance.aws.budget import Budget
from conformance.aws.journal import Journal, Thing
from conformance.aws.plan import Plan
from conformance.aws.principals import Principals
from conformance.aws.probe import PROBES, Probe
from tests.conformance.aws_world import ACCOUNT, account
from tests.conformance.kms_policy_bugs import BUGS
from tests.conformance.suite import ROOT
from tests.twin_world import RECIPIENT

from strongroom.twin import sigv4
from strongroom.twin.kms import authorization, policies, recipient, service, tags

pytestmark = pytest.mark.slow


@pytest.fixture
def tried(tmp_path, monkeypatch):
    with account(tmp_path, monkeypatch) as found:
        yield found


def planned(output: str) -> dict[str, int]:
    """Return the numbers of a plan."""
    words = {"keys": "KMS", "aliases": "aliases", "principals": "IAM", "requests": "requests"}
    return {name: int(re.findall(rf"(\d+) {word}", output)[0]) for name, word in words.items()}


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """An account asked by somebody who has the policy of the page, and no other."""
    blocks = re.findall(
        r"^```json\n(.*?)^```$", (ROOT / "docs/aws-conformance.md").read_text(), re.MULTILINE | re.DOTALL
    )
    with account(tmp_path, monkeypatch, policy=blocks[0]) as found:
        yield found


@pytest.mark.slow
def test_the_twin_behaves_as_every_row_says_and_nothing_is_left_behind(documented, capsys):
    tried = documented
    assert tried.run(*tried.documents) == 0
    verdicts = tried.verdicts()
    assert {id_ for id_, verdict in verdicts.items() if verdict == "confirmed"} == {
        *(row.id for row in load_behaviours() if row.probe),
        *(id_ for id_, verdict in verdicts.items() if id_.startswith("policy:") and verdict != "not replayed"),
    }
    assert set(verdicts.values()) == {"confirmed", "not replayed"}
    assert sum(id_.startswith("policy:") and each == "confirmed" for id_, each in verdicts.items()) >= 100
    assert tried.keys_in_use() == []
    assert not tried.twin.kms._store._aliases
    assert not tried.principals()
    budget, created = planned(capsys.readouterr().out), Counter(tried.created())
    assert created["key"] == len(tried.twin.kms._store._keys) <= budget["keys"]
    assert created["alias"] <= budget["aliases"]
    assert created["role"] + created["user"] <= budget["principals"]
    assert len(tried.twin.kms.decisions) <= budget["requests"]
    with Journal(tried.journal) as journal:
        assert journal.left == ()


def test_what_is_not_asked_says_why(tried):
    assert tried.run("--only", "denied-", "--only", "two-accounts", "--only", "recipient-answer") == 0
    findings = {each["id"]: each for each in tried.report["findings"]}
    assert findings["two-accounts"]["why"] == "it needs a second account"
    assert findings["recipient-answer"]["why"].startswith("it needs a document with an RSA key, younger than four min")
    assert findings["denied-sentences"]["verdict"] == "confirmed"


# --- what it notices --------------------------------------------------------------------------------------------------


def open_to_all(monkeypatch):
    decide = authorization.evaluate
    monkeypatch.setattr(
        authorization,
        "evaluate",
        lambda *given, **more: dataclasses.replace(decide(*given, **more), outcome=authorization.Outcome.ALLOWED),
    )


def deaf_to_tokens(monkeypatch):
    monkeypatch.setattr(service, "find_grants", lambda tokens, grants: frozenset())


def in_clear(monkeypatch):
    monkeypatch.setattr(service, "read_recipient", lambda parameters, *, roots, now: None)


PLANTED = {
    "nobody is refused": (open_to_all, {"denied-sentences", "dry-run", "policy:missing-positive"}),
    "tokens are not looked at": (deaf_to_tokens, {"grant-token"}),
    "documents are not looked at": (in_clear, {"recipient-answer", "recipient-pcrs", "recipient-random-bytes"}),
    "documents live for a day": (
        lambda patch: patch.setattr(recipient, "MAX_AGE", timedelta(days=1)),
        {"five-minutes", "five-minutes-sentence"},
    ),
    "clocks may differ by ten minutes": (
        lambda patch: patch.setattr(sigv4, "MAX_SKEW", timedelta(minutes=10)),
        {"signature-skew"},
    ),
    "headers need no signature": (
        lambda patch: patch.setattr(sigv4, "_expect_signed", lambda call, authorization: None),
        {"signature-headers"},
    ),
    "a key has a hundred tags": (lambda patch: patch.setattr(tags, "MAX_TAGS", 100), {"quotas"}),
    "nobody is locked out": (
        lambda patch: patch.setattr(policies, "expect_no_lockout", lambda *given: None),
        {"lockout"},
    ),
    "principals are names": (
        lambda patch: patch.setattr(policies, "pin_principals", lambda policy, ids: policy),
        {"role-made-anew"},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_twin_that_behaves_otherwise_is_noticed(tried, monkeypatch, capsys, name):
    plant, rows = PLANTED[name]
    plant(monkeypatch)
    only = [part for row in sorted(rows) for part in ("--only", row)]
    assert tried.run(*tried.documents, *only) == 1
    verdicts = tried.verdicts()
    assert {row for row, verdict in verdicts.items() if verdict == "differs"} >= rows
    assert "DIFFERS" in capsys.readouterr().out
    assert tried.keys_in_use() == []


def test_a_bug_of_an_evaluator_is_noticed_by_the_policy_table(tried, monkeypatch):
    BUGS["IfExists is ignored"](monkeypatch)
    assert tried.run("--only", "policy:if-exists", "--only", "policy:missing-") == 1


def test_a_difference_is_told_by_name_with_both_sides(tried, monkeypatch, capsys):
    monkeypatch.setattr(tags, "MAX_TAGS", 100)
    assert tried.run("--only", "quotas") == 1
    assert "DIFFERS  quotas: tags: expected 'LimitExceededException', seen 'answered'" in capsys.readouterr().out
    page = max((tried.folder / "report").glob("*.md")).read_text()
    assert "| differs | tags: expected 'LimitExceededException', seen 'answered' |" in page


OTHERWISE = {"allow": "deny", "deny": "implicit-deny", "implicit-deny": "allow"}


@pytest.mark.slow
def test_every_single_thing_that_a_row_expects_is_compared_with_what_was_seen(tried, monkeypatch):
    """With each expectation changed in turn into another one, every question differs in exactly that."""
    for place in range(max(len(row.expect) for row in load_behaviours())):
        rows = [spoilt(row, place) for row in load_behaviours() if len(row.expect) > place]
        monkeypatch.setattr(program, "load_behaviours", lambda rows=rows: rows)
        only = [part for row in rows for part in ("--only", row.id)] + ["--only", "policy:"] * (place == 0)
        monkeypatch.setattr(plan, "expected", lambda case: {"decision": OTHERWISE[case["expect"]["decision"]]})
        assert tried.run(*tried.documents, *only) == 1
        asked = [each for each in tried.report["findings"] if each["verdict"] != "not replayed"]
        assert {each["verdict"] for each in asked} == {"differs"}
        for row in rows:
            (found,) = (each for each in asked if each["id"] == row.id)
            name = list(row.expect)[place]
            assert {**found["seen"], name: "spoilt"} == {**row.expect, name: "spoilt"}


def spoilt(row, place):
    name = list(row.expect)[place]
    return dataclasses.replace(row, expect={**row.expect, name: "spoilt"})


# --- before it does anything ------------------------------------------------------------------------------------------


def calls(tried) -> list[str]:
    return [record.operation for record in tried.twin.kms.decisions]


def test_without_confirmation_it_shows_the_plan_and_stops(tried, capsys):
    assert tried.run(*tried.documents, confirm=None) == 0
    output = capsys.readouterr().out
    numbers = planned(output)
    assert f"account    {ACCOUNT}, as arn:aws:iam::{ACCOUNT}:user/runner" in output
    assert numbers["keys"] > 150
    assert "Nothing was done." in output
    assert calls(tried) == []
    assert not tried.principals()


@pytest.mark.parametrize("other", ["111122223333", "yes", f"{ACCOUNT} "])
def test_another_account_than_the_confirmed_one_is_refused(tried, capsys, other):
    assert tried.run(confirm=other) == 2
    assert "refused: these credentials are of account" in capsys.readouterr().out
    assert calls(tried) == []
    assert not tried.journal.exists()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_ACCESS_KEY_ID"])
def test_without_region_or_credentials_it_is_refused(tried, monkeypatch, capsys, variable):
    monkeypatch.delenv(variable)
    if variable == "AWS_REGION":
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert tried.run() == 2
    assert capsys.readouterr().out.startswith("refused: ")


def test_a_row_that_does_not_exist_is_refused(tried, capsys):
    assert tried.run("--only", "nothing-of-that-name") == 2
    assert "nothing is called nothing-of-that-name" in capsys.readouterr().out


def test_a_file_that_is_no_document_is_refused(tried, capsys):
    (tried.folder / "text").write_text("no document")
    assert tried.run("--document", str(tried.folder / "text")) == 2
    assert calls(tried) == []


def test_two_runs_do_not_share_a_journal(tried, capsys):
    with Journal(tried.journal):
        assert tried.run() == 2
    assert "another run has" in capsys.readouterr().out


def test_make_hands_over_what_it_is_given():
    command = ["make", "-ns", "aws-conformance", "CONFIRM=1", "DOCUMENTS=a b", "ONLY=grant- pages"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(said[said.index("conformance.aws") :].replace("\\\n", " "))
    assert words[1:] == ["--confirm", "1", "--document", "a", "--document", "b", "--only", "grant-", "--only", "pages"]


def test_the_cost_is_that_of_keys_requests_and_data_key_pairs():
    budget = Budget(keys=73, rotations=0, requests=10_000, data_key_pairs=100)
    question = type("Question", (), {"probe": Probe("any", lambda bench: dict, budget)})
    assert Plan((question,)).dollars == pytest.approx(73 * 2 / 730 + 0.15 + 0.12)


# --- what it leaves behind --------------------------------------------------------------------------------------------


def planted_probe(monkeypatch, start, **budget):
    """Put a probe in the place of the one for `lockout`."""
    monkeypatch.setitem(PROBES, "lockout", Probe("lockout", start, Budget(**budget)))


@pytest.mark.parametrize("when", ["setting up", "asking"])
def test_an_interrupted_run_clears_away_and_says_what_it_did_not_ask(tried, monkeypatch, when):
    def interrupt():
        raise KeyboardInterrupt

    def start(bench):
        bench.alias(bench.key())
        bench.role()
        return interrupt() if when == "setting up" else interrupt

    planted_probe(monkeypatch, start, keys=1, aliases=1, principals=1)
    assert tried.run("--only", "lockout", "--only", "pages") == 3
    assert tried.report["interrupted"] is True
    assert {each["why"] for each in tried.report["findings"]} >= {"the run was interrupted"}
    assert len(tried.twin.kms._store._keys) >= 1
    assert tried.keys_in_use() == []
    assert not tried.twin.kms._store._aliases
    assert not tried.principals()


def test_an_interruption_while_it_clears_away_leaves_nothing_either(tried, monkeypatch):
    remove, interrupted = Principals.remove, []

    def once(*given, **more):
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return remove(*given, **more)

    monkeypatch.setattr(Principals, "remove", once)
    assert tried.run("--only", "grant-allows") == 3
    assert tried.keys_in_use() == []
    assert not tried.principals()


def test_a_probe_that_fails_is_told_and_the_others_go_on(tried, monkeypatch, capsys):
    def start(bench):
        bench.key()
        bench.kms.describe_key(KeyId="alias/nobody")

    planted_probe(monkeypatch, start, keys=1)
    assert tried.run("--only", "lockout", "--only", "pages") == 3
    assert "COULD NOT BE ASKED  lockout: setting up: An error occurred (NotFoundException)" in capsys.readouterr().out
    assert tried.verdicts()["pages"] == "confirmed"
    assert tried.keys_in_use() == []


def test_a_probe_creates_no_more_than_the_plan_says(tried, monkeypatch):
    planted_probe(monkeypatch, lambda bench: [bench.key() for _ in range(3)], keys=2)
    assert tried.run("--only", "lockout") == 3
    assert len(tried.twin.kms._store._keys) == 2
    assert tried.keys_in_use() == []


def test_a_mistake_in_a_probe_ends_the_run_and_still_clears_away(tried, monkeypatch):
    def start(bench):
        bench.key()
        raise ZeroDivisionError

    planted_probe(monkeypatch, start, keys=1)
    with pytest.raises(ZeroDivisionError):
        tried.run("--only", "lockout")
    assert tried.keys_in_use() == []


def test_a_document_that_became_too_old_is_told(tried, monkeypatch):
    plan_made = Plan.text

    def later(self, target):
        monkeypatch.setattr(type(target.documents), "one", too_old)
        return plan_made(self, target)

    def too_old(self, need, now):
        raise LookupError(f"needs {need}")

    monkeypatch.setattr(Plan, "text", later)
    assert tried.run(*tried.documents, "--only", "recipient-answer") == 3
    assert tried.verdicts() == {"recipient-answer": "could not be asked"}


def test_a_document_that_becomes_too_old_before_it_is_asked_with_is_told(tried, monkeypatch):
    monkeypatch.setattr(documents, "YOUNG", timedelta(seconds=2))
    start = PROBES["attested-answer"].start

    def slowly(bench):
        ask = start(bench)
        time.sleep(2.1)
        return ask

    monkeypatch.setitem(PROBES, "attested-answer", dataclasses.replace(PROBES["attested-answer"], start=slowly))
    (tried.folder / "young").write_bytes(tried.instance.attest(public_key=RECIPIENT.public_key))
    assert tried.run("--document", str(tried.folder / "young"), "--only", "recipient-answer") == 3
    (finding,) = tried.report["findings"]
    assert finding["why"].startswith("asking: by now it needs another document with an RSA key")


def left_over(tried, **thing):
    """Write down something of an earlier run."""
    with Journal(tried.journal) as journal:
        left = Thing("src-00000000", **thing)
        journal.intend(left)
        if left.arn:
            journal.created(left, left.arn)


def test_what_the_journal_names_without_the_tag_of_its_run_is_somebody_elses(tried, capsys):
    admin = tried.make_client("kms")
    key = admin.create_key(Tags=[{"TagKey": "strongroom:aws-conformance", "TagValue": "src-11111111"}])
    arn = key["KeyMetadata"]["Arn"]
    left_over(tried, kind="key", name="src-00000000-1-key1", arn=arn)
    assert tried.run("--only", "pages") == 3
    assert tried.keys_in_use() == [arn]
    assert f"NOT CLEARED AWAY: key {arn}: it has no tag" in capsys.readouterr().out
    with Journal(tried.journal) as journal:
        assert [thing.arn for thing in journal.left] == [arn]


def test_a_key_whose_creation_was_never_answered_is_found_by_its_tags(tried):
    admin, name = tried.make_client("kms"), "src-00000000-1-key1"
    tag = "strongroom:aws-conformance"
    tags = [{"TagKey": tag, "TagValue": "src-00000000"}, {"TagKey": f"{tag}:name", "TagValue": name}]
    other = admin.create_key()["KeyMetadata"]["Arn"]
    admin.create_key(Tags=tags)
    left_over(tried, kind="key", name=name)
    assert tried.run("--only", "pages") == 0
    assert tried.keys_in_use() == [other]


def test_the_plan_says_that_something_is_left(tried, capsys):
    left_over(tried, kind="role", name="src-00000000-1-app")
    assert tried.run(confirm=None) == 0
    assert "1 things of an earlier run are left" in capsys.readouterr().out


def test_reports_name_no_account(tried):
    tried.run("--only", "denied-sentences", "--only", "policy:missing-positive")
    for file in (tried.folder / "report").iterdir():
        assert ACCOUNT not in file.read_text()
    assert {"python", "boto3", "botocore"} == set(tried.report["versions"])
    assert json.dumps(tried.report["begun"])
