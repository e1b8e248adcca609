# SPDX-License-Identifier: Apache-2.0
"""The life of a tenant's key on the twin: created shut, opened for releases, closed again, by commands alone."""

import hashlib
import json
from datetime import timedelta

import pytest
from tests.key_world import ROLE, key_world

from strongroom.twin.firmware import Firmware

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path, monkeypatch):
    with key_world(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def opened(world):
    """A key that opens for v1, and something sealed under it."""
    world.launch("v1")
    world.key("create", "--tenant", "globex")
    world.key("allow", "--tenant", "globex", "--measurements", "v1.json")
    return world, world.seal()


def test_from_the_first_key_to_the_last_revocation(world):
    world.launch("v1")
    world.launch("v2")
    created = world.key("create", "--tenant", "globex")
    assert (created["found"], created["versions"], created["key"]) == ("created", [], world.arn())
    # Nothing opens, and nothing can be sealed.
    assert {each["Sid"] for each in world.policy()["Statement"]} == {"Admin", "DenyOpening", "DenySideDoors"}
    # The first release.
    allowed = world.key("allow", "--tenant", "globex", "--measurements", "v1.json")
    assert [each["pcrs"]["PCR4"] for each in allowed["added"]] == [world.instances["v1"].pcrs[4].hex()]
    blob = world.seal()
    assert world.opens("v1", blob)
    assert not world.opens("v2", blob)
    # The next one beside it, then in its place.
    assert len(world.key("allow", "--tenant", "globex", "--measurements", "v2.json")["versions"]) == 2
    assert (world.opens("v1", blob), world.opens("v2", blob)) == (True, True)
    revoked = world.key("revoke", "--tenant", "globex", "--measurements", "v1.json")
    assert (len(revoked["removed"]), len(revoked["versions"])) == (1, 1)
    assert (world.opens("v1", blob), world.opens("v2", blob)) == (False, True)
    # The last one goes only if somebody says so.
    assert world.wrong(2, "revoke", "--tenant", "globex", "--pcr4", revoked["versions"][0]["version"])["code"] == (
        "key.unconfirmed"
    )
    assert world.opens("v2", blob)
    world.key("revoke", "--tenant", "globex", "--pcr4", revoked["versions"][0]["version"], "--yes")
    assert not world.opens("v2", blob)
    # And the key can be opened again.
    world.key("allow", "--tenant", "globex", "--measurements", "v2.json")
    assert world.opens("v2", blob)


def test_people_read_the_train_and_what_changed(world):
    world.launch("v1")
    world.call("create", "--tenant", "globex")
    done = world.call("allow", "--tenant", "globex", "--measurements", "v1.json", "--expires", "90d")
    version = world.instances["v1"].pcrs[4].hex()[:12]
    assert done.returncode == 0
    assert done.stderr.startswith("Target twin: account 111111111111, region eu-central-1 at http://127.0.0.1:")
    assert f"Changed, and read back from, {world.arn()}" in done.stdout
    assert f"  + PCR4 {version}…  ring general  epoch 1  until " in done.stdout
    assert "It opens for 1 version:" in done.stdout
    assert "of 32,768 bytes; " in done.stdout
    assert "state attested-only" in done.stdout
    assert "WARNING key.no-change-role" in done.stdout
    again = world.call("allow", "--tenant", "globex", "--measurements", "v1.json")
    assert f"  ~ PCR4 {version}…  ring general  epoch 1  no expiry" in again.stdout
    once_more = world.call("allow", "--tenant", "globex", "--measurements", "v1.json")
    assert "Nothing to change on" in once_more.stdout


def test_kms_itself_ends_a_release_whose_time_is_over(opened):
    world, blob = opened
    world.launch("v2")
    world.key("allow", "--tenant", "globex", "--measurements", "v2.json", "--expires", "60s")
    assert (world.opens("v1", blob), world.opens("v2", blob)) == (True, True)
    world.clock.offset = timedelta(seconds=90)
    assert (world.opens("v1", blob), world.opens("v2", blob)) == (True, False)
    # Renewing it is the same command.
    world.key("allow", "--tenant", "globex", "--measurements", "v2.json", "--expires", "1d")
    assert world.opens("v2", blob)


def test_a_raised_epoch_cuts_off_what_was_sealed_before(opened):
    world, old = opened
    world.key("allow", "--tenant", "globex", "--measurements", "v1.json", "--epoch", "2")
    new = world.seal(epoch=2)
    assert (world.opens("v1", old), world.opens("v1", new, epoch=2)) == (True, True)
    world.key("revoke", "--tenant", "globex", "--epoch", "1")
    assert (world.opens("v1", old), world.opens("v1", new, epoch=2)) == (False, True)


@pytest.mark.attack("B1")
def test_a_release_admits_its_boot_state_and_no_other(opened):
    world, blob = opened
    rooted = world.launch("v1", firmware=Firmware(load_options="init=/bin/sh"))
    assert not world.opens(rooted, blob)


def test_a_dry_run_says_the_same_and_changes_nothing(opened):
    world, _ = opened
    world.launch("v2")
    before, puts = world.policy(), world.asked("PutKeyPolicy")
    said = world.key("allow", "--tenant", "globex", "--measurements", "v2.json", "--dry-run")
    assert (said["changed"], len(said["added"]), len(said["versions"])) == (False, 1, 2)
    world.key("revoke", "--tenant", "globex", "--pcr4", world.instances["v1"].pcrs[4].hex(), "--dry-run")
    assert (world.policy(), world.asked("PutKeyPolicy")) == (before, puts)
    assert world.key("create", "--tenant", "initech", "--dry-run")["key"] is None
    assert world.asked("CreateKey") == 1


def test_a_policy_with_a_wide_open_statement_is_refused_and_the_statement_is_named(opened):
    world, _ = opened
    policy = world.policy()
    policy["Statement"].append(
        {"Sid": "Hurry", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    )
    world.put(policy)
    puts = world.asked("PutKeyPolicy")
    error = world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v1.json", "--expires", "1d")
    assert error["code"] == "keypolicy.edited"
    assert [(each["code"], each["part"]) for each in error["findings"]] == [("keypolicy.statement-added", "Hurry")]
    assert world.wrong(5, "revoke", "--tenant", "globex", "--epoch", "1")["code"] == "keypolicy.edited"
    assert world.asked("PutKeyPolicy") == puts
    # In an emergency a key is shut whatever its policy is.
    world.key("revoke", "--tenant", "globex", "--shut", "--yes")
    assert {each["Sid"] for each in world.policy()["Statement"]} == {"Admin", "DenyOpening", "DenySideDoors"}


def test_an_account_that_somebody_added_is_not_kept_quietly(opened):
    world, blob = opened
    policy = world.policy()
    opening = next(each for each in policy["Statement"] if each["Sid"].startswith("Open"))
    opening["Principal"]["AWS"] = [opening["Principal"]["AWS"], "arn:aws:iam::333333333333:root"]
    world.put(policy)
    error = world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v1.json", "--expires", "1d")
    assert error["code"] == "key.not-like-project"
    assert "333333333333" in error["findings"][0]["message"]
    # A revocation does not wait for that, and says it.
    world.launch("v2")
    assert world.key("revoke", "--tenant", "globex", "--epoch", "7")["findings"][1]["code"] == "key.project-differs"
    updated = world.key("allow", "--tenant", "globex", "--update")
    assert "key.updated" in [each["code"] for each in updated["findings"]]
    assert "333333333333" not in json.dumps(world.policy())
    assert world.opens("v1", blob)


def test_a_policy_that_would_be_too_large_is_refused_before_kms_sees_it(opened):
    world, _ = opened
    puts = world.asked("PutKeyPolicy")
    files = []
    for number in range(150):
        body = json.loads((world.folder / "v1.json").read_text())
        body["Measurements"]["PCR4"] = hashlib.sha384(bytes([number])).hexdigest()
        (world.folder / f"many-{number}.json").write_text(json.dumps(body))
        files += ["--measurements", f"many-{number}.json"]
    error = world.wrong(2, "allow", "--tenant", "globex", *files)
    assert error["code"] == "keypolicy.budget"
    assert "versions fit" in error["message"]
    assert world.asked("PutKeyPolicy") == puts


def test_a_caller_who_would_lock_himself_out_is_told_before_anything_is_sent(opened):
    world, blob = opened
    world.write_project(f'change-role = "{ROLE}release"', lambda text: text + keys_of(world))
    puts = world.asked("PutKeyPolicy")
    error = world.wrong(6, "allow", "--tenant", "globex", "--update")
    assert (error["code"], error["statement"]) == ("key.lock-out", "DenyOtherChangers")
    assert world.asked("PutKeyPolicy") == puts
    # As the change role it works, and from then on nobody else replaces the policy.
    world.act_as(world.session_of("release"))
    said = world.key("allow", "--tenant", "globex", "--update")
    assert not [each for each in said["findings"] if each["code"] == "key.no-change-role"]
    world.act_as(world.engineer)
    assert world.wrong(6, "revoke", "--tenant", "globex", "--epoch", "1", "--yes")["code"] == "key.lock-out"
    assert world.opens("v1", blob)


def keys_of(world):
    return f'\n[targets.twin.keys.globex]\neu-central-1 = "{world.arn()}"\n'


def test_credentials_of_another_account_are_refused(opened):
    world, _ = opened
    world.act_as(world.session_of("app", "222222222222"))
    for words in (
        ("allow", "--measurements", "v1.json", "--expires", "1d"),
        ("revoke", "--epoch", "1"),
        ("revoke", "--shut"),
    ):
        error = world.wrong(6, *words, "--tenant", "globex")
        assert error["code"] == "key.other-account"
        assert "--profile" in error["remedy"]


def test_each_key_of_a_ring_is_reported_by_itself(opened):
    world, _ = opened
    world.key("create", "--tenant", "initech")
    world.put({**world.policy("initech"), "Id": "somebody was here"}, "initech")
    world.launch("v2")
    done = world.call("allow", "--tenant", "initech", "--tenant", "globex", "--measurements", "v2.json", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (5, False)
    assert [(each["tenant"], each["ok"]) for each in said["keys"]] == [("initech", False), ("globex", True)]
    shown = world.call("allow", "--ring", "canary", "--measurements", "v2.json")
    assert shown.returncode == 5
    assert "initech eu-central-1: expected a policy exactly as it is generated" in shown.stderr


def test_the_escrow_key_is_made_once_and_gives_its_name_to_the_state(world):
    world.key("create", "--escrow")
    text = world.file.read_text()
    assert 'escrow-key = "arn:aws:kms:eu-central-1:111111111111:key/' in text
    assert "# where we rehearse" in text
    assert world.key("create", "--escrow")["found"] == "found"
    assert world.asked("CreateKey") == 1
    assert world.key("create", "--tenant", "globex", "--state", "break-glass")["state"] == "break-glass"
    assert world.wrong(2, "create", "--tenant", "globex", "--state", "attested-only")["code"] == "key.state-unfit"


@pytest.mark.attack("K26")
def test_a_sealer_role_that_is_gone_is_replaced_by_the_one_of_the_project(opened):
    world, blob = opened
    policy = world.policy()
    seal = next(each for each in policy["Statement"] if each["Sid"] == "Seal")
    seal["Principal"] = {"AWS": "AROAAAAAAAAAAAAAAAAAA"}  # what KMS shows of a role that was deleted
    world.put(policy)
    assert world.wrong(5, "allow", "--tenant", "globex", "--measurements", "v1.json")["code"] == "keypolicy.edited"
    world.key("allow", "--tenant", "globex", "--update")
    assert world.opens("v1", blob)
    assert world.opens("v1", world.seal())


def test_a_region_that_fails_does_not_keep_the_others_waiting(world):
    world.write_project(edit=lambda text: text.replace('["eu-central-1"]', '["eu-central-1", "eu-west-1"]'))
    world.launch("v1")
    created = world.ok("create", "--tenant", "globex")["keys"]
    assert [each["region"] for each in created] == ["eu-central-1", "eu-west-1"]
    assert [world.arn(region=each["region"]) for each in created] == [each["key"] for each in created]
    world.kms().disable_key(KeyId=world.arn())
    done = world.call("allow", "--tenant", "globex", "--measurements", "v1.json", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, [each["ok"] for each in said["keys"]]) == (5, [False, True])
    world.kms().enable_key(KeyId=world.arn())
    again = world.ok("allow", "--tenant", "globex", "--measurements", "v1.json")["keys"]
    assert [each["changed"] for each in again] == [True, False]
    assert not world.key("allow", "--tenant", "globex", "--measurements", "v1.json", "--region", "eu-west-1")["changed"]
