# SPDX-License-Identifier: Apache-2.0
"""Documentation is tested: its code runs, its data parses, its links lead somewhere, its commands exist."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PAGES += [ROOT / "conformance/README.md"]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARSED_AS = {"json": json.loads, "toml": tomllib.loads}
SHOWN_ONLY = {"text", "cddl", "js", ""}
"""Of blocks that are not tested here: drawings, layouts, grammars, what commands say of themselves (test_reference.py),
and commands that need an instance, somebody's verifier, or a minute. JavaScript and the commands of docs/conformance.md
run in tests/conformance, the guides in test_guides.py."""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page.read_text()) if found == language]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder as `strongroom demo --keep .` leaves it, where the commands and programs of the pages run."""
    folder = tmp_path_factory.mktemp("docs")
    run_line("strongroom demo --keep kept", folder)
    return folder


def run_line(line: str, folder: Path) -> None:
    expected = int(found.group(1)) if (found := re.search(r"# exit (\d+)$", line)) else 0
    words = shlex.split(line, comments=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    run = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == expected, f"{line}\n{run.stdout[-1500:]}{run.stderr[-1500:]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_of_a_kind_that_is_tested(page):
    kinds = {language for language, _ in BLOCK.findall(page.read_text())}
    assert kinds <= {"python", "console", *PARSED_AS, *SHOWN_ONLY}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_data_in_the_page_parses(page):
    for language, parse in PARSED_AS.items():
        for body in blocks(page, language):
            parse(body)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if p.parent.name != "guides" and (blocks(p, "python") or blocks(p, "console"))],
    ids=name,
)
def test_code_in_the_page_runs(page, workplace):
    for body in blocks(page, "console"):
        for line in re.findall(r"^\$ (.+)$", body, re.MULTILINE):
            if line.startswith("make "):
                assert f"\n{line.split()[1]}:" in (ROOT / "Makefile").read_text()
            else:
                run_line(line, workplace)
    for body in blocks(page, "python"):
        run = subprocess.run([sys.executable, "-c", body], cwd=workplace, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
