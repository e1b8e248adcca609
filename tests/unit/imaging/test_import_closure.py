# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import pytest

import strongroom
from strongroom.imaging.import_closure import import_closure

PACKAGE = Path(strongroom.__path__[0])


@pytest.fixture
def package(tmp_path: Path):
    def write(**files: str) -> Path:
        for name, text in {"__init__": "", **files}.items():
            file = tmp_path.joinpath(*name.split("__in__")).with_suffix(".py")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def closure(folder: Path, root: str = "strongroom.a"):
    found = import_closure(root, package_folder=folder)
    return list(found.modules), found.foreign


def test_modules_are_followed_wherever_they_are_imported(package):
    folder = package(
        a="import os\nfrom strongroom import b\ndef f():\n    from strongroom.c import x\n",
        b="import strongroom.d",
        c="from strongroom import x",
        d="import cryptography.x509, boto3\n",
        e="",
    )
    modules, foreign = closure(folder)
    assert modules == ["strongroom", *(f"strongroom.{name}" for name in "abcd")]
    assert foreign == {"cryptography", "boto3"}


def test_packages_on_the_way_are_part_of_it(package):
    folder = package(a="import strongroom.p.m", p__in____init__="import strongroom.b", p__in__m="", b="")
    assert closure(folder)[0] == ["strongroom", "strongroom.a", "strongroom.b", "strongroom.p", "strongroom.p.m"]


def test_imports_for_type_checkers_are_none(package):
    folder = package(a="if TYPE_CHECKING:\n    import strongroom.b\nelse:\n    import strongroom.c\n", b="", c="")
    assert closure(folder)[0] == ["strongroom", "strongroom.a", "strongroom.c"]


def test_a_relative_import_is_refused(package):
    with pytest.raises(RuntimeError, match="relative"):
        closure(package(a="from . import b", b=""))


def test_a_root_that_is_not_there_is_refused(package):
    with pytest.raises(RuntimeError, match=r"strongroom\.z"):
        closure(package(), "strongroom.z")


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a process that has started the agent."""
    program = "import json, sys, strongroom.agent.main; print(json.dumps([*sys.modules]))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_what_the_agent_loads_when_it_runs_is_in_the_closure(loaded):
    ours = {name for name in loaded if name.partition(".")[0] == "strongroom"}
    found = import_closure("strongroom.agent.main", package_folder=PACKAGE)
    assert len(ours) > 90
    assert ours <= found.modules.keys()
    assert found.foreign == {"cryptography"}


def test_the_agent_loads_little_when_it_starts(loaded):
    unwanted = {"boto3", "botocore", "click", "rich", "asyncio", "unittest", "xml", "sqlite3", "logging"}
    assert {name.partition(".")[0] for name in loaded} & unwanted == set()
    assert len(loaded) < 420
