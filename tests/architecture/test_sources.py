# SPDX-License-Identifier: Apache-2.0
"""What every source file of the project promises."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
CONFORMANCE = sorted((ROOT / "conformance").rglob("*.py"))
BENCH = sorted((ROOT / "bench").rglob("*.py"))
ALL_PYTHON = sorted([*SOURCES, *CONFORMANCE, *BENCH, *(ROOT / "tests").rglob("*.py")])
MAXIMUM_LINES = 400
PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")
OF_AWS = {"docs/attestation_process.md"}
"""Pages of AWS's own repositories, cited with their names."""
FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_are_sources():
    assert len(SOURCES) > 10


@pytest.mark.parametrize("file", ALL_PYTHON, ids=name)
def test_every_file_names_its_licence_first(file):
    assert file.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_every_source_file_says_what_it_is_for_and_stays_small(file):
    text = file.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module docstring"
    assert len(text.splitlines()) <= MAXIMUM_LINES


@pytest.mark.parametrize("file", [f for f in ALL_PYTHON if f != Path(__file__)], ids=name)
def test_nothing_is_left_for_later(file):
    assert not FORBIDDEN_WORDS.search(file.read_text())


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_nobody_swallows_every_exception(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("everything", "Exception", "BaseException"), f"line {node.lineno}"


@pytest.mark.parametrize("file", [*SOURCES, *CONFORMANCE], ids=name)
def test_a_source_cites_only_what_its_reader_has(file):
    text = file.read_text()
    missing = {page for page in PAGE.findall(text) if not (ROOT / page).is_file()}
    assert not missing - OF_AWS, "pages that are named and not there"
    assert not re.search(r"\bDESIGN\b", text), "name the page of docs/ that says so"


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_only_crypto_and_the_twin_import_cryptography(file):
    package = file.relative_to(ROOT / "src/strongroom").parts[0]
    if package not in ("crypto", "twin"):
        assert not any(module.partition(".")[0] == "cryptography" for module in imports(file))


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_only_the_sdk_adapters_and_the_twin_import_boto(file):
    parts = file.relative_to(ROOT / "src/strongroom").parts
    if parts[:2] != ("aws", "sdk") and parts[0] != "twin":
        assert not any(module.partition(".")[0] in ("boto3", "botocore") for module in imports(file))


def test_importing_the_library_loads_no_aws_sdk_and_no_command_line():
    extras = ("boto3", "botocore", "click", "rich", "cheroot")
    code = f"import strongroom, sys; print([m for m in {extras} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-esys-build.lock", "requirements-esys.lock"])
def test_the_lock_files_pin_hashes_and_name_no_host(name):
    lock = (ROOT / name).read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock
