# SPDX-License-Identifier: Apache-2.0
"""A twin of `strongroom twin up` in a process of its own, in a folder of a test, on ports of the system's choice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import wait_until

ANY_PORTS = ("--port", "0", "--tls-port", "0")
AWS = Path(sys.executable).with_name("aws")


@dataclass
class Place:
    """A project's folder, and what is run in it. `started` are the processes to be ended with the test."""

    folder: Path
    started: list[int] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / ".strongroom" / "twin"

    @property
    def environment(self) -> dict[str, str]:
        names = ("PATH", "PYTHONPATH", "LANG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return kept | {"HOME": str(self.folder / "home"), "COLUMNS": "200"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "strongroom", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=100
        )

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return what it printed."""
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def up(self, *options: str) -> dict[str, Any]:
        found = self.json("twin", "up", "--detach", *ANY_PORTS, *options)
        self.started.append(found["pid"])
        return found

    def shell(self, script: str, account: str = "vendor") -> subprocess.CompletedProcess[str]:
        """Run lines in a shell that knows about the twin what `twin env` printed, and nothing more."""
        strongroom = f"{sys.executable} -m strongroom"
        lines = f'set -e; eval "$({strongroom} twin env {account})"; aws() {{ {sys.executable} {AWS} "$@"; }}\n{script}'
        return subprocess.run(
            ["sh", "-c", lines],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def kill(self, pid: int) -> None:
        """End it as a power cut would."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _runs(pid), "the twin survived SIGKILL")

    def end_all(self) -> None:
        for pid in self.started:
            if _runs(pid):
                os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Say whether a process is there and no zombie, which nobody but its parent can bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
