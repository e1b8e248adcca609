# SPDX-License-Identifier: Apache-2.0
"""The runner of the conformance suite believes exit codes and answers that were announced, and nothing else."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conformance.run import FOLDER, BadVectorError, load_vector, load_vectors, main
from tests.conformance.suite import HERE, ROOT

from conformance import run as runner

CHOSEN = ("good-plain", "envelope-tagged", "binding-all-fields", "envelope-text", "signature-stranger", "nonce-other")
SERVE = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(answer(request)), flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six vectors: three good, one of each other class."""
    folder = tmp_path_factory.mktemp("vectors")
    for name in CHOSEN:
        shutil.copy(FOLDER / f"{name}.vector", folder)
    return folder


@pytest.fixture
def call(folder, capsys, tmp_path):
    """Run the runner; return exit code, what it printed, and the report."""

    def call(*options, command):
        report = tmp_path / "report.json"
        code = main([*options, "--vectors", str(folder), "--json", str(report), "--", *command])
        return code, capsys.readouterr().out, json.loads(report.read_text())

    return call


def python(code, *arguments):
    return [sys.executable, "-c", code, *(arguments or ("{document}",))]


def server(body):
    return [sys.executable, "-c", f"def answer(request):\n    {body}\n{SERVE}"]


def faults(report):
    return {failure["name"]: failure["fault"] for failure in report["failures"]}


BY_LENGTH = """
import sys
document = open(sys.argv[1], "rb").read()
good = b"nonce" in document and bytes.fromhex(sys.argv[2]) in document
print("DIGEST", len(document) if document[0] != 0xd2 else len(document) - 1)
sys.exit(0 if good else 7)
"""
"""A verifier that looks for the nonce and does no more."""


def test_what_passes_and_what_does_not_is_told(call):
    code, said, report = call("--refused", "7", command=python(BY_LENGTH, "{document}", "{nonce}"))
    assert code == 1
    assert faults(report) == {"signature-stranger": "accepted"}
    assert "signature-stranger: accepted; signed with a stranger's key [signature-1]" in said
    assert "| signature | 0      | 1  |" in said
    assert report["groups"]["signature"] == {"passed": 0, "of": 1, "optional_passed": 0, "optional_of": 0}
    assert (report["level"], report["passed"], report["partial"]) == ("accept", False, False)


@pytest.mark.parametrize("code", [0, 1])
def test_accepting_or_refusing_everything_fails(call, code):
    assert call(command=python(f"raise SystemExit({code})"))[0] == 1


@pytest.mark.parametrize(
    ("crash", "fault"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed by signal 11"),
        ("raise ValueError", "crashed: Traceback (most recent call last)"),
        ("import sys; print('panic: runtime error'); sys.exit(1)", "crashed: panic: "),
        (
            "import sys; print('''thread 'main' panicked at src/main.rs'''); sys.exit(1)",
            "crashed: thread 'main' panicked",
        ),
        ("raise SystemExit(2)", "exit code 2, which is neither 0 nor a refusal"),
        ("raise SystemExit(101)", "exit code 101, which is neither 0 nor a refusal"),
        ("raise SystemExit(139)", "exit code 139, which is neither 0 nor a refusal"),
    ],
)
def test_a_crash_is_no_refusal(call, crash, fault):
    code, _, report = call(command=python(crash))
    assert (code, set(faults(report).values()), len(report["failures"])) == (1, {fault}, len(CHOSEN))


@pytest.mark.slow
def test_no_answer_in_time_is_no_refusal_and_what_the_command_started_is_ended(call, tmp_path):
    late = tmp_path / "late"
    child = f"import time; time.sleep(1.5); open({str(late)!r}, 'w')"
    hang = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    code, _, report = call("--timeout", "0.3", "--jobs", "6", command=python(hang))
    assert (code, set(faults(report).values())) == (1, {"no answer in 0.3 s"})
    subprocess.run([sys.executable, "-c", "import time; time.sleep(1.5)"], check=True)
    assert not late.exists()


def by_vector(codes):
    """Return a verifier that knows the answers by the documents' first and last bytes; `codes` are its exit codes."""
    known = {load_vector(FOLDER / f"{name}.vector").document: code for name, code in codes.items()}
    table = {f"{document[:1].hex()}{document[-48:].hex()}": code for document, code in known.items()}
    return python(
        f"import sys; d = open(sys.argv[1], 'rb').read(); c = {table!r}[d[:1].hex() + d[-48:].hex()]\n"
        "print('said:', c); sys.exit(c)"
    )


RIGHT = {**dict.fromkeys(CHOSEN, 0), "envelope-text": 3, "signature-stranger": 4, "nonce-other": 5}
MAP = ("--class-map", "3=format,4=not-authentic,5=not-trusted")


def test_classes_come_from_exit_codes(call):
    code, said, report = call("--level", "class", *MAP, command=by_vector(RIGHT))
    assert (code, report["failures"], report["passed"]) == (0, [], True)
    assert said.endswith("\npassed\n")


def test_a_wrong_class_fails_at_the_level_class_and_not_at_accept(call):
    wrong = RIGHT | {"nonce-other": 4}
    code, _, report = call("--level", "class", *MAP, command=by_vector(wrong))
    assert (code, faults(report)) == (1, {"nonce-other": "expected not-trusted, found not-authentic"})
    assert call(*MAP, command=by_vector(wrong))[0] == 0


def test_classes_come_from_output_where_one_code_refuses_all(call):
    regexes = [f"--class-regex={name}=said: {code}$" for name, code in (("format", 31), ("not-authentic", 32))]
    command = by_vector(RIGHT | {"envelope-text": 31, "signature-stranger": 32, "nonce-other": 33})
    code, _, report = call("--level", "class", "--refused", "30-39", *regexes, command=command)
    assert (code, faults(report)) == (1, {"nonce-other": "expected not-trusted, found refused"})
    regexes.append("--class-regex=not-trusted=said")
    assert call("--level", "class", "--refused", "30-39", *regexes, command=command)[0] == 0


def test_documents_that_are_the_same_must_not_be_told_apart(call):
    whole = BY_LENGTH.replace(" if document[0] != 0xd2 else len(document) - 1", "")
    for source, fault in ((BY_LENGTH, None), (whole, "told apart from good-plain, which is the same document")):
        options = ("--refused", "7", "--identity", "DIGEST ([0-9]+)")
        report = call(*options, command=python(source, "{document}", "{nonce}"))[2]
        assert faults(report).get("envelope-tagged") == fault


def test_every_placeholder_is_filled(call, tmp_path):
    log = tmp_path / "log"
    source = (
        "import sys; files = dict(zip(sys.argv[1:7:2], (open(f, 'rb').read().hex() for f in sys.argv[2:7:2])))\n"
        f"open({str(log)!r}, 'a').write(repr((files, sys.argv[7:])) + '\\n')"
    )
    command = python(
        source,
        *("document", "{document}", "root", "{root-der}", "nonce", "{nonce-file}"),
        *("{time}", "at={unix-time}", "{nonce}", "{max-age}", "{root-sha256}", "{unknown}", "{pcrs}", "{public-key}"),
    )
    call("--jobs", "1", "--pcr-args", "-p {index} {value}", "--public-key-args", "--key {hex}", command=command)
    seen = [ast.literal_eval(line) for line in log.read_text().splitlines()]
    vectors = load_vectors(FOLDER)
    for name, (files, arguments) in zip(sorted(CHOSEN), seen, strict=True):
        vector = next(v for v in vectors if v.name == name)
        inputs = vector.inputs()
        assert files == {key: inputs[key] for key in ("document", "root", "nonce")}
        assert arguments[:6] == [
            *("2026-06-01T12:00:10Z", "at=1780315210", inputs["nonce"], "300", inputs["root_sha256"], "{unknown}")
        ]
        pcrs = [part for index, value in inputs["pcrs"].items() for part in ("-p", index, value)]
        key = ["--key", inputs["public_key"]] if inputs["public_key"] else []
        assert arguments[6:] == [*pcrs, *key]
    assert any(inputs for inputs in seen if "--key" in inputs[1])


def test_a_command_gets_everything_in_one_file_too(call, tmp_path):
    log = tmp_path / "log"
    source = f"import sys; open({str(log)!r}, 'a').write(open(sys.argv[1]).read() + '\\n')"
    call("--jobs", "1", command=python(source, "{inputs}"))
    vectors = {v.name: v for v in load_vectors(FOLDER)}
    assert list(map(json.loads, log.read_text().splitlines())) == [vectors[name].inputs() for name in sorted(CHOSEN)]


def test_nothing_of_what_is_expected_reaches_the_verifier():
    for vector in load_vectors(FOLDER):
        said = json.dumps(vector.inputs())
        assert not any(word in said for word in (vector.name, vector.one("expect"), vector.one("comment")))


# --- one process for all vectors --------------------------------------------------------------------------------------


KNOWING = """
import json, sys
known = json.load(open({table!r}))
for line in sys.stdin:
    r = json.loads(line)
    print(json.dumps({{"id": r["id"], "result": known[r["document"]], "identity": r["nonce"]}}), flush=True)
"""


def test_a_server_answers_line_for_line(call, tmp_path, folder):
    table = tmp_path / "table.json"
    table.write_text(json.dumps({v.document.hex(): v.one("expect") for v in load_vectors(folder)}))
    command = [sys.executable, "-c", KNOWING.format(table=str(table))]
    for jobs in ("1", "4"):
        assert call("--level", "class", "--serve", "--jobs", jobs, command=command)[0] == 0


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("return {'id': request['id'], 'result': 'success'}", "accepted"),
        ("return {'id': request['id'], 'result': 'fine'}", "not an answer: expected id"),
        ("return {'id': request['id'] + 1, 'result': 'refused'}", "not an answer: expected id"),
        ("return ['success']", "not an answer: expected id"),
        ("print('log: starting'); return {'id': request['id'], 'result': 'refused'}", "not an answer: "),
        ("raise SystemExit(0)", "ended instead of an answer"),
        ("import os; os.kill(os.getpid(), 11)", "ended instead of an answer"),
    ],
)
def test_what_a_server_says_besides_answers_fails_that_vector(call, body, fault):
    code, _, report = call("--serve", command=server(body))
    assert code == 1
    assert all(found.startswith(fault) for found in faults(report).values())
    refused = {failure["name"] for failure in report["failures"]}
    assert {"envelope-text", "signature-stranger", "nonce-other"} <= refused
    assert len(refused) == (3 if fault == "accepted" else len(CHOSEN))


def test_a_server_that_hangs_or_dies_on_one_vector_is_asked_about_the_others(call):
    for misbehave, fault in (("time.sleep(5)", "no answer in 0.5 s"), ("sys.exit(1)", "ended instead of an answer")):
        body = f"import time, sys; '' if len(request['document']) > 99 else {misbehave}; return dict(id=request['id'], result='success')"  # noqa: E501
        code, _, report = call("--serve", "--jobs", "1", "--timeout", "0.5", command=server(body))
        assert code == 1
        assert faults(report) == {
            "envelope-text": fault,
            "signature-stranger": "accepted",
            "nonce-other": "accepted",
        }


# --- what gives no result ---------------------------------------------------------------------------------------------


def test_a_part_of_the_suite_is_no_result(call):
    code, said, report = call("--only", "good-*", "--only", "envelope-tagged", command=python(""))
    assert code == 3
    assert "a part is no result" in said
    assert (report["partial"], report["passed"]) == (True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--", "true"],
        ["--level", "class", "--", "true", "{document}"],
        ["--only", "nothing-*", "--", "true", "{document}"],
        ["--class-map", "3=wrong", "--", "true", "{document}"],
        ["--class-map", "x=format", "--", "true", "{document}"],
        ["--class-map", "0=format", "--", "true", "{document}"],
        ["--class-regex", "format=(", "--", "true", "{document}"],
        ["--refused", "0", "--", "true", "{document}"],
        ["--jobs", "0", "--", "true", "{document}"],
        ["--timeout", "0", "--", "true", "{document}"],
        ["--", "/no/such/verifier", "{document}"],
        ["--serve", "--", "/no/such/verifier"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--vectors", str(folder), *arguments])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_reader_that_goes_away_gets_no_result_and_no_stack_trace(folder):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, HERE / "run.py", "--vectors", folder, "--", "true", "{document}"]
    run = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, "")


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "example:" in capsys.readouterr().out


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(BadVectorError, match="no vectors"):
        load_vectors(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"rule: good-1\n", b""),
        (b"rule: good-1\n", b"rule: good-1\nrule: good-1\n"),
        (b"rule: good-1\n", b"rule: good-1\ntenant: acme\n"),
        (b"rule: good-1\n", b"rule: better-1\n"),
        (b"rule: good-1\n", b"rule good-1\n"),
        (b"expect: success\n", b"expect: yes\n"),
        (b"root-sha256: ", b"root-sha256: 0"),
    ],
)
def test_a_file_that_is_no_vector_is_an_error(tmp_path, old, new):
    content = (FOLDER / "good-plain.vector").read_bytes()
    path = tmp_path / "good-plain.vector"
    path.write_bytes(content)
    load_vector(path)
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(BadVectorError):
        load_vector(path)


def test_the_suites_id_changes_with_any_byte(tmp_path):
    shutil.copy(FOLDER / "good-plain.vector", tmp_path)
    before = runner.suite_id(tmp_path)
    path = tmp_path / "good-plain.vector"
    path.write_bytes(path.read_bytes() + b"\0")
    assert runner.suite_id(tmp_path) != before


# --- the real command -------------------------------------------------------------------------------------------------


def documented(word):
    """Return the one command of the page that has this word: options of the runner, and the verifier's command."""
    page = (ROOT / "docs/conformance.md").read_text()
    blocks = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    commands = [shlex.split(block.replace("\\\n", " ")) for block in blocks]
    ((python, script, *words),) = [command for command in commands if word in command]
    assert (python, script) == ("python", "conformance/run.py")
    return words[: words.index("--")], words[words.index("--") + 1 :]


def expect_to_pass(options, verifier, tmp_path):
    """Run a verifier on the whole suite, in the project's folder. It passes every vector, the optional ones too."""
    report = tmp_path / "report.json"
    command = [sys.executable, "conformance/run.py", *options, "--timeout", "60", "--json", report, "--", *verifier]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.endswith("\npassed\n")) == (0, True), run.stdout[-3000:] + run.stderr[-1000:]
    found = json.loads(report.read_text())
    assert (found["level"], found["failures"]) == ("class", [])  # whoever passes with classes passes without


@pytest.mark.slow
def test_our_command_as_documented_passes_every_vector(tmp_path):
    options, (program, *arguments) = documented("strongroom")
    assert program == "strongroom"
    expect_to_pass(options, [sys.executable, "-m", program, *arguments], tmp_path)


def test_our_library_as_documented_passes_every_vector(tmp_path):
    options, (python, *arguments) = documented("--serve")
    assert python == "python"
    expect_to_pass(options, [sys.executable, *arguments], tmp_path)


def test_what_passes_with_classes_passes_without():
    vectors = load_vectors(FOLDER)
    for answers in ([runner.Answer(v.one("expect")) for v in vectors], [runner.Answer("format")] * len(vectors)):
        with_classes, without = ({v.vector.name for v in runner.judge(vectors, answers, level).verdicts if not v.fault}
                                 for level in ("class", "accept"))  # fmt: skip
        assert with_classes <= without
