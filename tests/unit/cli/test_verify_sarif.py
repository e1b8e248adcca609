# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify --sarif`: one valid log on stdout for every outcome, and the exit code there is without it."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from tests.nitro_pki import INSTANCE, NONCE, NOW, PCR4, PCRS, document
from tests.sarif_schema import faults
from tests.verify_world import AT, CHALLENGED, GATES, OTHER, make_world, measured

from strongroom.cli.finding_texts import TEXTS
from strongroom.cli.main import run
from strongroom.formats.console import encode_receipt

CODES = (Path(__file__).parents[3] / "docs/reference/codes.md").read_text()


@pytest.fixture
def world(tmp_path, capsys):
    return make_world(tmp_path, capsys)


@pytest.fixture
def sarif(world, monkeypatch):
    """Run the command with and without --sarif. Return the exit code, the same for both, and the log's only run."""
    monkeypatch.chdir(world.folder)

    def call(*options, **settings):
        code, out, err = world.verify(*options, "--sarif", **settings)
        assert err == ""
        assert out.isascii()
        log = json.loads(out)
        assert faults(log) == []
        assert world.verify(*options, **settings)[0] == code == log["runs"][0]["invocations"][0]["exitCode"]
        return code, log["runs"][0]

    return call


def results(run):
    return [(result["ruleId"], result["level"]) for result in run["results"]]


def test_a_trusted_document_has_no_result(sarif, world):
    code, run = sarif("--policy", world.policy(pcrs=GATES), *CHALLENGED, *AT)
    assert (code, results(run)) == (0, [])
    assert run["properties"]["verdict"] == "trusted-as-of-then"
    assert run["properties"]["instance_id"] == INSTANCE
    assert run["properties"]["pcrs"]["4"] == PCR4.hex()
    notices = [each["descriptor"]["id"] for each in run["invocations"][0]["toolExecutionNotifications"]]
    assert notices == ["verify.boot-state", "verify.given-time"]


def test_a_refused_document_has_a_result_for_each_reason(sarif, world):
    policy = world.policy(name="acme", regions=["us-east-1"], any_of=[{"name": "1.4", "pcrs": GATES | {"4": [OTHER]}}])
    code, run = sarif("--policy", policy, "--nonce", "00" * 32, *AT)
    assert code == 5
    assert results(run) == [("nonce.mismatch", "error"), ("region.mismatch", "error"), ("pcr.mismatch", "error")]
    assert run["properties"]["verdict"] == "not-trusted"
    last = run["results"][-1]
    assert last["properties"] == {
        "pcr": 4,
        "part": "acme > 1.4",
        "expected": [OTHER],
        "found": PCR4.hex(),
        "meaning": last["properties"]["meaning"],
    }
    assert last["message"]["text"] == f"expected PCR4 = {OTHER}, found {PCR4.hex()}"
    assert "strongroom inspect" in run["tool"]["driver"]["rules"][-1]["help"]["text"]
    assert last["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "document"


def test_flags_are_results_below_an_error(sarif, world):
    policy = world.policy(pcrs={"4": [PCR4.hex()], "16": [PCRS[16].hex()]})
    code, run = sarif("--policy", policy, "--no-nonce", *AT, "--allow-partial")
    assert code == 0
    assert results(run) == [
        ("verify.unchallenged", "warning"),
        ("policy.partial", "warning"),
        ("policy.resettable", "warning"),
    ]
    world.write("m.json", measured())
    code, run = sarif("--measurements", world.folder / "m.json", *CHALLENGED, *AT)
    assert results(run) == [("measurements.assumed", "note")] * 2


@pytest.mark.attack("A25")
def test_a_log_without_a_policy_is_no_clean_one(sarif):
    code, run = sarif("--authentic-only", *AT)
    assert (code, results(run)) == (0, [("verify.authentic-only", "warning")])
    assert run["properties"]["verdict"] == "authentic-only"


def test_a_malformed_document_is_a_result_at_its_byte(sarif, world):
    world.write("document", bytes(document())[:3000])
    code, run = sarif("--authentic-only", *AT)
    assert (code, results(run), run["properties"]["verdict"]) == (3, [("cbor.truncated", "error")], "malformed")
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"byteOffset": 7, "byteLength": 0}
    assert run["invocations"][0]["executionSuccessful"] is True


@pytest.mark.attack("A1")
def test_a_document_that_is_not_authentic_is_a_result(sarif, world):
    world.write("document", bytes(document())[:-1] + b"\0")
    code, run = sarif("--policy", world.policy(pcrs=GATES), *CHALLENGED, *AT)
    assert (code, results(run)) == (4, [("signature.invalid", "error")])
    assert run["properties"] == {"exitCode": 4, "verdict": "not-authentic"}
    code, run = sarif("--authentic-only", *AT, root=False)
    assert (code, results(run)) == (4, [("chain.unknown-root", "error")])
    assert "`--root FILE`" in run["results"][0]["message"]["text"], "the remedy"


@pytest.mark.attack("A14")
@pytest.mark.parametrize("options", [("--policy", "policy.json", "--no-nonce"), ("--authentic-only",)])
def test_another_machines_receipt_on_a_console_is_a_result(sarif, world, options):
    world.policy(pcrs=GATES)
    printed = encode_receipt(document()).decode()
    world.write("document", {"InstanceId": "i-0fedcba9876543210", "Output": printed})
    code, run = sarif(*options, *AT)
    assert (code, results(run), run["properties"]["verdict"]) == (
        5,
        [("console.other-instance", "error")],
        "not-trusted",
    )
    assert run["invocations"][0]["executionSuccessful"] is True
    assert INSTANCE in run["results"][0]["message"]["text"]


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (CHALLENGED, 2, "verify.no-policy"),
        (("--pcr", f"4={OTHER}", *CHALLENGED), 2, "policy.partial"),
        (("--policy", "absent.json", *CHALLENGED), 9, "file.missing"),
        (("--policy", "document", *CHALLENGED), 3, "json.not-utf8"),
        (("--authentic-only", "--at", "yesterday"), 2, "verify.time"),
    ],
)
def test_what_keeps_the_command_from_looking_is_a_failed_run(sarif, options, code, why):
    found, run = sarif(*options)
    assert (found, run["results"]) == (code, [])
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [each["descriptor"]["id"] for each in invocation["toolExecutionNotifications"]] == [why]
    assert "verdict" not in run["properties"]


def test_a_document_that_cannot_be_read_is_a_failed_run(sarif):
    code, run = sarif("--authentic-only", document="absent")
    assert (code, run["results"], run["invocations"][0]["executionSuccessful"]) == (9, [], False)


def test_json_and_sarif_exclude_each_other(world):
    code, out, _ = world.verify("--authentic-only", *AT, "--json", "--sarif")
    log = json.loads(out)
    assert (code, faults(log)) == (2, [])
    notified = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [each["descriptor"]["id"] for each in notified] == ["verify.output"]


@pytest.mark.attack("A16")
def test_hostile_fields_of_a_document_are_hex(sarif, world):
    text = b'\x1b[2J<script>alert(1)</script>{0}[x](http://evil)"'
    world.write("document", bytes(document(user_data=text, nonce=text)))
    world.write("expected", b"other")
    code, run = sarif("--policy", world.policy(pcrs=GATES), *CHALLENGED, *AT, "--user-data", world.folder / "expected")
    assert (code, results(run)) == (5, [("nonce.mismatch", "error"), ("user-data.mismatch", "error")])
    assert run["properties"]["user_data"] == text.hex()
    written = json.dumps(run)
    assert "<script" not in written
    assert "evil" not in written


@pytest.mark.attack("A16")
def test_a_hostile_name_in_a_policy_is_inert(sarif, world):
    name = "{0} [x](http://evil) \N{RIGHT-TO-LEFT OVERRIDE}"
    _, run = sarif("--policy", world.policy(name=name, pcrs=GATES | {"4": [OTHER]}), *CHALLENGED, *AT)
    assert run["results"][0]["properties"]["part"].endswith(r"\u202e")


def test_a_folder_that_is_gone_keeps_no_log_from_being_written(sarif, world, monkeypatch, tmp_path_factory):
    gone = tmp_path_factory.mktemp("gone")
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, run = sarif("--policy", world.policy(pcrs=GATES), *CHALLENGED, *AT)
    assert code == 0
    assert run["artifacts"][0]["location"]["uri"].startswith("file:///")


def test_every_finding_of_the_command_has_a_text():
    rows = re.findall(r"^\| `([^`]+)` \| (NotTrusted|flag) \| \S+ \| (\S+) \|", CODES, re.MULTILINE)
    about = ("appraisal/", "cli/verify", "formats/measurements.py")
    others = ("appraisal/identity", "appraisal/quote")  # what `strongroom identity` finds, and the library of quotes
    findings = {code for code, _, module in rows if module.startswith(about) and not module.startswith(others)}
    of_the_run = {"verify.boot-state", "verify.document-time", "verify.given-time"}
    assert findings - of_the_run == TEXTS.keys()
    for text in TEXTS.values():
        assert text.title
        assert text.help


def test_a_genuine_document_from_another_day_is_not_authentic_today(genuine_vectors, capsys):
    file = next(path for path in sorted((genuine_vectors / "documents").glob("nitrotpm*.cbor")))
    assert run(["verify", str(file), "--authentic-only", "--sarif"]) == 4
    log = json.loads(capsys.readouterr().out)
    assert (faults(log), results(log["runs"][0])) == ([], [("chain.expired", "error")])
    assert run(["verify", str(file), "--authentic-only", "--at", "document", "--sarif"]) == 0
    log = json.loads(capsys.readouterr().out)
    assert (faults(log), results(log["runs"][0])) == ([], [("verify.authentic-only", "warning")])


def test_an_old_document_is_too_old(sarif, world):
    later = ["--at", (NOW + timedelta(minutes=6)).isoformat()]
    code, run = sarif("--policy", world.policy(pcrs=GATES), "--nonce", NONCE.hex(), *later)
    assert (code, results(run)) == (5, [("age.too-old", "error")])
