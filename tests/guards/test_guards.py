# SPDX-License-Identifier: Apache-2.0
"""Every guard of the security modules is missed when it is gone (how: deletion.py; which modules: modules.toml)."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest
from tests.guards import deletion
from tests.guards.mutants import mutants
from tests.guards.notes import NOTE, REACHED, REFUSED, noting_codes

HERE = Path(__file__).parent
SECURITY = ("agent", "appraisal", "aws", "crypto", "flows", "formats", "keypolicy", "measure", "tpm", "twin/kms")
"""Packages of which every module with a guard is in modules.toml."""


def reports(root, pick=""):
    """Run the pass of the project at `root`, and return what it says of each module."""
    command = [sys.executable, str(root / "tests/guards/deletion.py"), pick]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    return {report["module"]: report for report in map(json.loads, run.stdout.splitlines())}


@pytest.fixture(scope="module")
def all_reports():
    return reports(deletion.ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("module", deletion.configuration())
def test_removing_any_guard_is_noticed(module, all_reports):
    report = all_reports[module]
    argued = deletion.configuration()[module].get("survivors", {})
    assert report["guards"] > 0, "a module without a guard: remove it from modules.toml"
    assert sorted(argued) == report["survivors"], "each survivor needs a test, or an argument in modules.toml"


def test_no_module_with_a_guard_is_left_out():
    listed = set(deletion.configuration())
    packages = deletion.SOURCES / "strongroom"
    files = {package: sorted((packages / package).rglob("*.py")) for package in SECURITY}
    assert all(files.values()), "a package without files: was it renamed?"
    for file in itertools.chain.from_iterable(files.values()):
        module = ".".join(file.relative_to(deletion.SOURCES).with_suffix("").parts)
        assert module in listed or not mutants(file, module), f"{module} has guards, and modules.toml lacks it"


def test_a_guard_is_found_wherever_it_stands(tmp_path):
    file = tmp_path / "m.py"
    file.write_text(
        "def f(x):\n"
        "    if x:\n        raise E('a.b', 'm')\n"
        "    try:\n        verify_it(x)\n    except K as k:\n        raise E('c.d', 'm') from k\n"
        "    match x:\n        case 1:\n            raise ValueError\n"
        "    x.refuse('e.f', 'm')\n"
        "    y = verify_that(x)\n    return y\n"
        "def g(x):\n    return [one(x), *more(x)], (*one(x), *more(x)), (one(x), 2)\n"
    )
    found = mutants(file, "m")
    assert [m.name for m in found] == [
        "f: raise E a.b",
        "f: verify_it",
        "f: raise E c.d",
        "f: raise ValueError",
        "f: refuse e.f",
        "g: item one",
        "g: item more",
        "g: item one #2",
        "g: item more #2",
    ]
    assert len({json.dumps(sorted(code.co_code.hex() for code in m.codes().values())) for m in found}) == len(found)


def test_a_guard_notes_when_it_is_reached_and_when_it_refuses(tmp_path):
    file = tmp_path / "m.py"
    file.write_text(
        "def f(x):\n    verify_it(x)\n    return [one(x), *more(x)]\n"
        "def verify_it(x):\n    if x:\n        raise ValueError(x)\n"
    )
    noted = []
    names = {NOTE: lambda *note: noted.append(note), "one": lambda x: 1, "more": lambda x: (2, 3)}
    codes = noting_codes(file, "m")
    names |= {name: FunctionType(code, names) for (name, _), code in codes.items()}
    assert names["f"](0) == [1, 2, 3]
    assert noted == [("m:0", REACHED), ("m:1", REACHED), ("m:2", REACHED)]
    noted.clear()
    with pytest.raises(ValueError, match="7"):
        names["f"](7)
    assert noted == [("m:0", REACHED), ("m:3", REACHED), ("m:3", REFUSED), ("m:0", REFUSED)]


SOURCE = """
import functools

@functools.cache
def read(text):
    def inner(text):
        if not text:
            raise ValueError("an empty text")
        return text
    if len(text) > 3:
        raise ValueError("a long text")
    return inner(text)

class Room:
    @property
    def key(self):
        raise KeyError("no key")
"""
TESTS = """
import pytest
from vault import Room, read

def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="an empty text"):
        read("")

def test_a_text_is_read():
    assert read("abc") == "abc"

def test_there_is_no_key():
    with pytest.raises(KeyError):
        Room().key
"""


def small_project(folder, tests):
    (folder / "src").mkdir()
    (folder / "src/vault.py").write_text(SOURCE)
    (folder / "tests/guards").mkdir(parents=True)
    (folder / "tests/test_vault.py").write_text(tests)
    (folder / "tests/guards/modules.toml").write_text('[vault]\ntests = ["tests/test_vault.py"]\n')
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = [".", "src"]\naddopts = ["--import-mode=importlib"]\n'
        'markers = ["slow: s"]\n'
    )
    for file in set(HERE.glob("*.py")) - set(HERE.glob("test_*.py")):
        shutil.copy(file, folder / "tests/guards")
    return folder


def test_the_pass_tells_a_guard_that_is_tested_from_one_that_is_not(tmp_path):
    report = reports(small_project(tmp_path, TESTS))["vault"]
    assert report == {"module": "vault", "guards": 3, "survivors": ["read: raise ValueError a long text"]}


def test_tests_that_fail_by_themselves_prove_nothing(tmp_path):
    with pytest.raises(AssertionError, match="fails without any change"):
        reports(small_project(tmp_path, TESTS + "\ndef test_wrong():\n    assert read('abc') == 'abd'\n"))


ENDLESS = """
def count_down(number, steps=()):
    for step in steps or iter(int, 1):
        if number < 0:
            raise ValueError("a negative number")
        if number == 0:
            return
        number -= 1
"""
TESTS_OF_ENDLESS = """
import pathlib
import pytest
from vault import count_down

def test_a_negative_number_is_refused():
    with pytest.raises(ValueError):
        count_down(-1)
"""
TESTS_THAT_NOTICE = """
def test_a_negative_number_is_refused_in_time():
    pathlib.Path(__file__).with_name("noticed").touch()
    with pytest.raises(ValueError):
        count_down(-1, steps=[0])
"""


@pytest.mark.slow
def test_a_test_that_a_mutant_makes_endless_waits_until_all_others_have_run(tmp_path):
    project = small_project(tmp_path, TESTS_OF_ENDLESS)
    (project / "src/vault.py").write_text(ENDLESS)
    (project / "tests/test_with_end.py").write_text(TESTS_OF_ENDLESS + TESTS_THAT_NOTICE)
    settings = project / "tests/guards/modules.toml"
    settings.write_text('[vault]\ntests = ["tests/test_vault.py", "tests/test_with_end.py"]\n')
    assert reports(project)["vault"] == {"module": "vault", "guards": 1, "survivors": []}
    assert (project / "tests/noticed").exists(), "the mutant was given up before the test that notices it"
