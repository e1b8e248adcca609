# SPDX-License-Identifier: Apache-2.0
"""The agent as a program of this machine, on a modelled instance: for attacks on what it reads, which need no boot.

Below a folder in memory lie the files that an image has in /usr/lib/strongroom; the NitroTPM is a device file, the
metadata service that of the instance. The program is started as the image's own launcher does it, or in another way
where that is the guard that is taken out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import strongroom
from strongroom.errors import FormatError, LocalFault
from strongroom.formats.agent_config import AgentConfig, BundleOrigin, Delivery, encode_agent_config
from strongroom.formats.console import parse_console
from strongroom.formats.image_paths import BUNDLE_FOLDER, BUNDLE_SUFFIX, CONFIG_FILE, RUN_FOLDER, TRUST_FILE
from strongroom.formats.trust import Trust, encode_trust
from strongroom.twin.attack.vendor import SECRET, SECRET_FILE
from strongroom.twin.machine import Instance
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice

ISOLATED = ("-I", "-B")
"""As in the image's launcher: no variable and no folder of somebody's choice adds modules. There, -S leaves out what
site-packages would run, too; here the agent's one dependency lies in them."""
_MEMORY = Path("/dev/shm")  # noqa: S108 -- tmpfs on Linux; a private folder is made in it
_SECONDS = 120
_START = "import sys; sys.path.insert(0, {!r}); from strongroom.agent.main import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run of the agent."""

    exit_code: int
    said: str
    """Standard output and error."""
    console: bytes
    delivered: str | None
    """The secret in the app's hands, None where it has none."""

    @property
    def failure(self) -> str:
        """The code of the last failure on the console, empty where there is none."""
        try:
            failures = parse_console(self.console).failures
        except FormatError:  # nothing of ours is on it
            return ""
        return failures[-1].code if failures else ""


@dataclass(frozen=True, slots=True)
class AgentMachine:
    """A machine whose image is a folder."""

    root: Path
    instance: Instance

    def install(self, trust: Trust, bundle: bytes, *, origin: BundleOrigin = BundleOrigin.IMAGE) -> None:
        """Write what the image has measured, and the bundle where the image looks for it."""
        mine = Delivery(SECRET, f"{RUN_FOLDER}/secrets/{SECRET}", os.geteuid(), os.getegid())
        files = {
            TRUST_FILE: encode_trust(trust),
            CONFIG_FILE: encode_agent_config(AgentConfig(origin, (mine,))),
            f"{BUNDLE_FOLDER}/{SECRET}{BUNDLE_SUFFIX}": bundle,
        }
        for path, contents in files.items():
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents)

    @property
    def secret_file(self) -> Path:
        """Where the app finds the secret."""
        return self.root / f"{RUN_FOLDER}/secrets/{SECRET}/{SECRET_FILE}".lstrip("/")

    def run(self, *, options: tuple[str, ...] = ISOLATED, variables: Mapping[str, str] | None = None) -> Ran:
        """Run the agent's service with these options of the interpreter. Raises LocalFault where it does not end."""
        console = self.root / "console"
        console.write_bytes(b"")
        device = PtyDevice(Board(self.instance.tpm()), self.root / "tpm0")
        sources = str(Path(strongroom.__file__).parents[1])
        command = [sys.executable, *options, "-c", _START.format(sources), "--root", str(self.root)]
        command += ["--tpm", str(self.root / "tpm0"), "--console", str(console), "run"]
        environment = {"PATH": os.environ.get("PATH", os.defpath), **(variables or {})}
        try:
            done = subprocess.run(  # noqa: S603 -- our own agent
                command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LocalFault("attack.agent", f"expected the agent to end within {_SECONDS} s") from error
        finally:
            device.close()
        delivered = self.secret_file.read_text() if self.secret_file.is_file() else None
        return Ran(done.returncode, done.stdout + done.stderr, console.read_bytes(), delivered)


@contextmanager
def agent_machine(instance: Instance) -> Iterator[AgentMachine]:
    """Make the folders for the block. Raises LocalFault on a machine without tmpfs: the agent delivers to no disk."""
    try:
        root = Path(tempfile.mkdtemp(dir=_MEMORY, prefix="strongroom-attack-"))
    except OSError as error:
        raise LocalFault("attack.no-tmpfs", f"expected tmpfs at {_MEMORY}, found: {error.strerror}") from error
    try:
        root.chmod(0o755)
        (root / RUN_FOLDER.lstrip("/")).mkdir(parents=True)
        yield AgentMachine(root, instance)
    finally:
        shutil.rmtree(root)
