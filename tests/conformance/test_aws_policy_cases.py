# SPDX-License-Identifier: Apache-2.0
"""Cases of the policy table in the words of an account: which can be asked there, and that they still mean the same."""

import json

import pytest
from conformance.aws.policy.asking import case_probe, names_of
from conformance.aws.policy.calls import CALLS, parameters
from conformance.aws.policy.cases import KEY, asked_grant, load_cases, own_principal, translated, with_key
from conformance.aws.policy.obstacles import obstacle
from conformance.aws.statements import MANAGE
from tests.conformance.kms_policy_bugs import BUGS
from tests.conformance.kms_policy_table import answer
from tests.conformance.suite import ROOT

CASES = {case["id"]: case for case in load_cases()}
ABLE = [case for case in CASES.values() if not obstacle(case)]
PLACE = {"account": "999988887777", "region": "ap-south-2", "partition": "aws", "prefix": "src-1-2-"}
ACCOUNTS = ("111122223333", PLACE["account"])
ELSEWHERE = [case for case in CASES.values() if not obstacle(case, PLACE["region"])]
NEW_KEY = "arn:aws:kms:ap-south-2:999988887777:key/0000"


def changed(id_, **changes):
    return json.loads(json.dumps(CASES[id_])) | changes


@pytest.mark.parametrize("case", ELSEWHERE, ids=lambda case: case["id"])
def test_a_translated_case_is_decided_as_before(case):
    """With all names changed alike, the policies say the same of the same caller."""
    elsewhere = with_key(translated(case, **PLACE), KEY.replace("us-west-2", "ap-south-2").replace(*ACCOUNTS))
    text = json.dumps(elsewhere)
    assert "111122223333" not in text
    assert "us-west-2" not in text
    assert answer(elsewhere)["decision"] == case["expect"]["decision"]


def test_names_and_patterns_of_names_get_the_same_beginning():
    session = "arn:aws:sts::111122223333:assumed-role/app/s1"
    assert translated(["arn:aws:iam::111122223333:role/app", "arn:aws:iam::*:role/a*", session], **PLACE) == [
        "arn:aws:iam::999988887777:role/src-1-2-app",
        "arn:aws:iam::*:role/src-1-2-a*",
        "arn:aws:sts::999988887777:assumed-role/src-1-2-app/s1",
    ]
    assert with_key(translated([KEY], **PLACE), NEW_KEY) == [NEW_KEY]


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::111122223333:user/alice", ("user", "alice", "")),
        ("arn:aws:iam::111122223333:role/app", ("role", "app", "")),
        ("arn:aws:sts::111122223333:assumed-role/app/s1", ("role", "app", "s1")),
        ("arn:aws:iam::111122223333:role/team/app", None),
        ("arn:aws:sts::111122223333:assumed-role/app", None),
        ("arn:aws:iam::444455556666:user/alice", None),
        ("arn:aws:iam::111122223333:root", None),
        ("arn:aws:sts::111122223333:federated-user/alice", None),
        ("*", None),
    ],
)
def test_only_users_roles_and_sessions_of_the_account_can_be_made(arn, name):
    found = own_principal(arn)
    assert (found and (found.kind, found.name, found.session)) == name


def test_no_key_is_made_that_could_not_be_deleted():
    for action in ("kms:*", "kms:Schedule*", "kms:PUTKEYPOLICY"):
        deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}
        case = changed("grant-role", key_policy={"Version": "2012-10-17", "Statement": [deny]})
        assert obstacle(case) == "its key could not be deleted afterwards"
    spared = {**deny, "NotAction": [*MANAGE, "kms:Decrypt"]}
    del spared["Action"]
    assert obstacle(changed("grant-role", key_policy={"Version": "2012-10-17", "Statement": [spared]})) == ""
    spared["NotAction"] = "kms:Decrypt"
    assert obstacle(changed("grant-role", key_policy={"Version": "2012-10-17", "Statement": [spared]}))


def test_nothing_that_is_asked_changes_anything():
    """Every call of a case is a dry run, or only reads."""
    for action, call in CALLS.items():
        reads = action.removeprefix("kms:").startswith(("Describe", "Get", "List")) or action == "kms:GenerateRandom"
        assert reads or (call.fixed or {}).get("DryRun") is True, action
    for case in ABLE:
        sent = parameters(with_key(translated(case, **PLACE), NEW_KEY), NEW_KEY, ["granted"])
        assert sent.get("DryRun", True) is True
        assert sent.get("KeyId", NEW_KEY) == NEW_KEY


def test_actions_that_the_added_statement_allows_are_not_asked():
    assert not set(MANAGE) & set(CALLS)


def test_a_grant_that_a_case_tells_by_condition_keys_alone_is_put_together():
    grant = asked_grant(CASES["grant-constraint-type"])
    assert grant["GranteePrincipal"] == "arn:aws:iam::111122223333:role/LimitedAdminRole"
    assert grant["Operations"] == ["Encrypt", "ReEncryptTo"]
    assert list(grant["Constraints"]) == ["EncryptionContextEquals"]


def test_probes_of_cases_have_names_of_their_own():
    assert len({case_probe(case).name for case in ABLE}) == len(ABLE)


def test_names_of_principals_have_the_64_characters_of_iam_at_most():
    longest = max(len(each.name) for case in ABLE for each in names_of(case))
    assert len("src-00000000-999-") + longest <= 64


@pytest.mark.slow
def test_what_can_be_asked_is_a_third_of_the_table_and_notices_as_many_planted_bugs_as_the_page_says():
    assert len(ABLE) >= 120
    noticed = [name for name, plant in BUGS.items() if _notices(plant)]
    page = (ROOT / "docs/aws-conformance.md").read_text()
    assert f"{len(noticed)} of the {len(BUGS)} bugs" in page


def _notices(plant):
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        return any(_differs(case) for case in ABLE)


def _differs(case):
    try:
        return answer(case)["decision"] != case["expect"]["decision"]
    except (ValueError, KeyError):  # a bug that breaks the reading of a policy is noticed, too
        return True
