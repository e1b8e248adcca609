# SPDX-License-Identifier: Apache-2.0
"""The request log: each call is one line, with the reason of the decision and without anything secret."""

import json
import stat
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from tests.twin_world import CONTEXT, CUSTOMER, SECRET, VENDOR, client, world

from strongroom.twin.clock import SystemClock
from strongroom.twin.endpoint import Answered
from strongroom.twin.request_log import LOG_NAME, OLD_NAME, RequestLog
from strongroom.twin.sigv4 import SignedCall


@pytest.fixture
def scene(monkeypatch, tmp_path):
    """A world whose calls are written into a file from now on, and what reads the file."""
    with world() as running:
        log = running.twin.log
        log._path = tmp_path / LOG_NAME
        yield running, lambda: [json.loads(line) for line in log._path.read_text().splitlines()]


def call(body=b"Action=ListRoles", path="/", **headers):
    stated = {"content-type": "application/x-www-form-urlencoded"} | headers
    return SignedCall("POST", path, "secret=in-the-query", stated, body)


def test_an_allowed_decrypt_names_who_decided(scene):
    running, lines = scene
    role = running.twin.directory.role(CUSTOMER, "app")
    session = running.twin.directory.open_session(role, session_name="i-1", now=running.twin.clock.now())
    running.decrypt(session, Recipient=running.recipient())
    (line,) = lines()
    assert (line["service"], line["action"]) == ("kms", "Decrypt")
    assert line["account"] == CUSTOMER
    assert line["caller"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/app/i-1"
    assert line["key"] == running.key_arn
    assert (line["outcome"], line["decision"], line["status"]) == ("allowed", "allowed", 200)
    assert line["decided_by"] == "key policy"
    assert line["statement"] == "Open"


def test_a_denied_decrypt_says_which_condition_expected_what_and_saw_what(scene):
    running, lines = scene
    name, value = next(iter(CONTEXT.items()))
    with pytest.raises(ClientError):
        running.decrypt(EncryptionContext=CONTEXT | {name: "another"}, Recipient=running.recipient())
    (line,) = lines()
    assert (line["outcome"], line["decision"], line["status"]) == ("denied", "not allowed", 400)
    assert line["error"] == "AccessDeniedException"
    (missed,) = line["missed"]
    assert missed["statement"] == "Open"
    assert missed["element"] == f"StringEquals kms:EncryptionContext:{name}"
    assert (missed["expected"], missed["seen"]) == ([value], ["another"])


def test_a_denial_by_a_gate_names_statement_and_pcrs(scene):
    running, lines = scene
    with pytest.raises(ClientError):
        running.decrypt()
    (line,) = lines()
    assert line["decision"] == "explicitly denied"
    assert line["statement"].startswith("Gate")
    assert line["failed_pcrs"]


def test_nothing_secret_is_in_it(scene):
    running, lines = scene
    running.decrypt(Recipient=running.recipient())
    kms = running.kms(running.vendor)
    kms.encrypt(KeyId=running.key_arn, Plaintext=SECRET, EncryptionContext=CONTEXT)
    client(running.twin, "ssm", running.vendor).put_parameter(Name="x", Value="a-hidden-value", Type="SecureString")
    client(running.twin, "iam", running.vendor).create_access_key(UserName="release")
    assert len(lines()) == 4
    text = running.twin.log._path.read_text()
    secrets = [each.secret_access_key for each in running.twin.directory.keys_of(f"arn:aws:iam::{VENDOR}:user/release")]
    for hidden in (SECRET.decode(), "a-hidden-value", *secrets, "AttestationDocument", "CiphertextBlob", "Signature="):
        assert hidden not in text


def test_a_call_that_nobody_signed_is_nobodys(scene):
    running, lines = scene
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(running.twin.endpoint_url + "/some/path?secret=1")
    (line,) = lines()
    assert (line["caller"], line["account"], line["service"]) == (None, None, None)
    assert (line["action"], line["outcome"], line["error"]) == (
        "GET /some/path",
        "denied",
        "MissingAuthenticationTokenException",
    )


def test_one_calls_decision_is_not_anothers(scene):
    running, lines = scene
    with pytest.raises(ClientError):
        running.decrypt()
    client(running.twin, "sts", running.customer).get_caller_identity()
    assert [line["action"] for line in lines()] == ["Decrypt", "GetCallerIdentity"]
    assert "decision" not in lines()[1]


def test_the_file_is_its_owners_and_stays_within_its_bound(tmp_path):
    log = RequestLog(SystemClock(), path=tmp_path / LOG_NAME, maximum_bytes=2000)
    for _ in range(40):
        log.answered(Answered(call(), "iam", None, 403))
    assert log.requests == log.refused == 40
    kept = [(tmp_path / name).read_text().splitlines() for name in (OLD_NAME, LOG_NAME)]
    assert all(len("".join(lines)) <= 2000 for lines in kept)
    numbers = [json.loads(line)["number"] for lines in kept for line in lines]
    assert numbers == list(range(numbers[0], 41))
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (OLD_NAME, LOG_NAME)} == {0o600}


def test_long_names_of_strangers_are_cut(tmp_path):
    log = RequestLog(SystemClock(), path=tmp_path / LOG_NAME)
    log.answered(Answered(call(b"Action=" + b"A" * 10_000), "x" * 10_000, None, 403))
    log.answered(Answered(call(**{"content-type": "", "x-amz-target": "T." + "B" * 10_000}), "", None, 403))
    assert all(len(line) < 2000 for line in (tmp_path / LOG_NAME).read_text().splitlines())


def test_queries_are_not_in_it(tmp_path):
    log = RequestLog(SystemClock(), path=tmp_path / LOG_NAME)
    log.answered(Answered(call(path="/bucket/key", **{"content-type": ""}), "s3", None, 200))
    assert json.loads((tmp_path / LOG_NAME).read_text())["action"] == "POST /bucket/key"


def test_a_log_that_cannot_be_written_is_told_once_and_ends_no_call(tmp_path):
    told = []
    log = RequestLog(SystemClock(), path=tmp_path / "not-there" / LOG_NAME, unkept=told.append)
    for _ in range(3):
        log.answered(Answered(call(), "iam", None, 200))
    assert len(told) == 1
    assert log.requests == 3


def test_what_is_no_refusal_of_permission_is_an_error(scene):
    running, lines = scene
    running.twin.kms.grant_delay = timedelta(0)
    with pytest.raises(ClientError):
        running.kms(running.vendor).describe_key(KeyId="alias/none")
    (line,) = lines()
    assert (line["outcome"], line["error"]) == ("error", "NotFoundException")
