# SPDX-License-Identifier: Apache-2.0
"""The peer in Go (go_verifier/main.go): built here, kept running, and asked for one round at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from bench.race import PeerAbsentError

_SOURCE = Path(__file__).parent / "go_verifier"
_BUILT = Path(__file__).parents[1] / "build/bench/go-verifier"
_USUAL_PLACE = "/usr/local/go/bin"
NAME = "Go, enclave-extras/attestation 0.2.0"


def build() -> Path:
    """Return the program, built from pinned modules. Raises PeerAbsentError without Go, or where they cannot be had."""
    go = shutil.which("go") or shutil.which("go", path=_USUAL_PLACE)
    if go is None:
        raise PeerAbsentError("no Go on this machine")
    modules = _run(go, "mod", "download")
    if modules.returncode:
        raise PeerAbsentError(f"the Go modules cannot be had: {modules.stderr.strip()}")
    _BUILT.parent.mkdir(parents=True, exist_ok=True)
    built = _run(go, "build", "-trimpath", "-buildvcs=false", "-o", str(_BUILT), ".")
    if built.returncode:
        raise RuntimeError(built.stderr)
    return _BUILT


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    return subprocess.run(  # noqa: S603 -- the compiler, on our own program
        command, cwd=_SOURCE, env=environment, capture_output=True, text=True, check=False
    )


class GoPeer:
    """The running program, on one core. It has verified every document once: `verdicts` says what it found."""

    def __init__(self, program: Path, documents: Sequence[Path]) -> None:
        self._run = subprocess.Popen(  # noqa: S603 -- what `build` has built
            [program, *documents],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"GOMAXPROCS": "1"},
        )
        self.verdicts: dict[str, str] = json.loads(self._line())

    def seconds(self, passes: int) -> float:
        """Let it verify all that it accepts so many times. Return the CPU seconds that one document took."""
        stdin: IO[str] = self._run.stdin  # type: ignore[assignment]  # it was asked for
        stdin.write(f"{passes}\n")
        stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        stdout: IO[str] = self._run.stdout  # type: ignore[assignment]
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the Go verifier ended with {self._run.wait()}")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._run.communicate()
