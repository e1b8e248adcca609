# SPDX-License-Identifier: Apache-2.0
"""Real calls to the twin's KMS, its own record of why, and `strongroom key explain` asked about the same call."""

import base64
import json

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.kms_scene import CONTEXT, kms_scene
from tests.twin_world import CUSTOMER, client

from strongroom.cli.main import run
from strongroom.ids import AccountId
from strongroom.twin.firmware import Firmware

APPENDED = Firmware(load_options="console=ttyS0 init=/bin/sh")
RSA_KEY = (
    rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.fixture(scope="module")
def scene():
    with kms_scene() as running:
        yield running


class Asked:
    """A call of an instance, what the twin noted of it, and the same asked of `key explain`."""

    def __init__(self, scene, folder, capsys, environment):
        self.scene, self.folder, self.capsys = scene, folder, capsys
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", scene.vendor.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", scene.vendor.secret_access_key)
        (folder / "root.pem").write_text(pem(scene.twin.nitro_root))

    def call(self, instance, *, attested=True, **changes):
        """Decrypt as the instance; return the twin's decision and the document, in a file."""
        document = instance.attest(public_key=RSA_KEY)
        (self.folder / "document").write_bytes(document)
        recipient = {"AttestationDocument": document, "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        call = {**self.scene.decrypt, **({"Recipient": recipient} if attested else {}), **changes}
        kms = client(self.scene.twin, "kms", credentials_of(self.scene, instance))
        try:
            kms.decrypt(**call)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
        return self.scene.twin.kms.decisions[-1]

    def explain(self, *words):
        key = ("--key", self.scene.key_arn, "--endpoint-url", self.scene.twin.endpoint_url)
        code = run(["key", "explain", *key, *words, "--json"])
        said = self.capsys.readouterr()
        assert not said.err
        return code, json.loads(said.out)

    def about(self, record, *more):
        context = json.dumps(record.encryption_context)
        return self.explain("--caller", record.caller_arn, "--context", context, *more)

    def recorded(self, record, *more):
        """Explain CloudTrail's record of the same call, as the customer's account gets it."""
        events = self.scene.twin.kms.events(AccountId(CUSTOMER))
        (self.folder / "events.json").write_text(json.dumps({"Records": events}))
        shared = next(each for each in events if record.event_id in (each["eventID"], each.get("sharedEventID")))
        return self.explain("--event", str(self.folder / "events.json"), "--event-id", shared["eventID"], *more)

    @property
    def document(self):
        return "--document", str(self.folder / "document"), "--root", str(self.folder / "root.pem")


def pem(certificate):
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(certificate).decode()}-----END CERTIFICATE-----\n"


def credentials_of(scene, instance):
    role = scene.twin.directory.role(instance.account_id, "app")
    return scene.twin.directory.open_session(role, session_name=instance.instance_id, now=scene.twin.clock.now())


@pytest.fixture
def asked(scene, tmp_path, capsys, monkeypatch):
    return Asked(scene, tmp_path, capsys, monkeypatch)


def agrees(answer, record):
    """Hold an answer of the command against what the twin's KMS noted when it decided."""
    assert answer["outcome"] == record.outcome
    assert (answer["decided_by"], answer["statement"]) == (record.decided_by, record.statement or None)
    assert answer["reason"] == record.reason
    denied = {each["pcr"] for each in answer["reasons"] if each["statement"] == record.statement} - {None}
    assert denied >= set(record.failed_pcrs)


def test_a_boot_with_an_appended_command_line(scene, asked):
    record = asked.call(scene.launch(firmware=APPENDED))
    assert record.failed_pcrs == (12,)
    code, answer = asked.about(record, *asked.document)
    assert code == 6
    agrees(answer, record)
    first = answer["reasons"][0]
    assert (first["code"], first["pcr"], first["seen"]) == ("decision.pcr", 12, [record.pcrs[12].hex()])
    assert [each["kind"] for each in answer["changes"]] == ["document"]
    code, answer = asked.recorded(record, *asked.document)
    assert (code, answer["event"]["agrees"]) == (6, True)
    assert answer["statement"] == record.statement


def test_a_call_without_a_document(scene, asked):
    record = asked.call(scene.instance, attested=False)
    for code, answer in (asked.about(record), asked.recorded(record)):
        assert code == 6
        agrees(answer, record)
        assert answer["reasons"][0]["code"] == "decision.no-document"


def test_the_instance_that_may(scene, asked):
    record = asked.call(scene.instance)
    assert record.outcome == "allowed"
    code, answer = asked.about(record, *asked.document)
    assert code == 0
    assert answer["statement"] == record.statement == "Open1Stable"
    assert [each["code"] for each in answer["reasons"]] == ["decision.allowed", "decision.document-decides"]
    code, answer = asked.recorded(record)
    assert (code, answer["event"]["agrees"], answer["statement"]) == (0, True, record.statement)
    assert "key.event-unseen-pcrs" in {flag["code"] for flag in answer["flags"]}


def test_a_context_of_a_withdrawn_epoch(scene, asked):
    record = asked.call(scene.instance, EncryptionContext=CONTEXT | {"strongroom:epoch": "0"})
    code, answer = asked.about(record, *asked.document)
    assert code == 6
    agrees(answer, record)
    assert answer["reasons"][0]["code"] == "decision.epoch-withdrawn"


def test_grants_on_the_key_are_asked_for(scene, asked):
    _, answer = asked.about(asked.call(scene.instance), *asked.document)
    assert "key.grants-unknown" not in {flag["code"] for flag in answer["flags"]}
