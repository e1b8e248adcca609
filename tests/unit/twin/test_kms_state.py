# SPDX-License-Identifier: Apache-2.0
"""What KMS holds outlives the twin: an orderly end, a full disk, and being killed at any moment."""

import copy
import json
import os
import random
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path

import pytest
from tests.kms_calls import CUSTOMER, VENDOR, Cloud
from tests.processes import ended
from tests.twin_world import client

from strongroom.errors import FormatError, LocalFault
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.kept_ids import KeptIds
from strongroom.twin.kms.ciphertext import decrypt_blob, parse_blob
from strongroom.twin.kms.keeper import StateKeeper
from strongroom.twin.kms.store import KeyStore
from strongroom.twin.server import Twin
from strongroom.twin.state_file import Row, StateFile

ROOT = Path(__file__).parents[3]
KILLS = 12


@pytest.fixture
def path(tmp_path):
    return tmp_path / "twin.db"


def restarted(path, use):
    """Run a cloud with the state for as long as `use` takes."""
    with StateFile(path) as file:
        cloud = Cloud(StateKeeper(file))
        cloud.directory.keep_ids(KeptIds(file))
        return use(cloud, cloud.user(VENDOR, "release", FULL_ACCESS))


def everything(caller):
    """Say all that can be asked about keys, aliases and grants."""
    keys = {}
    for each in caller("ListKeys")["Keys"]:
        arn = each["KeyArn"]
        asked = [caller(name, KeyId=arn) for name in ("DescribeKey", "GetKeyPolicy", "ListResourceTags", "ListGrants")]
        if asked[0]["KeyMetadata"]["KeySpec"] == "SYMMETRIC_DEFAULT":
            asked.append(caller("GetKeyRotationStatus", KeyId=arn))
            asked.append(caller("ListKeyRotations", KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL"))
        keys[arn] = asked
    return keys, caller("ListAliases")["Aliases"]


def filled(cloud, caller):
    """Make one of everything; return what may be asked about it, and what must still open."""
    policy = json.loads(caller("GetKeyPolicy", KeyId=caller.new_key())["Policy"])
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": caller.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    )
    key = caller.new_key(Policy=json.dumps(policy), Tags=[{"TagKey": "a", "TagValue": "ä"}], Description="ö")
    blobs = [caller("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]]
    caller("RotateKeyOnDemand", KeyId=key)
    blobs.append(caller("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"])
    caller("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    caller("CreateAlias", AliasName="alias/kept", TargetKeyId=key)
    constraints = {
        "EncryptionContextEquals": {"a": "b"},
        "SourceArn": f"arn:aws:ec2:eu-central-1:{VENDOR}:instance/i-1",
    }
    root = f"arn:aws:iam::{CUSTOMER}:root"
    grant = {"GranteePrincipal": caller.arn, "RetiringPrincipal": root, "Operations": ["Decrypt"], "Name": "n"}
    token = caller("CreateGrant", KeyId=key, **grant, Constraints=constraints)["GrantToken"]
    caller("CreateGrant", KeyId=key, GranteeServicePrincipal="ec2.amazonaws.com", Operations=["Encrypt"])
    for spec, usage in (
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ):
        caller.new_key(KeySpec=spec, KeyUsage=usage)
    caller("DisableKey", KeyId=caller.new_key())
    caller("ScheduleKeyDeletion", KeyId=caller.new_key(), PendingWindowInDays=9)
    return everything(caller), (key, blobs, token)


def test_everything_is_there_after_a_restart_and_still_works(path):
    before, (key, blobs, token) = restarted(path, filled)

    def again(_, caller):
        assert everything(caller) == before
        for blob in blobs:
            assert caller("Decrypt", CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"
        caller("Encrypt", KeyId="alias/kept", Plaintext=b"x", GrantTokens=[token])
        caller("DeleteAlias", AliasName="alias/kept")
        for grant in caller("ListGrants", KeyId=key)["Grants"]:
            caller("RevokeGrant", KeyId=key, GrantId=grant["GrantId"])

    def at_last(_, caller):
        assert caller("ListAliases")["Aliases"] == []
        assert caller("ListGrants", KeyId=key)["Grants"] == []

    restarted(path, again)
    restarted(path, at_last)


def test_a_user_is_the_same_after_a_restart_and_another_one_when_he_is_made_anew(path):
    def made(cloud, caller):
        user = cloud.user(VENDOR, "named")
        statement = {"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "kms:Encrypt", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return caller.new_key(Policy=json.dumps(policy), BypassPolicyLockoutSafetyCheck=True)

    key = restarted(path, made)
    call = {"KeyId": key, "Plaintext": b"x"}

    def again(cloud, _):
        assert cloud.user(VENDOR, "named")("Encrypt", **call)["KeyId"] == key
        cloud.user(VENDOR, "named").refused("AccessDeniedException", "Encrypt", **call)

    restarted(path, again)
    restarted(path, lambda cloud, _: cloud.user(VENDOR, "named").refused("AccessDeniedException", "Encrypt", **call))


def test_time_passes_while_the_twin_is_off(path):
    def planned(_, caller):
        key = caller.new_key()
        caller("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
        return key

    key = restarted(path, planned)

    def later(cloud, caller):
        cloud.pass_time(days=8)
        caller.refused("NotFoundException", "DescribeKey", KeyId=key)

    restarted(path, later)
    restarted(path, lambda _, caller: caller.refused("NotFoundException", "DescribeKey", KeyId=key))


def test_a_change_that_cannot_be_kept_has_not_happened(cloud, vendor, monkeypatch):
    class Full:
        def keep(self, changes):
            raise LocalFault("twin.state-unwritable", "the disk is full")

    key = vendor.new_key(Description="first")
    monkeypatch.setattr(cloud.kms._store, "_keeper", Full())
    message = vendor.refused("KMSInternalException", "UpdateKeyDescription", KeyId=key, Description="second")
    assert "the disk is full" in message
    vendor.refused("KMSInternalException", "CreateAlias", AliasName="alias/a", TargetKeyId=key)
    monkeypatch.undo()
    assert vendor("DescribeKey", KeyId=key)["KeyMetadata"]["Description"] == "first"
    assert vendor("ListAliases")["Aliases"] == []


def test_a_twin_goes_on_where_the_last_one_ended(path):
    with Twin(state=path) as twin:
        account = twin.create_account(VENDOR, name="vendor")
        kms = client(twin, "kms", twin.create_user(account, "release", policies=[FULL_ACCESS]))
        key = kms.create_key()["KeyMetadata"]["Arn"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        with pytest.raises(LocalFault) as caught:
            Twin(state=path)
        assert caught.value.code == "twin.state-in-use"
    with Twin(state=path) as twin:
        account = twin.create_account(VENDOR, name="vendor")
        kms = client(twin, "kms", twin.create_user(account, "release", policies=[FULL_ACCESS]))
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_twin_that_finds_its_state_damaged_lets_the_file_go(path):
    restarted(path, lambda _, caller: one_of_each(caller))
    with StateFile(path) as file:
        file.write([Row("kms-key", "no key", "{}")])
    for _ in range(2):
        with pytest.raises(FormatError) as caught:
            Twin(state=path)
        assert caught.value.code == "twin.state"


def test_principals_of_a_directory_that_was_made_before_get_their_ids_back(path):
    from strongroom.twin.accounts_file import read_accounts

    accounts = f"""
[[account]]
id = "{VENDOR}"

[[account.user]]
name = "release"
access_key_id = "AKIAEXAMPLERELEASE00"
secret_access_key = "example"
"""

    def identity():
        with Twin(state=path, directory=read_accounts(accounts.encode())) as twin:
            found = twin.directory.credentials("AKIAEXAMPLERELEASE00")
            assert list(twin.directory.unique_ids().values()) == [found.principal.unique_id]
            return found.principal.unique_id

    assert identity() == identity()


# --- damage -----------------------------------------------------------------------------------------------------------


def changed_bodies(path):
    """Yield the file's rows with one thing wrong in each, under a good checksum."""
    with StateFile(path) as file:
        rows = {kind: next(iter(file.rows(kind))) for kind in ("kms-key", "kms-alias", "kms-grant")}
    for row in rows.values():
        members = json.loads(row.body)
        for name in members:
            yield Row(row.kind, row.name, json.dumps({key: each for key, each in members.items() if key != name}))
            yield Row(row.kind, row.name, json.dumps({**members, name: 7}))
        yield Row(row.kind, row.name, json.dumps({**members, "more": 1}))
        yield Row(row.kind, row.name, "no JSON")
        yield Row(row.kind, f"{row.name}x", row.body)
    key = json.loads(rows["kms-key"].body)
    for wrong in (
        {"created": "2026-01-01T00:00:00"},
        {"created": "yesterday"},
        {"usage": "KEY_AGREEMENT"},
        {"policy": "{}"},
    ):
        yield Row("kms-key", rows["kms-key"].name, json.dumps({**key, **wrong}))
    yield Row("kms-key", rows["kms-key"].name, None)


def test_whatever_is_wrong_in_a_row_is_named_and_nothing_is_changed(path):
    restarted(path, lambda cloud, caller: one_of_each(caller))
    whole = path.read_bytes()
    for row in list(changed_bodies(path)):
        path.write_bytes(whole)
        with StateFile(path) as file:
            file.write([row])
        before = path.read_bytes()
        with StateFile(path) as file, pytest.raises(FormatError) as caught:
            StateKeeper(file).load()
        assert caught.value.code == "twin.state", row
        assert str(path) in str(caught.value)
        assert path.read_bytes() == before


def one_of_each(caller):
    key = caller.new_key()
    caller("CreateAlias", AliasName="alias/a", TargetKeyId=key)
    caller("CreateGrant", KeyId=key, GranteePrincipal=VENDOR, Operations=["Decrypt"])


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def snapshot(store):
    """Say what a store holds, as plain values."""
    keys = store._keys.values()
    return {
        "keys": {
            key.arn: {
                "description": key.description,
                "tags": dict(key.tags),
                "state": key.state.value,
                "period": key.rotation.period_days if key.rotation else None,
            }
            for key in keys
        },
        "aliases": {alias.name: alias.target for alias in store._aliases.values()},
        "grants": sorted(kept.grant.name for each in store._grants.values() for kept in each.values()),
    }


def changed_key(said, **changes):
    return lambda after: after["keys"][said["KeyId"]].update(changes)


def applied(before, call, arn):
    """Return a snapshot after one call; `arn` is that of a key it made."""
    after, said = copy.deepcopy(before), call["parameters"]
    new = {"description": said.get("Description"), "tags": {}, "state": "Enabled", "period": None}
    tags = {each["TagKey"]: each["TagValue"] for each in said.get("Tags", ())}
    effects = {
        "CreateAlias": lambda after: after["aliases"].update({said["AliasName"]: said["TargetKeyId"]}),
        "CreateGrant": lambda after: after["grants"].append(said["Name"]),
        "CreateKey": lambda after: after["keys"].update({arn: new}),
        "DeleteAlias": lambda after: after["aliases"].pop(said["AliasName"]),
        "DisableKey": changed_key(said, state="Disabled"),
        "EnableKey": changed_key(said, state="Enabled"),
        "EnableKeyRotation": changed_key(said, period=said.get("RotationPeriodInDays")),
        "Encrypt": lambda _: None,
        "TagResource": lambda after: after["keys"][said["KeyId"]]["tags"].update(tags),
        "UpdateKeyDescription": changed_key(said, description=said.get("Description")),
    }
    effects[call["call"]](after)
    after["grants"].sort()
    return after


def killed(path, seed, seconds):
    """Run a victim, kill it after a while, and return the lines it printed."""
    command = [sys.executable, "-m", "tests.kms_victim", str(path), str(seed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    with ended(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)) as victim:
        first = victim.stdout.readline()
        time.sleep(seconds)
        victim.kill()
        rest = victim.stdout.read()
    victim.stdout.close()
    lines = (first + rest).split(b"\n")[:-1]  # a line that was cut was not said
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_a_twin_that_is_killed_at_any_moment_has_kept_what_it_answered(path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    state, answered, blobs = {"keys": {}, "aliases": {}, "grants": []}, 0, []
    for _ in range(KILLS):
        lines = killed(path, chance.randrange(1 << 32), chance.uniform(0, 0.6))
        for call, reply in zip(lines[::2], lines[1::2], strict=False):
            state = applied(state, call, reply["reply"].get("Arn"))
            answered += 1
            if call["call"] == "Encrypt":
                blobs.append((call["parameters"]["Plaintext"], reply["reply"]["CiphertextBlob"]))
        with StateFile(path) as file:
            store = KeyStore(StateKeeper(file))
        found = snapshot(store)
        if len(lines) % 2:  # one call was under way: it has happened as a whole, or not at all
            new = set(found["keys"]) - set(state["keys"])
            after = applied(state, lines[-1], next(iter(new), "none"))
            assert found in (state, after), f"seed {seed}"
        else:
            assert found == state, f"seed {seed}"
        state = found
        for plaintext, blob in blobs:
            sealed = parse_blob(b64decode(blob))
            key = next(key for key in store._keys.values() if key.key_id == sealed.key_id)
            assert decrypt_blob(key, sealed, {}) == b64decode(plaintext), f"seed {seed}"
    print(f"{answered} answered calls, {len(blobs)} ciphertexts, {KILLS} kills")
    assert answered > KILLS
