# SPDX-License-Identifier: Apache-2.0
"""The agent's files of an image, run as an image runs them: this machine's Python, its library, and nothing else.

The sandbox holds no package of this machine, so what the agent imports has to be among its files.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent_machine import MINE, agent_machine
from tests.flows import test_agent_on_twin as on_twin
from tests.flows.test_agent_on_twin import SECRET

from strongroom.formats.agent_config import AgentConfig, BundleOrigin
from strongroom.formats.uki import Architecture
from strongroom.imaging.agent_payload import UNIT, AgentSettings, agent_payload, compile_command
from strongroom.imaging.wheels import ImagePython
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice

scene = on_twin.scene
PYTHON = ImagePython("3.11", Architecture.X86_64)
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
HOOK = "import os; os.close(os.open('/hooked/'+__name__, os.O_CREAT))"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(PYTHON.program).exists() or not Path(LIBRARIES).exists(),
        reason=f"{PYTHON.program} is absent: this is no Debian 12 on x86_64, of which the sandbox is made",
    ),
]


@pytest.fixture(scope="module")
def tree(scene, tmp_path_factory):
    """The payload in a folder, as an image has it, with byte code of its own interpreter."""
    root = tmp_path_factory.mktemp("tree")
    cache = Path.home() / ".cache/strongroom/wheels"
    settings = AgentSettings(scene.trust_file, AgentConfig(BundleOrigin.IMAGE, (MINE,)), {"db-password": scene.bundle})
    for file in agent_payload(settings, PYTHON, wheel_cache=cache):
        path = root / file.path.removeprefix("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.contents)
        path.chmod(file.mode)
    done = sandboxed(root, root, *compile_command(PYTHON), writable=True)
    assert (done.returncode, done.stderr) == (0, "")
    return root


def sandboxed(tree: Path, run: Path, *command: str, writable: bool = False, **variables: str):
    """Run a command where only Python, its library, shared libraries, /dev and the payload are."""
    program = shutil.which("bwrap")
    assert program is not None, "bubblewrap is missing: tools/debian-packages names it"
    seen = ["/usr/lib/python3.11", LIBRARIES, PYTHON.program, "/etc/passwd", "/etc/group"]
    arguments = [program, "--unshare-pid", "--proc", "/proc", "--dev-bind", "/dev", "/dev", "--tmpfs", "/tmp"]
    for path in seen:
        arguments += ["--ro-bind", path, path]
    arguments += ["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
    arguments += ["--ro-bind", "/usr/lib64", "/usr/lib64"]
    arguments += ["--bind" if writable else "--ro-bind", f"{tree}/usr/lib/strongroom", "/usr/lib/strongroom"]
    arguments += ["--ro-bind", f"{tree}/usr/bin/strongroom-agent", "/usr/bin/strongroom-agent"]
    arguments += ["--bind", str(run), "/machine", "--clearenv", "--setenv", "PATH", "/usr/bin"]
    for name, value in variables.items():
        arguments += ["--setenv", name, value]
    return subprocess.run([*arguments, "--", *command], capture_output=True, text=True, check=False)


@pytest.fixture
def machine(scene):
    with agent_machine(scene.instance) as made:
        (made.root / "hooked").mkdir()
        yield made


def run_agent(tree, machine, *arguments, **variables):
    """Run the service with /machine as the place of everything but the program."""
    shutil.copytree(
        tree / "usr/lib/strongroom", machine.root / "usr/lib/strongroom", ignore=shutil.ignore_patterns("python")
    )
    device = PtyDevice(Board(machine.instance.tpm()), machine.root / "tpm0")
    try:
        words = ("--root", "/machine", "--tpm", "/machine/tpm0", "--console", "/machine/console", *arguments)
        return sandboxed(tree, machine.root, "/usr/bin/strongroom-agent", *words, **variables)
    finally:
        device.close()


def test_its_own_files_are_all_that_it_needs(tree, machine):
    done = run_agent(tree, machine, "run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.delivered.read_bytes() == SECRET
    assert len(machine.said().complete) == 1


def test_every_module_in_it_can_be_imported(tree, machine):
    """Those, too, that are loaded only now and then."""
    folder = tree / "usr/lib/strongroom/python"
    files = (file for file in (folder / "strongroom").rglob("*.py") if file.name != "__main__.py")
    names = [".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for file in files]
    program = f"import sys; sys.path.append('/usr/lib/strongroom/python'); [__import__(name) for name in {names}]"
    done = sandboxed(tree, machine.root, PYTHON.program, "-ISB", "-c", program)
    assert done.stderr == ""
    assert len(names) > 90


def test_byte_code_is_there_and_does_not_look_at_its_source(tree):
    compiled = list((tree / "usr/lib/strongroom/python").rglob("*.pyc"))
    assert len(compiled) > 150
    flags = {int.from_bytes(file.read_bytes()[4:8], "little") for file in compiled}
    assert flags == {1}, "PEP 552: hash-based and not checked"


@pytest.mark.attack("B17")
def test_start_up_hooks_of_the_interpreter_run_elsewhere_and_not_here(tree, machine):
    (machine.root / "hooks").mkdir()
    for name in ("sitecustomize", "usercustomize", "argparse", "strongroom"):
        (machine.root / f"hooks/{name}.py").write_text(HOOK.replace("/hooked", "/machine/hooked"))
    hooks = {"PYTHONPATH": "/machine/hooks", "PYTHONSTARTUP": "/machine/hooks/argparse.py", "PYTHONHOME": ""}
    plain = sandboxed(tree, machine.root, PYTHON.program, "-c", "import argparse", **hooks)
    assert plain.returncode == 0
    assert {path.name for path in (machine.root / "hooked").iterdir()} >= {"sitecustomize", "argparse"}, "they work"
    for path in (machine.root / "hooked").iterdir():
        path.unlink()
    done = run_agent(tree, machine, "run", **hooks)
    assert done.returncode == 0
    assert list((machine.root / "hooked").iterdir()) == []


@pytest.mark.attack("B17")
def test_a_library_that_is_loaded_before_it_stops_it(tree, machine):
    done = run_agent(tree, machine, "run", LD_PRELOAD="/machine/evil.so")
    assert done.returncode == 9
    assert machine.said().failures[-1].code == "process.loader-variable"
    assert not machine.delivered.exists()


def test_its_unit_is_hardened(tree):
    """systemd's own count: 0 is a service without rights, 10 one with all. docs/formats/agent.md names the number."""
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=22", "--no-pager", str(tree / UNIT[1:])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    sys.stdout.write(done.stdout.splitlines()[-1])
