# SPDX-License-Identifier: Apache-2.0
"""The agent's program on an instance of the twin: it goes through a TPM device, metadata, TLS and KMS, and delivers."""

import json
import os
import socket
import stat
from dataclasses import replace

import pytest
from tests.agent_machine import MINE, agent_machine
from tests.flows import test_agent_on_twin as on_twin
from tests.flows.test_agent_on_twin import SECRET
from tests.twin_world import CUSTOMER, client

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, verify_evidence
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused, LocalFault, NotAuthentic, StrongroomError, UsageError
from strongroom.formats.agent_config import BundleOrigin
from strongroom.formats.pcrs import GATES
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.firmware import Firmware
from strongroom.twin.machine import DEFAULT_REGION

scene = on_twin.scene
"""A twin with a vendor, a customer, a key and a bundle for the image that `scene.instance` booted."""
ROOTED = Firmware(load_options="init=/bin/sh")


@pytest.fixture
def machine(scene):
    with agent_machine(scene.instance) as made:
        made.write(scene.trust_file, bundle=scene.bundle)
        yield made


def launch(scene, **settings):
    return scene.twin.launch(scene.image, account=AccountId(CUSTOMER), role="app", **settings)


def trust_for(scene, instance, **changes):
    return replace(scene.trust_file, tls=replace(scene.trust_file.tls, imds=instance.imds_endpoint, **changes))


def test_the_service_prints_a_receipt_delivers_and_tells_systemd(machine, scene):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{machine.root}/notify")
        systemd.settimeout(20)
        done = machine.run("run", NOTIFY_SOCKET=f"{machine.root}/notify", AWS_ENDPOINT_URL="http://127.0.0.1:9")
        assert (done.returncode, done.stdout) == (9, ""), "nobody answers the barrier here"
        assert "agent.notify" in done.stderr
        assert systemd.recv(100) == b"READY=1"
    assert machine.delivered.read_bytes() == SECRET
    receipt = machine.said().last_receipt()
    evidence = verify_evidence(receipt.document, roots=scene.trust().nitro_roots, at=AT_DOCUMENT_TIME)
    assert evidence.pcrs == scene.instance.pcrs


@pytest.mark.attack("K17")
@pytest.mark.attack("B13")
def test_the_secret_is_in_its_file_and_nowhere_else(machine):
    done = machine.run("run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    state = machine.delivered.stat()
    assert (stat.S_IMODE(state.st_mode), state.st_uid) == (0o400, os.geteuid())
    assert machine.said().failures == ()
    other_files = [path for path in machine.root.rglob("*") if path.is_file() and path != machine.delivered]
    assert len(other_files) > 4
    assert [path for path in other_files if SECRET in path.read_bytes()] == []
    status = machine.run("status")
    assert status.returncode == 0
    assert json.loads(status.stdout)["bundles"] == {"db-password": {"version": 1, "epoch": 1}}


@pytest.mark.attack("K17")
def test_the_search_for_the_secret_finds_a_planted_one(machine):
    machine.run("run")
    machine.console.write_bytes(machine.console.read_bytes() + SECRET)
    found = [path for path in machine.root.rglob("*") if path.is_file() and SECRET in path.read_bytes()]
    assert sorted(found) == sorted([machine.console, machine.delivered])


def test_fetching_by_name_prints_what_was_opened_and_no_secret(machine):
    done = machine.run("fetch", "db-password")
    assert json.loads(done.stdout)["bundles"] == {"db-password": {"version": 1, "epoch": 1}}
    assert SECRET.decode() not in done.stdout
    assert machine.delivered.read_bytes() == SECRET


@pytest.mark.attack("B1")
def test_an_instance_with_another_command_line_says_which_pcrs_it_has_and_gets_nothing(scene):
    rooted = launch(scene, firmware=ROOTED)
    with agent_machine(rooted) as machine:
        machine.write(trust_for(scene, rooted), bundle=scene.bundle)
        done = machine.run("run")
        assert done.returncode == KeyRefused.exit_code
        (failure,) = machine.said().failures
        assert failure.code == "kms.access-denied"
        assert dict(failure.pcrs) == {index: rooted.pcrs[index] for index in GATES}
        assert not machine.delivered.exists()
        status = machine.run("status")
        assert (status.returncode, json.loads(status.stdout)["code"]) == (1, "kms.access-denied")


def refused(machine, kind: type[StrongroomError]) -> str:
    """Run the service in this process: it raises, the console says the same, and nothing is delivered."""
    with pytest.raises(kind) as caught:
        machine.agent().run_service({})
    assert machine.said().failures[-1].code == caught.value.code
    assert not machine.delivered.exists()
    code: str = caught.value.code
    return code


@pytest.mark.attack("K14")
def test_without_a_tpm_there_is_no_other_way(machine):
    (machine.root / "tpm0").unlink(missing_ok=True)
    machine.instance = replace(machine.instance)
    done = machine.run("--tpm", f"{machine.root}/absent", "run")
    assert done.returncode == 7
    (failure,) = machine.said().failures
    assert (failure.code, dict(failure.pcrs)) == ("tpm.absent", {})


@pytest.mark.attack("B17")
def test_a_variable_of_the_loader_is_a_failure_too(machine):
    with pytest.raises(LocalFault):
        machine.agent().run_service({"LD_PRELOAD": "/tmp/x.so"})
    assert machine.said().failures[-1].code == "process.loader-variable"
    assert not machine.delivered.exists()


@pytest.mark.attack("B15")
def test_a_bundle_of_another_signer_is_refused(machine, scene):
    other = Ed25519Signer.generate()
    signer = replace(scene.trust_file.signers[0], key_id=other.key_id, public_key=other.public_key)
    machine.write(replace(scene.trust_file, signers=(signer,)), bundle=scene.bundle)
    before = len(scene.twin.kms.decisions)
    assert refused(machine, NotAuthentic).startswith("bundle.")
    assert len(scene.twin.kms.decisions) == before


def test_who_gets_the_files_is_known_before_anything_is_opened(machine, scene):
    machine.write(scene.trust_file, bundle=scene.bundle, delivery=replace(MINE, owner="no-such-user"))
    before = len(scene.twin.kms.decisions)
    assert refused(machine, LocalFault) == "agent.no-user"
    assert len(scene.twin.kms.decisions) == before


def test_a_name_that_is_not_in_the_configuration_is_refused(machine):
    with pytest.raises(UsageError) as caught:
        machine.agent().fetch(("db-password", "other"))
    assert caught.value.code == "agent.unknown-bundle"
    assert not machine.delivered.exists()


@pytest.mark.attack("B14")
@pytest.mark.parametrize(
    "user_data",
    [
        None,
        b"#cloud-config\nruncmd: [id]",
        b'{"strongroom": {"bundles": "s3://acme", "key": "arn:aws:kms:eu-central-1:666666666666:key/x"}}',
        b'{"strongroom": {"bundles": "https://evil.example.com"}}',
    ],
)
def test_hostile_user_data_deliver_nothing_and_reach_no_key(scene, user_data):
    instance = launch(scene, user_data=user_data)
    with agent_machine(instance) as machine:
        machine.write(trust_for(scene, instance), origin=BundleOrigin.USER_DATA)
        before = len(scene.twin.kms.decisions)
        refused(machine, StrongroomError)
        assert len(scene.twin.kms.decisions) == before


def test_a_fault_of_the_agent_itself_is_told_on_the_console(machine, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("canary-5c1e")

    monkeypatch.setattr("strongroom.agent.service.read_trust", broken)
    with pytest.raises(ZeroDivisionError):
        machine.agent().run_service({})
    assert machine.said().failures[-1].code == "agent.crashed"
    assert b"canary-5c1e" not in machine.console.read_bytes()


def test_attest_takes_what_awss_own_tool_takes(machine, scene):
    (machine.root / "nonce").write_bytes(b"n" * 32)
    done = machine.run("attest", "-n", f"{machine.root}/nonce", "-o", f"{machine.root}/document")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = (machine.root / "document").read_bytes()
    evidence = verify_evidence(document, roots=NitroRoots(scene.twin.nitro_roots.sha256s), at=AT_DOCUMENT_TIME)
    assert (evidence.nonce, evidence.public_key) == (b"n" * 32, None)


@pytest.fixture(scope="module")
def s3(scene):
    """The customer's bucket in the twin."""
    admin = scene.twin.create_user(AccountId(CUSTOMER), "admin", policies=[FULL_ACCESS])
    made = client(scene.twin, "s3", admin)
    made.create_bucket(Bucket="acme-bundles", CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
    return made


def from_s3(scene, place="s3://acme-bundles/globex"):
    user_data = json.dumps({"strongroom": {"bundles": place}}).encode()
    instance = launch(scene, user_data=user_data)
    return instance, trust_for(scene, instance, s3={DEFAULT_REGION: scene.twin.tls_endpoint})


@pytest.mark.slow  # moto takes a second to load
def test_bundles_come_from_the_place_that_user_data_name(scene, s3):
    s3.put_object(Bucket="acme-bundles", Key="globex/db-password.bundle", Body=scene.bundle)
    instance, trust = from_s3(scene)
    with agent_machine(instance) as machine:
        machine.write(trust, origin=BundleOrigin.USER_DATA)
        done = machine.run("run")
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.delivered.read_bytes() == SECRET


@pytest.mark.slow
@pytest.mark.attack("B15")
@pytest.mark.parametrize(
    ("place", "body", "code"),
    [
        ("s3://acme-bundles/flipped", lambda bundle: bundle[:200] + bytes([bundle[200] ^ 1]) + bundle[201:], None),
        ("s3://acme-bundles/short", lambda bundle: bundle[:-1], None),
        ("s3://acme-bundles/empty", lambda bundle: b"", None),
        ("s3://acme-bundles/absent", None, "s3.refused"),
        ("s3://no-such-bucket", None, "s3.refused"),
    ],
)
def test_what_the_owner_of_the_bucket_puts_there_instead_is_refused(scene, s3, place, body, code):
    if body is not None:
        key = f"{place.rpartition('/')[2]}/db-password.bundle"
        s3.put_object(Bucket="acme-bundles", Key=key, Body=body(scene.bundle))
    instance, trust = from_s3(scene, place)
    with agent_machine(instance) as machine:
        machine.write(trust, origin=BundleOrigin.USER_DATA)
        found = refused(machine, StrongroomError)
        assert code is None or found == code
