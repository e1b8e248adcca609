# SPDX-License-Identifier: Apache-2.0
"""The app as a child, with real processes: it gets our signals once, we end as it does, and nothing ends us before."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.processes import wait_until

from strongroom.agent import child
from strongroom.errors import LocalFault

RUN = """
import json, os, sys
from pathlib import Path
from strongroom.agent.child import run_child, signals_held
with signals_held():
    code = run_child(Path(sys.argv[1]), sys.argv[1:], environment={**os.environ, "ADDED": "by us"})
    print("put away", flush=True)
sys.exit(code)
"""
COUNTS = """
import signal, sys, time
seen = []
for each in map(signal.Signals, (1, 2, 3, 10, 12, 15)):
    signal.signal(each, lambda number, frame: seen.append(signal.Signals(number).name))
print("ready", flush=True)
deadline = time.monotonic() + 20
while not seen and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.3)
print(",".join(seen), flush=True)
sys.exit(40)
"""
"""Waits for a signal, and a little longer for another, and says which came."""


def start(program: str, *words: str, **settings) -> "subprocess.Popen[str]":
    """Run `program` of Python, which runs the words."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **settings,
    )


def outcome(script: str, *, program: str = RUN, **settings) -> tuple[int, str]:
    """Run a shell script as the app, and return the exit code and what was printed."""
    with start(program, "/bin/sh", "-c", script, **settings) as process:
        out, err = process.communicate(timeout=30)
    assert not err
    return process.returncode, out


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_it_ends_with_the_code_of_the_app(code):
    assert outcome(f"exit {code}") == (code, "put away\n")


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "INT"])
def test_an_app_that_a_signal_ended_gives_what_a_shell_gives(name):
    number = signal.Signals[f"SIG{name}"]
    assert outcome(f"ulimit -c 0; kill -{name} $$") == (128 + number, "put away\n")


@pytest.mark.parametrize("sent", sorted(child.PASSED_ON))
def test_a_signal_reaches_the_app_once_and_does_not_end_us(sent):
    with start(RUN, sys.executable, "-c", COUNTS) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (40, f"{signal.Signals(sent).name}\nput away\n")


def test_an_app_without_handlers_is_ended_and_then_we_are():
    with start(RUN, "/bin/sh", "-c", "echo ready; exec sleep 60") as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.communicate(timeout=30)[0] == "put away\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_ctrl_c_at_a_terminal_reaches_the_app_once():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", RUN, sys.executable, "-c", COUNTS])
    try:
        said = b""
        while b"ready" not in said:
            said += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        while b"put away" not in said:
            said += os.read(terminal, 1000)
        assert said.count(b"SIGINT") == 1
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 40
    finally:
        os.close(terminal)


def test_a_signal_that_came_before_the_app_is_not_lost():
    program = RUN.replace("    code = ", "    os.kill(os.getpid(), 15)\n    code = ")
    assert outcome("echo the app ran", program=program) == (128 + signal.SIGTERM, "put away\n")


def test_a_signal_that_comes_while_things_are_put_away_changes_nothing():
    program = RUN.replace('    print("put away"', '    os.kill(os.getpid(), 15); print("put away"')
    assert outcome("exit 3", program=program) == (3, "put away\n")


def test_whoever_started_us_may_ignore_the_end_of_children():
    ignoring = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    assert outcome("exit 3", program=ignoring + RUN) == (3, "put away\n")


def test_the_app_starts_with_no_signal_blocked_or_ignored_by_us():
    code, out = outcome("grep -E '^Sig(Blk|Ign)' /proc/self/status")
    masks = {line.split(":")[0]: int(line.split(":")[1], 16) for line in out.splitlines()[:2]}
    assert masks["SigBlk"] == 0
    assert not masks["SigIgn"] & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
    assert code == 0


def test_the_app_gets_its_environment_and_our_three_files_only():
    script = "import json, os; print(json.dumps([os.environ['ADDED'], sorted(os.listdir('/proc/self/fd'))]))"
    opened = "import os; left_open = open('/dev/null'); kept = os.pipe()\n"
    with start(opened + RUN, sys.executable, "-c", script) as process:
        out, _ = process.communicate(timeout=30)
    added, files = json.loads(out.splitlines()[0])
    assert added == "by us"
    assert files == ["0", "1", "2", "3"], "the fourth is the listing itself"


def test_a_stopped_and_continued_app_is_waited_for():
    with start(RUN, "/bin/sh", "-c", "echo $$; sleep 0.2; exit 5") as process:
        assert process.stdout
        app = int(process.stdout.readline())
        os.kill(app, signal.SIGSTOP)
        state = Path(f"/proc/{app}/stat")
        wait_until(lambda: state.read_text().split()[2] == "T", "the app did not stop")
        time.sleep(0.1)
        assert process.poll() is None
        os.kill(app, signal.SIGCONT)
        process.communicate(timeout=30)
    assert process.returncode == 5


def test_what_cannot_be_run_is_told(tmp_path):
    text = tmp_path / "text"
    text.write_text("no program")
    for mode in (0o600, 0o700):  # not executable, and executable but of no format that the kernel knows
        text.chmod(mode)
        with pytest.raises(LocalFault) as caught, child.signals_held():
            child.run_child(text, ["text"], environment={})
        assert caught.value.code == "exec.not-started"
        assert str(text) in caught.value.message


def test_signals_are_as_before_afterwards():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with child.signals_held():
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) >= child.PASSED_ON
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
