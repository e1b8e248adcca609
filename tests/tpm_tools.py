# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools and their kin as a second opinion on a TPM: one script, played on two TPMs, and what came out compared.

A script has a command a line, run in a folder of its own for each TPM; an empty line or one that starts with # is none.
What must hold of a command stands in front of it:

    tpm2_load ...       both TPMs: exit code 0
    ! tpm2_unseal ...   both TPMs: the same exit code, not 0, and the same response codes on the way
    = tpm2_pcrread ...  both TPMs: exit code 0, and the same words
    ~ tpm2_create ...   the same, but for clock, version and room, which each TPM has of its own; of long hexadecimal
                        strings (keys, names) the length is enough
    same FILE ...       the same file came out of both TPMs

$TCTI stands for where tpm2-tss finds the TPM; tpm2-tools know it from their environment.
A file of a script whose name ends with .ctx is an object's context. After each tool that names one, everything
transient is flushed: swtpm has room for three objects, and tools leave theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import program
from tests.swtpm import swtpm
from tests.tpm_commands import send, u16

from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.nitrotpm.transports.server import TpmServer

TOOL_SECONDS = 120
"""Far more than any takes, on a machine that has much else to do."""
_RESPONSE_CODE = re.compile(r"\((0x[0-9A-Fa-f]+)\)")
_OWN = re.compile(r"(?<=clock: )\d+|(?<=firmwareVersion: )\w+|(?<=_AVAIL: )\w+|(?<=LOADED_CURVES: )\w+")
_LONG_HEX = re.compile(r"\b(?:0x)?[0-9a-fA-F]{32,}\b")
_LEAVES_OBJECTS = re.compile(r"^tpm2_.*\.ctx\b|^tpm2_createek|^tpm2_makecredential")
_MARKS = ("!", "=", "~")


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    line: str
    code: int
    words: str
    complaint: str

    @property
    def response_codes(self) -> frozenset[int]:
        """Those of the TPM, as tpm2-tools quote them: `Esys_Unseal(0x99D)`."""
        return frozenset(int(code, 16) for code in _RESPONSE_CODE.findall(self.complaint))

    @property
    def shape(self) -> str:
        """The words without what each TPM has of its own, and with the length of each long hexadecimal string."""
        return _LONG_HEX.sub(lambda found: f"<{len(found[0])} digits>", _OWN.sub("", self.words))


@dataclass(frozen=True)
class Tools:
    """Programs in a folder that find one TPM."""

    folder: Path
    tcti: str
    """Where tpm2-tss finds it."""

    def run(self, line: str) -> Outcome:
        """Run a command; if it leaves objects in the TPM, remove them."""
        outcome = self._run(line)
        if _LEAVES_OBJECTS.search(line):
            flushed = self._run("tpm2_flushcontext -t")
            assert flushed.code == 0, f"after {line}: {flushed.complaint}"
        return outcome

    def _run(self, line: str) -> Outcome:
        name, *arguments = shlex.split(line.replace("$TCTI", self.tcti))
        done = subprocess.run(
            [program(name), *arguments],
            cwd=self.folder,
            env=os.environ | {"TPM2TOOLS_TCTI": self.tcti},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            check=False,
            timeout=TOOL_SECONDS,
        )
        return Outcome(line, done.returncode, done.stdout, done.stderr)

    def succeed(self, line: str) -> str:
        """Run a command that must succeed, and return its words."""
        outcome = self.run(line)
        assert outcome.code == 0, f"{line}: {outcome.complaint}"
        return outcome.words


@contextlib.contextmanager
def tools_for_ours(folder: Path) -> Iterator[Tools]:
    """Run an emulated NitroTPM, started."""
    tpm = NitroTpm()
    assert send(tpm, "Startup", (), u16(0)).code == 0
    with TpmServer(Board(tpm)) as server:
        yield Tools(folder, f"swtpm:host=127.0.0.1,port={server.listen_tcp()}")


@contextlib.contextmanager
def tools_for_debians(folder: Path) -> Iterator[Tools]:
    """Run swtpm, started."""
    with tempfile.TemporaryDirectory(prefix="strongroom-swtpm-") as state, swtpm(Path(state)) as tpm:
        assert send(tpm, "Startup", (), u16(0)).code == 0
        tpm.close()
        yield Tools(folder, f"swtpm:host=127.0.0.1,port={tpm.port}")


@dataclass(frozen=True)
class Both:
    """A TPM, and the one that it is compared with."""

    ours: Tools
    theirs: Tools

    def play(self, script: str) -> None:
        """Play a script on both."""
        lines = [line.strip() for line in script.splitlines()]
        for line in filter(None, lines):
            if line.startswith("same "):
                self._same_files(line.split()[1:])
            elif not line.startswith("#"):
                mark, rest = (line[0], line[1:].strip()) if line.startswith(_MARKS) else ("", line)
                _compare(mark, self.ours.run(rest), self.theirs.run(rest))

    def write(self, name: str, content: bytes) -> None:
        """Put a file into both folders."""
        for tools in (self.ours, self.theirs):
            (tools.folder / name).write_bytes(content)

    def _same_files(self, names: list[str]) -> None:
        for name in names:
            ours, theirs = ((tools.folder / name).read_bytes() for tools in (self.ours, self.theirs))
            assert ours == theirs, f"{name}: {ours.hex()} from ours, {theirs.hex()} from theirs"


def _compare(mark: str, ours: Outcome, theirs: Outcome) -> None:
    said = f"{ours.line}\nours: {ours.code} {ours.complaint}{ours.words}\n"
    said += f"theirs: {theirs.code} {theirs.complaint}{theirs.words}"
    assert ours.code == theirs.code, said
    assert (ours.code == 0) == (mark != "!"), said
    if mark == "!":
        assert ours.response_codes == theirs.response_codes, said
    if mark == "=":
        assert ours.words == theirs.words, said
    if mark == "~":
        assert ours.shape == theirs.shape, said
