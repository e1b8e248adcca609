# SPDX-License-Identifier: Apache-2.0
"""Keys between hostile hands, killed processes and lost answers: nothing opens that should not, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.key_world import ROLE, key_world
from tests.twin_world import CUSTOMER, VENDOR

from strongroom.aws.sdk.kms import SdkKeyAdmin
from strongroom.cli import key_session
from strongroom.errors import ServiceFault
from strongroom.keypolicy.generate import bootstrap_key_policy
from strongroom.keypolicy.model import encode_key_policy
from strongroom.keypolicy.spec import VendorSpec
from strongroom.twin.pki import create_root

pytestmark = pytest.mark.slow

SHUT = {"Admin", "DenyOpening", "DenySideDoors"}
WIDE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Mine",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}


@pytest.fixture
def world(tmp_path, monkeypatch):
    with key_world(tmp_path, monkeypatch) as running:
        running.launch("v1")
        running.launch("v2")
        yield running


def sids(world):
    return {each.get("Sid") for each in world.policy()["Statement"]}


def plant_grant(world, arn):
    """Do what an administrator of the vendor's account can do in the window: replace, grant, and cover up."""
    kms = world.kms()
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(WIDE))
    kms.create_grant(KeyId=arn, GranteePrincipal=f"{ROLE}escrow", Operations=["Decrypt"])
    vendor = VendorSpec(product="acme", account=VENDOR, sealer_role_arn=f"{ROLE}sealer")
    shut = encode_key_policy(bootstrap_key_policy(vendor))
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=shut)


@pytest.mark.attack("K20")
def test_a_grant_that_was_planted_in_the_window_keeps_the_key_shut(world):
    world.key("create", "--tenant", "globex")
    plant_grant(world, world.arn())
    assert world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v1.json")["code"] == "key.grants"
    assert world.wrong(5, "create", "--tenant", "globex", "--measurements", "v1.json")["code"] == "key.grants"
    assert sids(world) == SHUT


@pytest.mark.attack("K20")
def test_a_grant_that_is_planted_while_the_key_is_finished_is_found_and_the_project_does_not_name_the_key(
    world, monkeypatch
):
    put = SdkKeyAdmin.put_key_policy

    def after_a_race(admin, key_arn, policy):
        plant_grant(world, key_arn)
        put(admin, key_arn, policy)

    monkeypatch.setattr(SdkKeyAdmin, "put_key_policy", after_a_race)
    error = world.wrong(5, "create", "--tenant", "globex", "--measurements", "v1.json")
    assert error["code"] == "key.grants"
    assert f"{ROLE}escrow" in error["findings"][0]["message"]
    assert "keys.globex" not in world.file.read_text()


@pytest.mark.attack("K20")
def test_a_policy_that_is_replaced_in_the_window_is_not_finished(world):
    world.key("create", "--tenant", "globex")
    world.put(WIDE)
    for command in ("create", "allow"):
        assert world.wrong(5, command, "--tenant", "globex", "--measurements", "v1.json")["code"] == "keypolicy.edited"
    assert sids(world) == {"Mine"}


@pytest.mark.attack("K20")
def test_a_key_that_was_laid_out_for_somebody_else_is_not_taken_for_the_tenants(world):
    """An administrator makes a key with our tags, and a policy of our form that opens in his own account."""
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    arn, policy = world.arn(), world.policy()
    elsewhere = json.loads(json.dumps(policy).replace(f"{CUSTOMER}:root", f"{VENDOR}:root"))
    world.kms().put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(elsewhere))
    named = world.key("create", "--tenant", "globex")  # which the project names: its owner may have changed his mind
    assert ["accounts: " in each["message"] for each in named["findings"] if each["severity"] == "warning"][-1:] == [
        True
    ]
    world.write_project()
    error = world.wrong(5, "create", "--tenant", "globex")
    assert (error["code"], [each["message"][:9] for each in error["findings"]]) == (
        "key.not-like-project",
        ["accounts:"],
    )
    assert "keys.globex" not in world.file.read_text()


def test_whoever_puts_a_policy_over_ours_is_noticed_a_moment_later(world, monkeypatch):
    world.key("create", "--tenant", "globex")
    monkeypatch.setattr(key_session, "time", SimpleNamespace(sleep=lambda _: world.put(WIDE)))
    error = world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v1.json")
    assert error["code"] == "key.policy"
    assert ("keypolicy.statement-added", "Mine") in [(each["code"], each["part"]) for each in error["findings"]]


def test_two_engineers_who_add_a_release_each_end_with_both(world, monkeypatch):
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    before = world.policy()
    world.key("allow", "--tenant", "globex", "--measurements", "v2.json", "--expires", "1d")
    # Another engineer had read the old policy and puts his own over ours, while we settle.
    monkeypatch.setattr(key_session, "time", SimpleNamespace(sleep=lambda _: world.put(before)))
    assert world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v2.json")["code"] == "key.policy"
    monkeypatch.setattr(key_session, "time", SimpleNamespace(sleep=lambda _: None))
    assert len(world.key("allow", "--tenant", "globex", "--measurements", "v2.json")["versions"]) == 2


def test_a_key_whose_creation_was_not_answered_is_found_by_its_tags(world, monkeypatch):
    create = SdkKeyAdmin.create_key

    def unanswered(admin, **parameters):
        create(admin, **parameters)
        raise ServiceFault("aws.unavailable", "the answer was lost", retryable=True)

    monkeypatch.setattr(SdkKeyAdmin, "create_key", unanswered)
    assert world.wrong(8, "create", "--tenant", "globex")["code"] == "aws.unavailable"
    monkeypatch.setattr(SdkKeyAdmin, "create_key", create)
    again = world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    assert again["found"] == "found unfinished"
    assert (world.asked("CreateKey"), world.arn()) == (1, again["key"])
    assert world.opens("v1", world.seal())


@pytest.mark.slow
def test_a_killed_command_is_finished_by_the_next_one(world):
    words = [sys.executable, "-m", "strongroom", "key", "create", "--tenant", "globex", "--measurements", "v1.json"]
    running = subprocess.Popen(words, cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not world.asked("CreateKey"):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert world.key("create", "--tenant", "globex", "--measurements", "v1.json")["key"] == world.arn()
    assert world.asked("CreateKey") == 1
    assert world.opens("v1", world.seal())


def test_two_keys_of_one_tenant_are_said_and_a_third_is_not_made(world):
    world.key("create", "--tenant", "globex")
    tags = [{"TagKey": "strongroom:product", "TagValue": "acme"}, {"TagKey": "strongroom:tenant", "TagValue": "globex"}]
    other = world.kms().create_key(Tags=tags)["KeyMetadata"]["Arn"]
    first = world.arn()
    world.write_project()
    error = world.wrong(2, "create", "--tenant", "globex")
    assert error["code"] == "key.several"
    assert first in error["message"]
    assert other in error["message"]
    world.kms().schedule_key_deletion(KeyId=other)
    assert world.key("create", "--tenant", "globex")["key"] == first


def test_a_key_of_another_tenant_is_not_taken_for_this_one(world):
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    arn = world.arn()
    world.write_project(edit=lambda text: f'{text}\n[targets.twin.keys.initech]\neu-central-1 = "{arn}"\n')
    assert world.wrong(5, "create", "--tenant", "initech")["code"] == "key.other-tenant"
    assert world.wrong(5, "allow", "--tenant", "initech", "--measurements", "v2.json")["code"] == "key.not-like-project"
    updated = world.wrong(2, "allow", "--tenant", "initech", "--measurements", "v2.json", "--update")
    assert updated["code"] == "key.other-train"


@pytest.mark.parametrize("what", ["disable_key", "schedule_key_deletion"])
def test_a_key_that_is_out_of_use_is_not_changed(world, what):
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    getattr(world.kms(), what)(KeyId=world.arn())
    assert world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v2.json")["code"] == "key.state"


def test_an_alias_of_another_key_is_left_there_and_said(world):
    other = world.kms().create_key()["KeyMetadata"]
    world.kms().create_alias(AliasName="alias/strongroom/acme/tenant/globex", TargetKeyId=other["KeyId"])
    found = world.key("create", "--tenant", "globex")
    (taken,) = [each for each in found["findings"] if each["code"] == "key.alias-taken"]
    assert other["Arn"] in taken["message"]


def canary_states(world):
    kms = world.kms()
    keys = [kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] for each in kms.list_keys()["Keys"]]
    return [each["KeyState"] for each in keys if each["Description"].startswith("canary")]


def decrypts(world):
    return [each.error_code for each in world.twin.kms.decisions if each.operation == "Decrypt"]


def test_a_canary_is_asked_without_a_document_and_with_one_before_the_policy_is_put(world):
    world.key("create", "--tenant", "globex")
    proven = world.key(
        "allow", "--tenant", "globex", "--measurements", "v1.json", "--canary-document", world.document("v1")
    )
    assert decrypts(world) == ["AccessDeniedException", "DryRunOperationException"]
    assert canary_states(world) == ["PendingDeletion"]
    operations = [each.operation for each in world.twin.kms.decisions]
    last_put = len(operations) - 1 - operations[::-1].index("PutKeyPolicy")
    assert last_put > operations.index("Decrypt")
    assert not [each for each in proven["findings"] if each["code"] == "key.no-canary"]
    assert world.opens("v1", world.seal())


def test_what_is_proven_is_not_proven_again(world):
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    world.key("allow", "--tenant", "globex", "--measurements", "v1.json", "--canary-document", world.document("v1"))
    assert decrypts(world) == []


def test_the_document_of_another_release_proves_nothing_and_what_moved_is_said(world):
    world.key("create", "--tenant", "globex")
    before = world.policy()
    words = ("allow", "--tenant", "globex", "--measurements", "v1.json", "--canary-document", world.document("v2"))
    error = world.wrong(2, *words)
    assert error["code"] == "canary.no-document"
    assert f"PCR4 is {world.instances['v2'].pcrs[4].hex()}" in error["notes"][0]
    assert (world.policy(), canary_states(world)) == (before, [])


def test_a_document_under_another_root_is_refused_without_advice_to_trust_it(world):
    world.launch("v1")
    world.key("create", "--tenant", "globex")
    document = world.document("v1")
    other = create_root(world.clock.now()).certificate.public_bytes(Encoding.PEM)
    (world.folder / "nitro-root.pem").write_bytes(other)
    error = world.wrong(4, "allow", "--tenant", "globex", "--measurements", "v1.json", "--canary-document", document)
    assert error["code"] == "chain.unknown-root"
    assert "nitro-root.pem" in error["remedy"]
    assert "--root" not in error["remedy"]  # there is no such option here


def test_a_canary_that_kms_refuses_keeps_the_key_as_it_was_and_leaves_no_canary_behind(world):
    world.key("create", "--tenant", "globex")
    world.instances["v1"].document_age = timedelta(minutes=6)
    words = ("allow", "--tenant", "globex", "--measurements", "v1.json", "--canary-document", world.document("v1"))
    error = world.wrong(6, *words)
    assert error["code"] == "kms.document-expired"
    assert "It was the canary of" in error["notes"][0]
    assert (sids(world), canary_states(world)) == (SHUT, ["PendingDeletion"])


@pytest.fixture
def real(world):
    """A target that is real to the commands; only its endpoint is the twin's."""
    world.key("create", "--tenant", "globex")
    more = f'\n[targets.aws]\nprofile = "production"\nvendor-account = "{VENDOR}"\nsealer-role = "{ROLE}sealer"\n'
    keys = f'\n[targets.aws.keys.globex]\neu-central-1 = "{world.arn()}"\n'
    world.file.write_text(world.file.read_text() + more + keys)
    return ("--target", "aws", "--endpoint-url", world.twin.endpoint_url, "--tenant", "globex")


def test_a_real_key_opens_for_a_new_release_only_after_a_canary_or_a_word(world, real):
    error = world.wrong(2, "allow", *real, "--measurements", "v1.json")
    assert error["code"] == "key.no-canary-document"
    assert sids(world) == SHUT
    said = world.key("allow", *real, "--measurements", "v1.json", "--no-canary")
    assert "key.no-canary" in [each["code"] for each in said["findings"]]
    # What is admitted already is no new gate.
    world.key("allow", *real, "--measurements", "v1.json", "--expires", "1d")


def test_a_document_of_the_twin_proves_nothing_about_a_real_key(world, real):
    words = ("allow", *real, "--measurements", "v1.json", "--canary-document", world.document("v1"))
    assert world.wrong(4, *words)["code"].startswith("chain.")
    assert sids(world) == SHUT


def test_a_real_key_is_created_shut(world, real):
    assert world.wrong(2, "create", *real, "--measurements", "v1.json")["code"] == "key.created-shut"
    world.key("create", *real)
    assert sids(world) == SHUT


def test_a_rehearsal_that_leads_to_aws_is_no_rehearsal(world):
    world.key("create", "--tenant", "globex")
    endpoint = f'endpoint = "{world.twin.endpoint_url}"\n'
    world.file.write_text(world.file.read_text().replace(endpoint, ""))
    words = ("--tenant", "globex", "--measurements", "v1.json")
    assert world.wrong(2, "create", *words)["code"] == "key.created-shut"
    world.environment.setenv("AWS_ENDPOINT_URL", world.twin.endpoint_url)
    world.key("allow", *words)
    assert "DenyUnlessPcr4" in sids(world)


def test_an_escrow_key_with_another_policy_is_told_from_the_one_that_was_ordered(world):
    world.key("create", "--escrow")
    arn = world.ok("create", "--escrow")["keys"][0]["key"]
    policy = json.loads(world.kms().get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != "DenyOthers"]
    world.kms().put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(policy))
    error = world.wrong(5, "create", "--escrow")
    assert (error["code"], error["findings"][0]["part"]) == ("key.not-as-ordered", "DenyOthers")


def test_a_disabled_key_can_be_shut(world):
    world.key("create", "--tenant", "globex", "--measurements", "v1.json")
    world.kms().disable_key(KeyId=world.arn())
    world.key("revoke", "--tenant", "globex", "--shut", "--yes")
    assert sids(world) == SHUT


def test_a_key_is_recorded_before_it_is_named(world, monkeypatch):
    def denied(inventory, key_arn, alias):
        raise ServiceFault("aws.unavailable", "no alias today", retryable=True)

    monkeypatch.setattr("strongroom.aws.sdk.key_inventory.SdkKeyInventory.name_key", denied)
    assert world.wrong(8, "create", "--tenant", "globex")["code"] == "aws.unavailable"
    assert world.kms().describe_key(KeyId=world.arn())["KeyMetadata"]["Enabled"]
