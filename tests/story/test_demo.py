# SPDX-License-Identifier: Apache-2.0
"""The demo holds, and each of its rows fails when the guard that it shows is taken away."""

import dataclasses
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from strongroom.cli.demo import command, stage, story
from strongroom.cli.demo.keepsake import DESCRIPTIONS
from strongroom.cli.demo.ledger import Row, Verdict
from strongroom.cli.main import run
from strongroom.cli.stand_in import stand_in_parts
from strongroom.crypto import header_signature
from strongroom.flows import open as opening
from strongroom.formats.console import parse_console
from strongroom.formats.deny_list import parse_deny_list
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.uki import Architecture
from strongroom.keypolicy import generate
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy
from strongroom.measure.predict import measure_image
from strongroom.twin.kms import recipient
from strongroom.twin.server import Twin

PARTS = stand_in_parts(Architecture.X86_64, origin="a test")
ROWS = [
    "The vendor itself decrypts Acme's data key",
    "The vendor opens its escrow wrap",
    "Acme's administrator decrypts the data key",
    "The attested instance asks for both secrets",
    "The embedded command line is changed",
    "A command line is appended from outside",
    "A driver is slipped in before the image",
    "Another account runs the same image",
    "That account asks KMS directly, attested",
    "Acme is served the bundle of Globex",
    "A document reaches KMS six minutes old",
    "A stranger signs Acme's bundle again",
]


pytestmark = pytest.mark.slow


def silently(_):
    """Say nothing."""


def failed_rows():
    with Twin() as twin:
        outcome = story.play(story.set_stage(twin, PARTS, weights_bytes=1 << 16, say=silently), say=silently)
    assert [row.tried for row in outcome.rows] == ROWS
    return [row.tried for row in outcome.rows if not row.holds]


def weaken_policies(monkeypatch, change):
    """Put every tenant key under its generated policy after `change` was made to each statement (None: drop it)."""

    def weakened(spec):
        body = json.loads(encode_key_policy(generate.tenant_key_policy(spec)))
        body["Statement"] = [changed for each in body["Statement"] if (changed := change(each)) is not None]
        return parse_key_policy(json.dumps(body))

    monkeypatch.setattr(stage, "tenant_key_policy", weakened)


def without_pcr(*numbers):
    """Return a change that forgets these PCRs, in the Denies and in Open."""
    keys = [f"kms:RecipientAttestation:NitroTPMPCR{number}" for number in numbers]

    def change(statement):
        if statement["Sid"] in [f"DenyUnlessPcr{number}" for number in numbers]:
            return None
        for block in statement.get("Condition", {}).values():
            for key in keys:
                block.pop(key, None)
        statement["Condition"] = {name: block for name, block in statement.get("Condition", {}).items() if block}
        if not statement["Condition"]:
            del statement["Condition"]
        return statement

    return change


EVERY_PCR = without_pcr(2, 4, 7, 12, 13)


def test_every_row_ends_as_it_should():
    assert failed_rows() == []


@pytest.mark.attack("K1")
def test_row_vendor_and_row_administrator_need_the_pcr_conditions(monkeypatch):
    def change(statement):
        if statement["Sid"].startswith("Open"):
            statement["Principal"] = {"AWS": [f"arn:aws:iam::{n}:root" for n in (stage.VENDOR, stage.ACME)]}
        return EVERY_PCR(statement)

    weaken_policies(monkeypatch, change)
    failed = failed_rows()
    assert ROWS[0] in failed
    assert ROWS[2] in failed


@pytest.mark.attack("B6")
def test_row_changed_command_line_needs_pcr4(monkeypatch):
    weaken_policies(monkeypatch, without_pcr(4))
    assert failed_rows() == [ROWS[4]]


@pytest.mark.attack("B1")
def test_row_appended_command_line_needs_pcr12(monkeypatch):
    weaken_policies(monkeypatch, without_pcr(12))
    assert failed_rows() == [ROWS[5]]


@pytest.mark.attack("B20")
def test_row_driver_needs_pcr2(monkeypatch):
    weaken_policies(monkeypatch, without_pcr(2))
    assert ROWS[6] in failed_rows()


@pytest.mark.attack("K7")
def test_rows_of_the_wrong_tenant_need_the_account_in_the_signed_header(monkeypatch):
    def lenient(header, *, instance, trust, **_):
        return opening._wrap_for(header.fields, trust, instance.region)

    monkeypatch.setattr(opening, "require_meant_for", lenient)
    assert failed_rows() == [ROWS[7], ROWS[9]]


@pytest.mark.attack("K21")
def test_row_other_account_at_kms_needs_the_principal(monkeypatch):
    def change(statement):
        if statement["Sid"].startswith("Open"):
            statement["Principal"] = "*"
        return statement

    weaken_policies(monkeypatch, change)
    assert failed_rows() == [ROWS[8]]


@pytest.mark.attack("A3")
def test_row_late_document_needs_the_five_minutes(monkeypatch):
    monkeypatch.setattr(recipient, "MAX_AGE", timedelta(days=1))
    assert failed_rows() == [ROWS[10]]


def test_row_late_document_needs_the_agent_to_try_again(monkeypatch):
    monkeypatch.setattr(opening, "DOCUMENT_EXPIRED", "never")
    assert failed_rows() == [ROWS[10]]


@pytest.mark.attack("B15")
def test_row_stranger_needs_the_pinned_signer(monkeypatch):
    def gullible(header, *, signers):
        return header_signature.VerifiedHeader(header.claimed, signers[0])

    monkeypatch.setattr(opening, "verify_header", gullible)
    assert failed_rows() == [ROWS[11]]


def test_row_escrow_needs_the_escrow_wrap(monkeypatch):
    original = stage.seal_for
    monkeypatch.setattr(stage, "seal_for", lambda *a, **k: dataclasses.replace(original(*a, **k), escrow=b""))
    assert failed_rows() == [ROWS[1]]


def test_row_attested_needs_the_right_measurements(monkeypatch):
    original = measure_image

    def wrong(image, *, secure_boot):
        measurements = original(image, secure_boot=secure_boot)
        pcrs = dict(measurements.pcrs) | {PcrIndex(4): bytes(47) + b"\x01"}
        return dataclasses.replace(measurements, pcrs=type(measurements.pcrs).of(pcrs))

    monkeypatch.setattr(stage, "measure_image", wrong)
    assert ROWS[3] in failed_rows()


def test_one_row_that_ends_otherwise_makes_the_command_fail(monkeypatch, capsys):
    def play(a_stage, *, say):
        return story.Outcome(a_stage, [Row("x", Verdict("", "a"), Verdict("", "b"))])

    monkeypatch.setattr(command, "play", play)
    monkeypatch.setattr(command, "find_parts", lambda say: PARTS)
    monkeypatch.setattr(command, "WEIGHTS_BYTES", 1 << 16)
    assert run(["demo"]) == 1
    assert "NOT AS EXPECTED" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_played(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(command, "find_parts", lambda say: pytest.fail("the demo began"))
    assert run(["demo", "--keep", str(tmp_path / "file" / "kept")]) == 9
    said = capsys.readouterr()
    assert "demo.keep" in said.err
    assert not said.out


def test_the_command_plays_the_real_thing_and_leaves_what_it_says(tmp_path):
    kept = tmp_path / "kept"
    call = [sys.executable, "-m", "strongroom", "demo", "--json", "--keep", str(kept)]
    leading_away = {"HTTP_PROXY": "http://127.0.0.1:9", "AWS_PROFILE": "none"}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=os.environ | leading_away)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["holds"]
    assert sorted(report["left"]) == sorted(file.name for file in kept.iterdir())
    assert report["left"] == list(DESCRIPTIONS)
    assert all(len(f"  {name:<26}{what}") <= 80 for name, what in DESCRIPTIONS.items())
    assert not any(b"PRIVATE KEY" in file.read_bytes() for file in kept.iterdir())
    for line in command.next_commands(str(kept)):
        again = subprocess.run(
            [sys.executable, "-m", "strongroom", *line.split()], capture_output=True, text=True, check=False
        )
        assert again.returncode == 0, line + again.stderr
    console = parse_console((kept / "console.txt").read_bytes())
    assert ([failure.code for failure in console.failures], len(console.complete)) == (["bundle.account"], 1)
    documents = [unverified_instance(kept / f"{name}.json") for name in ("identity", "tampered-identity")]
    assert list(parse_deny_list((kept / "deny.json").read_bytes()).instances) == documents[1:]
    assert documents[0] not in documents[1:]


def unverified_instance(file):
    return json.loads(file.read_text())["instanceId"]
