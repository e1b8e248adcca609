# SPDX-License-Identifier: Apache-2.0
import ctypes
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from strongroom.agent import process
from strongroom.agent.delivery import Owner, deliver
from strongroom.agent.fetch import fetch
from strongroom.errors import LocalFault

SRC = Path(__file__).parents[3] / "src"
CANARY = b"canary-7f3a9c41d2"


@pytest.mark.attack("K17")
def test_a_process_that_opens_secrets_leaves_no_core_dump():
    program = (
        "import ctypes, json, resource\n"
        "from strongroom.agent.process import forbid_core_dumps\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "state = lambda: [prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[1]]\n"
        "before = state()[0]; forbid_core_dumps(); print(json.dumps([before, *state()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [1, 0, 0]


def test_a_kernel_that_refuses_stops_the_agent(monkeypatch):
    class Refusing:
        @staticmethod
        def prctl(*_):
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(LocalFault) as caught:
        process.forbid_core_dumps()
    assert caught.value.code == "process.dumpable"


@pytest.fixture
def careless(tmp_path, monkeypatch):
    """The folder in which temporary files would end up, those in the working directory too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def where_the_canary_is(folder: Path, capfd, caplog) -> set[str]:
    """Look wherever a careless agent would leave a secret."""
    child = subprocess.run(["cat", "/proc/self/environ", "/proc/self/cmdline"], capture_output=True, check=True)
    output = capfd.readouterr()
    places = {
        "argv": Path("/proc/self/cmdline").read_bytes(),
        "environment": Path("/proc/self/environ").read_bytes() + repr(os.environ).encode(),
        "child": child.stdout,
        "stdout": output.out.encode(),
        "stderr": output.err.encode(),
        "log": caplog.text.encode(),
        "disk": b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()),
    }
    return {place for place, content in places.items() if CANARY in content}


@pytest.mark.attack("K17")
def test_a_fetched_and_delivered_secret_is_in_its_file_and_nowhere_else(world, careless, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    world.seal()
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        result = fetch(("db-password",), trust=world.trust(), ports=world.ports())
        deliver(result.files(), folder, owner=Owner(os.geteuid(), os.getegid()))
        assert CANARY in (folder / "db-password/password").read_bytes()
        assert where_the_canary_is(careless, capfd, caplog) == set()
    finally:
        shutil.rmtree(folder)


@pytest.mark.attack("K17")
def test_the_search_finds_a_planted_canary_in_each_place(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv("PLANTED", CANARY.decode())
    (tmp_path / "file").write_bytes(CANARY)
    logging.getLogger("planted").warning(CANARY.decode())
    os.write(1, CANARY)
    os.write(2, CANARY)
    found = where_the_canary_is(tmp_path, capfd, caplog)
    assert found == {"environment", "child", "stdout", "stderr", "log", "disk"}
    program = "import sys, pathlib; print(pathlib.Path('/proc/self/cmdline').read_bytes())"
    argv = subprocess.run([sys.executable, "-c", program, CANARY], capture_output=True, check=True)
    assert CANARY in argv.stdout


@pytest.mark.attack("K12")
def test_variables_are_forgotten():
    environment = {
        "AWS_ENDPOINT_URL": "x",
        "HTTPS_PROXY": "x",
        "PYTHONPATH": "x",
        "SSL_CERT_FILE": "x",
        "PATH": "/usr/bin",
    }
    process.clean_environment(environment)
    assert environment == {"PATH": "/usr/bin"}


@pytest.mark.attack("B17")
@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GLIBC_TUNABLES", "GCONV_PATH"])
def test_a_variable_of_the_loader_stops_the_agent(name):
    with pytest.raises(LocalFault) as caught:
        process.clean_environment({name: ""})
    assert caught.value.code == "process.loader-variable"


@pytest.mark.attack("K17")
@pytest.mark.parametrize(
    ("limit", "answer", "locked"),
    [(resource.RLIM_INFINITY, 0, True), (resource.RLIM_INFINITY, -1, False), (65_536, 0, False)],
)
def test_memory_is_locked_where_nothing_can_break_by_it(monkeypatch, limit, answer, locked):
    asked = []

    class Kernel:
        @staticmethod
        def mlockall(flags):
            asked.append(flags)
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Kernel)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert process.lock_memory() is locked
    assert asked == ([7] if limit == resource.RLIM_INFINITY else [])
