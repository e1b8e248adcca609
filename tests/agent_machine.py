# SPDX-License-Identifier: Apache-2.0
"""A machine with the agent's files below a folder in memory, a NitroTPM as a device, and a console that is a file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.agent.service import Agent, Places
from strongroom.formats.agent_config import AgentConfig, BundleOrigin, Delivery, encode_agent_config
from strongroom.formats.console import parse_console
from strongroom.formats.console_model import Console
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.formats.trust import Trust, encode_trust
from strongroom.twin.clock import SystemClock
from strongroom.twin.machine import Instance
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice

SOURCES = Path(__file__).parents[1] / "src"
MINE = Delivery("db-password", "/run/strongroom/secrets/db-password", os.geteuid(), os.getegid())


@dataclass
class AgentMachine:
    """Call `write` before the agent. Nothing runs by itself."""

    root: Path
    instance: Instance

    @property
    def console(self) -> Path:
        return self.root / "console"

    @property
    def delivered(self) -> Path:
        return self.root / "run/strongroom/secrets/db-password/password"

    def write(
        self,
        trust: Trust,
        *,
        bundle: bytes | None = None,
        origin: BundleOrigin = BundleOrigin.IMAGE,
        delivery: Delivery = MINE,
    ) -> None:
        """Write what an image has in /usr/lib/strongroom."""
        library = self.root / "usr/lib/strongroom"
        (library / "bundles").mkdir(parents=True, exist_ok=True)
        (library / "trust.json").write_bytes(encode_trust(trust))
        (library / "agent.toml").write_bytes(encode_agent_config(AgentConfig(origin, (delivery,))))
        if bundle is not None:
            (library / "bundles/db-password.bundle").write_bytes(bundle)

    def agent(self) -> Agent:
        """The agent in this process, with the instance's documents."""
        pcrs = PcrDigests.of({index: self.instance.pcrs[index] for index in GATES})
        return Agent(Places(self.root, self.console), self.instance, lambda: pcrs, SystemClock(), memory_locked=False)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The agent as a program, which has to go through the device."""
        device = PtyDevice(Board(self.instance.tpm()), self.root / "tpm0")
        try:
            command = [sys.executable, "-m", "strongroom.agent", "--root", str(self.root)]
            command += ["--tpm", str(self.root / "tpm0"), "--console", str(self.console), *arguments]
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), **variables}
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        finally:
            device.close()

    def said(self) -> Console:
        return parse_console(self.console.read_bytes())


@contextmanager
def agent_machine(instance: Instance) -> Iterator[AgentMachine]:
    """Make the folders, for the time of the block."""
    root = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="strongroom-machine-"))
    root.chmod(0o755)
    try:
        (root / "run/strongroom").mkdir(parents=True)
        (root / "console").write_bytes(b"[    0.000000] Linux\n")
        yield AgentMachine(root, instance)
    finally:
        shutil.rmtree(root)
