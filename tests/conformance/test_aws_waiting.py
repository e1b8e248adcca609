# SPDX-License-Identifier: Apache-2.0
"""On AWS, what is new is not known everywhere at once, and answers get lost. The twin is made to be like that."""

import threading
import time

import pytest
from botocore.exceptions import ClientError
from conformance.aws import runner
from conformance.aws.budget import Budget
from conformance.aws.journal import Journal, Thing
from conformance.aws.principals import Principals, patiently
from conformance.aws.probe import PROBES, Probe
from tests.conformance.aws_world import account

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms import administration

pytestmark = pytest.mark.slow


@pytest.fixture
def tried(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "PAUSE", 0.01)
    with account(tmp_path, monkeypatch) as found:
        yield found


def planted(monkeypatch, ask, **budget):
    monkeypatch.setitem(PROBES, "pages", Probe("pages", ask, Budget(**budget)))


RIGHT = {"first": "1, more", "second": "1", "foreign_marker": "InvalidMarkerException"}


def test_a_question_is_asked_again_until_its_answer_is_the_expected_one(tried, monkeypatch):
    answers = iter([{}, {"first": "2"}, RIGHT])
    planted(monkeypatch, lambda bench: lambda: next(answers))
    assert tried.run("--only", "pages", "--patience", "30") == 0


def test_patience_ends(tried, monkeypatch):
    asked = []
    planted(monkeypatch, lambda bench: lambda: asked.append(1) or {})
    assert tried.run("--only", "pages", "--patience", "0.2") == 1
    assert 2 <= len(asked) <= 30


def test_no_second_thing_is_made_where_something_should_have_been_refused(tried, monkeypatch):
    monkeypatch.setattr(administration, "expect_no_lockout", lambda *given: None)
    assert tried.run("--only", "lockout-at-creation", "--patience", "0.2") == 1
    assert tried.created() == ["key"]
    assert tried.keys_in_use() == []


def test_whoever_is_asked_has_a_policy_that_kms_knows_by_then(tried, monkeypatch):
    """Else it would be confirmed that nothing allows what is only not known yet."""
    at_once, pause = Principals.allow, 0.5
    put = patiently

    def later(self, *given):
        threading.Timer(pause, at_once, (self, *given)).start()

    monkeypatch.setattr(Principals, "allow", later)
    monkeypatch.setattr("conformance.aws.workbench.patiently", lambda *given, **more: put(*given, **more, pause=0.05))
    assert (
        tried.run("--only", "policy:one-iam-other-key", "--only", "policy:one-delegation-and-iam", "--patience", "20")
        == 0
    )
    asked = [record for record in tried.twin.kms.decisions if "src-" in record.caller_arn]
    assert asked[0].operation == "ListRetirableGrants"
    assert asked[0].outcome != "allowed", "it was not known at first"
    for name in ("one-iam-other-key", "one-delegation-and-iam"):
        assert tried.verdicts()[f"policy:{name}"] == "confirmed"
    others = [record.operation for record in asked if record.outcome != "allowed" or record.operation[:4] != "List"]
    assert others[-1] != "ListRetirableGrants", "what is asked comes last"


@pytest.mark.parametrize("status", [500, 400])
def test_a_key_whose_creation_ended_in_a_fault_of_kms_is_looked_for(tried, monkeypatch, status):
    create = administration.Administration.create_key

    def lost(self, *given):
        create(self, *given)
        raise AwsFault("KMSInternalException", "the answer is lost", status=status)

    monkeypatch.setattr(administration.Administration, "create_key", lost)
    tried.twin.kms._operations["CreateKey"] = administration.Administration(
        tried.twin.kms._store, tried.twin.kms._operations["PutKeyPolicy"].run.__self__
    ).operations()["CreateKey"]
    assert tried.run("--only", "pages") == 3
    assert len(tried.twin.kms._store._keys) == 1, "CreateKey is not sent twice"
    assert len(tried.keys_in_use()) == (0 if status == 500 else 1), "a refusal is believed"


def test_what_may_have_been_created_and_is_in_no_list_yet_is_not_forgotten(tried, monkeypatch, capsys):
    def start(bench):
        bench.target.journal.intend(Thing(bench.target.run, "key", f"{bench.prefix}key1"))
        raise LookupError("no answer")

    planted(monkeypatch, start)
    assert tried.run("--only", "pages") == 3
    assert "NOT CLEARED AWAY: key" in capsys.readouterr().out
    with Journal(tried.journal) as journal:
        assert len(journal.left) == 1
    assert tried.run("--only", "quotas") == 0
    with Journal(tried.journal) as journal:
        assert journal.left == ()


def test_a_role_without_the_tag_of_the_run_stays(tried):
    iam = tried.make_client("iam")
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
    )
    iam.create_role(RoleName="src-00000000-1-app", AssumeRolePolicyDocument=trust)
    with Journal(tried.journal) as journal:
        journal.intend(Thing("src-00000000", "role", "src-00000000-1-app"))
    assert tried.run("--only", "quotas") == 3
    assert tried.principals() == ["src-00000000-1-app"]


def test_a_name_that_is_there_already_is_not_taken_for_refused(tried, monkeypatch):
    """The first call may have been answered to nobody: who has the tag is removed."""
    create = Principals.create

    def twice(self, kind, name, *, run):
        create(self, kind, name, run=run)
        return create(self, kind, name, run=run)

    monkeypatch.setattr(Principals, "create", twice)
    assert tried.run("--only", "grant-allows") == 3
    assert tried.principals() == []


def refusing(codes):
    left = list(codes)

    def call():
        if left:
            raise ClientError({"Error": {"Code": left.pop(0)}}, "Call")
        return "answer"

    return call


def test_only_what_may_change_is_waited_for():
    waited = {"refused": ("NotYet",), "pause": 0}
    assert patiently(refusing(["NotYet", "NotYet"]), **waited, patience=10) == "answer"
    with pytest.raises(ClientError, match="Never"):
        patiently(refusing(["NotYet", "Never"]), **waited, patience=10)
    with pytest.raises(ClientError, match="NotYet"):
        patiently(refusing(["NotYet"]), **waited, patience=0)
    begun = time.monotonic()
    with pytest.raises(ClientError):
        patiently(refusing(["NotYet"] * 10**6), refused=("NotYet",), patience=0.2, pause=0.05)
    assert time.monotonic() - begun < 5


def test_what_was_created_just_now_and_is_not_known_yet_is_not_forgotten(tried, monkeypatch):
    """KMS and IAM may say that something is not there when it is."""
    find = tried.twin.kms._store.resolve_key

    def not_yet(place, name):
        raise AwsFault("NotFoundException", f"Key '{name}' does not exist")

    def start(bench):
        bench.key()
        bench.role()
        monkeypatch.setattr(tried.twin.kms._store, "resolve_key", not_yet)
        raise LookupError("the end")

    planted(monkeypatch, start, keys=1, principals=1)
    assert tried.run("--only", "pages") == 3
    with Journal(tried.journal) as journal:
        assert [thing.kind for thing in journal.left] == ["key"]
    monkeypatch.setattr(tried.twin.kms._store, "resolve_key", find)
    assert len(tried.keys_in_use()) == 1
    assert tried.run("--only", "quotas") == 0
    assert tried.keys_in_use() == []


def test_a_second_interruption_ends_the_program_and_the_next_run_clears_away(tried, monkeypatch, capsys):
    remove = Principals.remove

    def interrupted(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Principals, "remove", interrupted)
    assert tried.run("--only", "grant-allows") == 3
    assert "the next run does that" in capsys.readouterr().out
    monkeypatch.setattr(Principals, "remove", remove)
    assert tried.principals()
    assert tried.run("--only", "quotas") == 0
    assert tried.principals() == []
    assert tried.keys_in_use() == []
