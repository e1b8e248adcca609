# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from tests.twin_exec_project import write_project

from strongroom.cli.main import run
from strongroom.cli.project_file import read_project
from strongroom.cli.twin_exec import command
from strongroom.cli.twin_exec.plan import Wanted, read_plan


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A vendor's folder, and the one we are in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return write_project(tmp_path)


@pytest.fixture
def plan(project):
    """Read the plan for a tenant, with what is said of the options that matter."""

    def read(tenant="globex", **changes):
        nothing = {"target": None, "image": None, "measurements": (), "secrets": (), "account": None}
        return read_plan(read_project(project.file), Wanted(tenant, **(nothing | {"change_a_byte": False} | changes)))

    return read


@pytest.fixture
def refused(project, capsys, monkeypatch):
    """Run the command in this process, where it has to end before the app does; return its exit code and error."""
    monkeypatch.setattr(command, "forbid_core_dumps", lambda: None)  # these tests are not the process for it

    def ended(*options, app=("/bin/false",)):
        capsys.readouterr()
        code = run(["twin", "exec", "--json", *map(str, options), "--", *app])
        said = capsys.readouterr()
        assert not said.err
        return code, json.loads(said.out)["error"]

    return ended
