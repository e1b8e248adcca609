# SPDX-License-Identifier: Apache-2.0
"""The log that the builder makes: valid by OASIS's schema, whatever it is given, and inert."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sarif_schema import faults

from strongroom.cli.sarif import RuleText, SarifResult, SarifRun, artifact_uri, inert, sarif_log
from strongroom.errors import Finding, Severity

TEXT = RuleText("A title", "What to do.")
PCR = Finding("pcr.mismatch", "expected a, found b", pcr=4, part="1.4", expected=("aa",), found="bb", meaning="words")
WEAK = Finding("policy.partial", "expected more", severity=Severity.WARNING)


def log(*findings, **changes):
    results = tuple(SarifResult(finding, TEXT) for finding in findings)
    about = {"command": "verify", "version": "0.1", "uri": "a.cbor", "exit_code": 0, "results": results}
    return sarif_log(SarifRun(**(about | changes)))


def run(*findings, **changes):
    made = log(*findings, **changes)
    assert faults(made) == []
    (only,) = made["runs"]
    return only


def test_the_schema_refuses_what_is_no_log():
    good = log(PCR)
    assert faults(good) == []
    for wrong in ({}, {"version": "2.1.0"}, good | {"version": "2.0.0"}, good | {"more": 1}):
        assert faults(wrong)
    good["runs"][0]["results"][0]["level"] = "fatal"
    assert faults(good) == ["runs/0/results/0/level: 'fatal' is not one of ['none', 'note', 'warning', 'error']"]


def test_a_run_without_results_says_that_it_looked():
    made = run(exit_code=0, properties={"verdict": "trusted"})
    assert made["results"] == made["tool"]["driver"]["rules"] == []
    assert made["invocations"] == [{"executionSuccessful": True, "exitCode": 0, "toolExecutionNotifications": []}]
    assert made["properties"] == {"exitCode": 0, "verdict": "trusted"}


def test_a_finding_becomes_a_result_with_its_rule():
    made = run(PCR, WEAK, PCR)
    assert [rule["id"] for rule in made["tool"]["driver"]["rules"]] == ["pcr.mismatch", "policy.partial"]
    first = made["tool"]["driver"]["rules"][0]
    assert (first["shortDescription"]["text"], first["help"]["text"]) == ("A title", "What to do.")
    assert [rule["defaultConfiguration"]["level"] for rule in made["tool"]["driver"]["rules"]] == ["error", "warning"]
    assert [(r["ruleId"], r["ruleIndex"], r["level"]) for r in made["results"]] == [
        ("pcr.mismatch", 0, "error"),
        ("policy.partial", 1, "warning"),
        ("pcr.mismatch", 0, "error"),
    ]
    assert made["results"][0]["message"] == {"text": "expected a, found b"}
    assert made["results"][0]["properties"] == {
        "pcr": 4,
        "part": "1.4",
        "expected": ["aa"],
        "found": "bb",
        "meaning": "words",
    }
    assert made["results"][1]["properties"] == {}


def test_a_pcr_of_number_zero_is_one():
    assert run(Finding("pcr.mismatch", "m", pcr=0))["results"][0]["properties"] == {"pcr": 0}


def test_a_result_stands_in_the_file_and_at_its_byte():
    (location,) = run(PCR)["results"][0]["locations"]
    file = {"uri": "a.cbor", "uriBaseId": "%SRCROOT%"}
    assert location == {"physicalLocation": {"artifactLocation": {**file, "index": 0}}}
    made = run(results=(SarifResult(PCR, TEXT, offset=0),))
    assert made["results"][0]["locations"][0]["physicalLocation"]["region"] == {"byteOffset": 0, "byteLength": 0}
    assert made["artifacts"] == [{"location": file, "roles": ["analysisTarget"]}]


def test_what_a_relative_uri_is_relative_to_is_declared():
    made = run(PCR)
    assert made["originalUriBaseIds"].keys() == {"%SRCROOT%"}
    made = run(PCR, uri="file:///a.cbor")
    assert "uriBaseId" not in made["artifacts"][0]["location"]


def test_a_notice_and_a_failure_are_about_the_run():
    made = run(
        notices=(Finding("verify.boot-state", "n", severity=Severity.NOTE),),
        failure=Finding("file.missing", "m"),
        exit_code=9,
    )
    (invocation,) = made["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 9)
    assert invocation["toolExecutionNotifications"] == [
        {"descriptor": {"id": "verify.boot-state"}, "level": "note", "message": {"text": "n"}},
        {"descriptor": {"id": "file.missing"}, "level": "error", "message": {"text": "m"}},
    ]


def test_fingerprints_tell_findings_apart_and_stay_the_same():
    def prints(*findings, **changes):
        return [r["partialFingerprints"]["strongroomFinding/v1"] for r in run(*findings, **changes)["results"]]

    assert prints(PCR) == prints(Finding("pcr.mismatch", "other words", pcr=4, part="1.4", found="cc"))
    others = [
        *prints(Finding("pcr.mismatch", "m", pcr=5, part="1.4")),
        *prints(Finding("pcr.mismatch", "m", pcr=4, part="1.5")),
        *prints(Finding("pcr.absent", "m", pcr=4, part="1.4")),
        *prints(PCR, uri="b.cbor"),
    ]
    assert len({*prints(PCR), *others}) == 5


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("document.cbor", "document.cbor"),
        ("a folder/d%.cbor", "a%20folder/d%25.cbor"),
        ("/srv/here/sub/d.cbor", "sub/d.cbor"),
        ("/elsewhere/d.cbor", "file:///elsewhere/d.cbor"),
        ("/srv/here-too/d.cbor", "file:///srv/here-too/d.cbor"),
        ("../d.cbor", "../d.cbor"),
        ("http://host/d", "http%3A/host/d"),
        ("a?b#c", "a%3Fb%23c"),
        ("\udcff.cbor", "%FF.cbor"),
    ],
)
def test_paths_become_uris(path, uri):
    assert artifact_uri(Path(path), base=Path("/srv/here")) == uri


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_relative_path_stays_one_whatever_it_is_called(names):
    path = Path("x", *names)
    parts = urlsplit(artifact_uri(path, base=Path("/work")))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == str(path)


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a {0} b", "a {{0}} b"),
        ("[click](https://evil.example)", "[click] (https://evil.example)"),
        ("\x1b[2J\rTRUSTED", r"\x1b[2J\rTRUSTED"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", r"a\u202eb"),
        ("</script><b>", "</script><b>"),
        ("plain", "plain"),
    ],
)
def test_hostile_text_stays_text(text, shown):
    assert inert(text) == shown


hostile = st.text(max_size=40) | st.sampled_from(["{0}", "[a](b)", "](", "\x1b]0;x\x07", "\udcff", "`x`", "{{0}"])
findings = st.builds(
    Finding,
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}", fullmatch=True),
    hostile,
    severity=st.sampled_from(Severity),
    pcr=st.none() | st.integers(0, 31),
    part=hostile,
    expected=st.lists(hostile, max_size=2).map(tuple),
    found=st.none() | hostile,
    meaning=hostile,
)


def strings(value):
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    return [text for each in value for text in strings(each)] if isinstance(value, list) else [value]


@pytest.mark.attack("A16")
@given(
    st.lists(findings, max_size=4), st.lists(findings, max_size=2), st.none() | findings, st.none() | st.integers(0, 9)
)
def test_whatever_it_is_given_the_log_is_valid_and_inert(results, notices, failure, offset):
    made = log(
        results=tuple(SarifResult(each, TEXT, offset) for each in results), notices=tuple(notices), failure=failure
    )
    written = json.dumps(made)
    assert written.isascii()
    assert not any(ord(character) < 0x20 for character in written)
    assert faults(json.loads(written)) == []
    messages = [each["message"]["text"] for each in made["runs"][0]["results"]]
    messages += [each["message"]["text"] for each in made["runs"][0]["invocations"][0]["toolExecutionNotifications"]]
    for text in messages:
        assert not re.search(r"\]\(", text)
        assert not re.search(r"[{}]", text.replace("{{", "").replace("}}", ""))
        assert all(character.isprintable() or character == "\n" for character in text)
    parts = [each["properties"].get("part", "") for each in made["runs"][0]["results"]]
    assert all(character.isprintable() or character == "\n" for part in parts for character in part)
