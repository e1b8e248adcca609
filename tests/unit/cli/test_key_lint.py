# SPDX-License-Identifier: Apache-2.0
"""`strongroom key lint`: what it prints, with which exit code, and where it says that something stands."""

import json
import re
from pathlib import Path

import pytest
from tests.lint_examples import SHUT
from tests.sarif_schema import faults

from strongroom.cli.main import run
from strongroom.formats.measurements import Measurements, encode_measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.keypolicy.lint.examples import EXAMPLES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/key-lint.md").read_text()
POLICIES = sorted((ROOT / "docs/examples/key-policies").glob("*.json"))
NOTED = EXAMPLES["lint.generate-random"].fires


@pytest.fixture
def lint(tmp_path, monkeypatch, capsys):
    """Run the command on a policy in a file `policy.json` of the working folder."""
    monkeypatch.chdir(tmp_path)

    def call(policy, *options):
        (tmp_path / "policy.json").write_text(policy)
        code = run(["key", "lint", "policy.json", *map(str, options)])
        return code, capsys.readouterr()

    return call


def as_json(found):
    code, printed = found
    assert printed.err == ""
    return code, json.loads(printed.out)


def rules(said):
    return [each["rule"] for each in said["findings"]]


@pytest.mark.parametrize(
    ("example", "code"),
    [("lint.unattested", 1), ("lint.no-context", 1), ("lint.generate-random", 0), ("lint.opens-by-role", 0)],
)
def test_errors_and_warnings_count_and_notes_do_not(lint, example, code):
    exit_code, said = as_json(lint(EXAMPLES[example].fires, "--json"))
    assert example in rules(said)
    assert (exit_code, said["ok"], said["clean"]) == (code, True, code == 0)
    assert said["errors"] + said["warnings"] + said["notes"] == len(said["findings"])


def test_a_clean_policy_is_said_to_be_one(lint):
    code, printed = lint(SHUT)
    assert code == 0
    assert printed.out == (
        "policy.json: nothing found\n"
        "  proved: without a document of a NitroTPM no request opens the key; its grants were not looked at\n"
    )


def test_a_finding_says_where_and_what_to_do(lint):
    code, printed = lint(EXAMPLES["lint.no-context"].fires)
    assert code == 1
    assert printed.out.startswith("policy.json: 1 warning\n")
    assert "  warning lint.no-context: Open allows kms:Decrypt under any encryption context\n" in printed.out
    assert "      policy.json:2:3 /Statement/0\n      Compare kms:EncryptionContext:NAME" in printed.out


def test_what_to_do_is_said_once(lint):
    _, printed = lint(EXAMPLES["lint.passes-when-missing"].fires)
    assert printed.out.count("lint.passes-when-missing") == 4
    assert printed.out.count("without IfExists") == 1


def test_a_rule_that_is_accepted_does_not_count(lint):
    policy = EXAMPLES["lint.no-context"].fires
    code, said = as_json(lint(policy, "--accept", "lint.no-context", "--json"))
    assert (code, said["clean"], said["findings"][0]["accepted"]) == (0, True, True)
    assert "(accepted)" in lint(policy, "--accept", "lint.no-context")[1].out
    assert lint(policy, "--accept", "lint.no-epoch")[0] == 1
    code, printed = lint(policy, "--accept", "lint.nonsense")
    assert (code, "[key.unknown-rule]" in printed.err) == (2, True)


def test_no_policy_is_malformed_and_none_is_a_question_of_usage(lint, capsys):
    for text in ("{", '{"Version":"2012-10-17","Statement":{}}', "[" * 5_000):
        assert lint(text)[0] == 3
    code, printed = lint(SHUT, "--tenant", "globex")
    assert (code, "[key.which-policy]" in printed.err) == (2, True)
    assert run(["key", "lint", "nowhere.json"]) == 9
    assert run(["key", "lint", "policy.json", "--json", "--sarif"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "key.output"


def test_a_policy_above_the_limit_is_refused(lint):
    code, printed = lint(NOTED + " " * 33_000)
    assert (code, "expected at most 32768 bytes" in printed.err) == (3, True)


def test_what_aws_prints_is_linted_too_without_lines(lint):
    wrapped = json.dumps({"Policy": NOTED, "PolicyName": "default"})
    _, plain = as_json(lint(NOTED, "--json"))
    _, said = as_json(lint(wrapped, "--json"))
    assert rules(said) == rules(plain)
    assert {each["line"] for each in plain["findings"]} != {None}
    assert {(each["line"], each["file"]) for each in said["findings"]} == {(None, None)}


def test_an_identity_policy_is_linted_beside_it_with_lines_of_its_own(lint, tmp_path):
    (tmp_path / "own.json").write_text(EXAMPLES["lint.alias-resource"].fires)
    code, said = as_json(lint(SHUT, "--identity-policy", "own.json", "--json"))
    assert (code, rules(said)) == (1, ["lint.alias-resource"])
    assert (said["findings"][0]["file"], said["findings"][0]["line"]) == ("own.json", 5)
    (tmp_path / "own.json").write_text(SHUT)
    code, printed = lint(SHUT, "--identity-policy", "own.json")
    assert (code, "own.json: " in printed.err) == (3, True)


def test_grants_in_a_file_are_looked_at(lint, tmp_path):
    (tmp_path / "grants.json").write_text(EXAMPLES["lint.planted-grant"].grants)
    assert rules(as_json(lint(EXAMPLES["lint.planted-grant"].silent, "--json"))[1]) == []
    (tmp_path / "none.json").write_text('{"Grants": []}')
    said = as_json(lint(EXAMPLES["lint.planted-grant"].silent, "--grants", "none.json", "--json"))[1]
    assert said["proved"] == "without a document of a NitroTPM no request opens the key"
    found = rules(as_json(lint(EXAMPLES["lint.planted-grant"].silent, "--grants", "grants.json", "--json"))[1])
    assert "lint.planted-grant" in found


def measurements(pcr4):
    gates = {2: SEPARATOR_ONLY_SHA384, 7: SECURE_BOOT_OFF_PCR7_SHA384, 12: ZERO_SHA384, 13: ZERO_SHA384}
    return encode_measurements(Measurements(pcrs=PcrDigests.of({**gates, 4: pcr4})))


PROVED = "without one of the given documents no request opens the key"


def test_allowed_measurements_bound_the_question(lint, tmp_path):
    policy = EXAMPLES["lint.not-allowed"].silent
    for name, pcr4 in (("its", b"\x4a" * 48), ("other", b"\x4b" * 48)):
        (tmp_path / f"{name}.json").write_bytes(measurements(pcr4))
    code, said = as_json(lint(policy, "--allowed", "its.json", "--json"))
    assert (code, said["proved"]) == (0, f"{PROVED}; its grants were not looked at")
    code, said = as_json(lint(policy, "--allowed", "other.json", "--json"))
    assert (code, {"lint.not-allowed", "lint.opens"} <= set(rules(said)), said["proved"]) == (1, True, "")
    assert as_json(lint(policy, "--allowed", "other.json", "--allowed", "its.json", "--json"))[0] == 0


@pytest.fixture
def sarif(lint):
    """Run the command with --sarif, and without. Return the exit code, the same for both, and the log's only run."""

    def call(policy, *options):
        code, printed = lint(policy, "--sarif", *options)
        assert printed.err == ""
        log = json.loads(printed.out)
        assert faults(log) == []
        assert lint(policy, *options)[0] == code == log["runs"][0]["invocations"][0]["exitCode"]
        return code, log["runs"][0]

    return call


@pytest.mark.parametrize(
    "example", ["lint.unattested", "lint.every-action", "lint.unknown-operator", "lint.no-context"]
)
def test_a_sarif_log_is_valid_and_points_at_the_text(sarif, example):
    text = EXAMPLES[example].fires
    code, found = sarif(text)
    assert (code, example in {each["ruleId"] for each in found["results"]}) == (1, True)
    lines = text.split("\n")
    for each in found["results"]:
        (place,) = each["locations"]
        region = place["physicalLocation"]["region"]
        assert place["physicalLocation"]["artifactLocation"] == {
            "uri": "policy.json",
            "uriBaseId": "%SRCROOT%",
            "index": 0,
        }
        assert lines[region["startLine"] - 1][region["startColumn"] - 1] in '{"'
        assert place["logicalLocations"][0]["fullyQualifiedName"].startswith("/Statement/0")
    prints = [each["partialFingerprints"]["strongroomFinding/v1"] for each in found["results"]]
    assert len(set(prints)) == len(prints)
    helped = {rule["id"]: rule["help"]["text"] for rule in found["tool"]["driver"]["rules"]}
    assert helped.keys() == {each["ruleId"] for each in found["results"]}


def test_a_fingerprint_stays_when_a_statement_is_added_before(sarif):
    policy = json.loads(EXAMPLES["lint.no-context"].fires)
    longer = {**policy, "Statement": [json.loads(SHUT)["Statement"] | {"Action": "kms:Sign"}, *policy["Statement"]]}
    logs = [sarif(json.dumps(each))[1]["results"] for each in (policy, longer)]
    assert logs[0][0]["partialFingerprints"] == logs[1][0]["partialFingerprints"]
    assert logs[0][0]["locations"] != logs[1][0]["locations"]


def test_what_is_accepted_is_suppressed_in_sarif(sarif):
    code, found = sarif(EXAMPLES["lint.no-context"].fires, "--accept", "lint.no-context")
    assert code == 0
    assert found["results"][0]["suppressions"] == [{"kind": "external", "status": "accepted"}]


def test_a_malformed_policy_is_a_sarif_result_and_a_missing_file_is_none(sarif):
    code, found = sarif("{")
    assert (code, [each["ruleId"] for each in found["results"]]) == (3, ["json.syntax"])
    code, found = sarif(SHUT, "--grants", "nowhere.json")
    assert (code, found["results"]) == (9, [])
    assert not found["invocations"][0]["executionSuccessful"]


def test_a_finding_in_an_identity_policy_points_at_its_file(sarif, tmp_path):
    (tmp_path / "own.json").write_text(EXAMPLES["lint.alias-resource"].fires)
    _, found = sarif(SHUT, "--identity-policy", "own.json")
    (place,) = found["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "own.json", "uriBaseId": "%SRCROOT%"}


def shown_sessions():
    """Yield each command that the page shows, its exit code, and what it is to print."""
    for block in re.findall(r"^```text\n\$ (.+?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        command, _, printed = block.partition("\n")
        line, _, code = command.partition("  # exit ")
        yield line.split()[1:], int(code or 0), printed


@pytest.mark.parametrize("session", [*shown_sessions()], ids=lambda session: session[0][-1])
def test_what_the_page_shows_is_what_the_command_prints(session, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments, code, printed = session
    assert run(arguments) == code
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.stem)
def test_the_page_says_what_is_found_in_each_policy(policy, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run(["key", "lint", str(policy.relative_to(ROOT)), "--json"])
    found = {each["rule"] for each in json.loads(capsys.readouterr().out)["findings"]}
    (row,) = re.findall(rf"^\| \[[^]]+\]\(examples/key-policies/{policy.name}\) \|.*$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(lint\.[a-z0-9-]+)`", row)) == found
