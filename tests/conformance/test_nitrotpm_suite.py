# SPDX-License-Identifier: Apache-2.0
"""The suite of NitroTPM documents is what its README says, and our verifier passes all of it."""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
from conformance.adapters import strongroom_serve
from conformance.run import CLASSES, FOLDER, GROUPS, suite_id, table
from tests.conformance.suite import HERE, ROOT, VECTORS, run

README = (HERE / "README.md").read_text()
PAGE = (ROOT / "docs/conformance.md").read_text()
RULES = dict(re.findall(r"^\| `([a-z]+-[0-9])` \| (.+?) \|", README, re.MULTILINE))
P384_KEY = re.escape(bytes.fromhex("06072a8648ce3d020106052b8104002203620004")) + b"(.{96})"
CLASS_OF = {
    **dict.fromkeys(("envelope", "cbor", "payload", "kind"), "format"),
    **dict.fromkeys(("path", "time", "signature", "name"), "not-authentic"),
    **dict.fromkeys(("nonce", "age", "pcr", "binding"), "not-trusted"),
}


@pytest.mark.attack("A1")
@pytest.mark.attack("A7")
@pytest.mark.attack("A9")
@pytest.mark.attack("A10")
@pytest.mark.attack("A16")
def test_our_verifier_passes_every_vector_with_its_class():
    report = run(strongroom_serve.verify)
    assert [(v.vector.name, v.fault) for v in report.verdicts if v.fault] == []


def test_the_page_shows_the_table_of_this_suite_and_of_our_verifier():
    report = run(strongroom_serve.verify)
    assert table(report) in PAGE
    assert f"`{suite_id(FOLDER)}`" in PAGE
    assert f"{len(VECTORS)} vectors" in PAGE
    assert f"{len(VECTORS)} documents" in (ROOT / "README.md").read_text()


def test_the_page_shows_what_the_two_stubs_reach():
    for stub, result in (("accepts", "success"), ("refuses", "refused")):
        report = run(lambda _, result=result: {"result": result}, "accept")
        counts = report.groups().values()
        passed, total = (sum(row[key] for row in counts) for key in ("passed", "of"))
        assert f"one that {stub} everything passes {passed} of {total}" in PAGE


def test_the_generator_writes_exactly_these_vectors_and_this_table(tmp_path):
    shutil.copytree(HERE, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("*.vector", "__pycache__"))
    command = [sys.executable, str(tmp_path / "elsewhere/generate.py"), "--into", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True, env={"PATH": "/nowhere"})
    assert {p.name: p.read_bytes() for p in (tmp_path / "out/nitrotpm").iterdir()} == {
        p.name: p.read_bytes() for p in FOLDER.iterdir()
    }
    assert (tmp_path / "out/README.md").read_text() == README


def test_the_generator_shares_no_code_with_the_verifier():
    files = [HERE / "generate.py", *(HERE / "generator").rglob("*.py")]
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("strongroom", "tests") for name in names), file


def test_the_runner_is_one_file_that_needs_nothing_but_python():
    tree = ast.parse((HERE / "run.py").read_text())
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_every_rule_has_a_vector_and_every_vector_a_rule():
    assert {vector.one("rule") for vector in VECTORS} == set(RULES)


def test_the_class_follows_from_the_rule():
    assert set(CLASS_OF) | {"good"} == set(GROUPS)
    for vector in VECTORS:
        assert vector.one("expect") in ("success", CLASS_OF.get(vector.group)), vector.name
        assert vector.name.startswith(f"{vector.group}-")


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("good", "name")])
def test_every_group_refuses_something_that_is_not_optional(group):
    assert any(v.one("expect") == CLASS_OF[group] for v in VECTORS if v.group == group and not v.optional)


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "kind"])
def test_every_group_accepts_something_that_is_not_optional(group):
    assert any(v.one("expect") == "success" for v in VECTORS if v.group == group and not v.optional)


def test_every_class_is_explained():
    assert all(f"| `{name}` |" in README for name in CLASSES)


def test_the_readme_shows_a_request_as_it_is():
    (example,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    shown, real = json.loads(example), VECTORS[0].inputs()
    assert list(shown) == ["id", *real]
    assert [type(value) for value in shown.values()][1:-2] == [type(value) for value in real.values()][:-2]


def test_the_readme_explains_every_key():
    explained = set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"^\| (`.*?) \|", README, re.MULTILINE))))
    assert {key for vector in VECTORS for key in vector.head} <= explained


def test_every_vector_compares_the_gate_set_and_nearly_every_one_pcr_7():
    compared = [set(vector.pcrs()) for vector in VECTORS]
    assert all(found >= {"2", "4", "12", "13"} for found in compared)
    assert sum("7" not in found for found in compared) == 1


def test_optional_vectors_say_why_and_no_other_does():
    for vector in VECTORS:
        assert (vector.find("optional"), vector.find("reason") is not None) in (("yes", True), (None, False))


def test_no_document_is_larger_than_any_reader_has_to_take():
    assert max(len(vector.document) for vector in VECTORS) <= 16_384


def test_no_two_vectors_ask_the_same():
    asked = {(v.document, tuple(sorted(map(str, v.inputs().items())))) for v in VECTORS}
    assert len(asked) == len(VECTORS)
    assert len({v.one("comment") for v in VECTORS}) == len(VECTORS)


@pytest.mark.attack("A8")
def test_documents_that_are_the_same_have_other_bytes_and_the_same_payload():
    by_name = {vector.name: vector for vector in VECTORS}
    twins = [(v, by_name[v.one("same-as")]) for v in VECTORS if v.find("same-as")]
    assert len(twins) == 2
    for one, other in twins:
        identities = {strongroom_serve.verify(v.inputs())["identity"] for v in (one, other)}
        assert one.document != other.document
        assert len(identities) == 1


@pytest.mark.attack("K15")
def test_the_suites_roots_are_not_awss():
    pinned = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
    assert all(vector.one("root-sha256") != pinned for vector in VECTORS)


def test_no_genuine_document_or_certificate_is_in_the_suite(genuine_vectors):
    genuine = [file.read_bytes() for file in (genuine_vectors / "documents").glob("*.cbor")]
    pieces = {hashlib.sha256(document).digest() for document in genuine}
    assert not pieces & {hashlib.sha256(vector.document).digest() for vector in VECTORS}
    keys = [key for document in genuine for key in re.findall(P384_KEY, document, re.DOTALL)]
    assert len(keys) > 50
    whole = b"".join(vector.document for vector in VECTORS)
    assert not [key for key in keys if key in whole]
