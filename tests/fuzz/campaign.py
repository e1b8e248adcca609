# SPDX-License-Identifier: Apache-2.0
"""Runs of the fuzzer, and the corpora that they leave.

`corpus/TARGET` is kept in the repository: small inputs, each there for a path through a reader that the others do not
take, named by the SHA-1 of what they hold. All of them come from `Target.seeds` by mutation.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).with_name("corpus")
LIMITS = ("-rss_limit_mb=512", "-timeout=5")
"""MiB that the process may have, and seconds that one input may take."""
MAX_CORPUS_BYTES = 32_768
"""Of one target, in the repository."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of libFuzzer came to."""

    target: Target
    log: str
    failed: bool

    @property
    def finding(self) -> Path | None:
        """The input that was not read or refused as it should be. None too where the run failed by itself."""
        written = re.search(r"Test unit written to (.+)", self.log)
        return Path(written[1]) if written else None

    @property
    def executions(self) -> int:
        done = re.search(r"Done (\d+) runs", self.log)
        return int(done[1]) if done else 0

    @property
    def again(self) -> str:
        """The command that reads the finding once more, in the project's folder."""
        python, finding = (os.path.relpath(path, ROOT) for path in (sys.executable, self.finding or ""))
        return shlex.join([python, "-m", "tests.fuzz.run", self.target.name, finding])


def kept(target: Target) -> list[Path]:
    """Return the files of a target's corpus."""
    return sorted((CORPUS / target.name).glob("*"))


def fuzz(target: Target, folder: Path, *, seconds: int) -> Run:
    """Fuzz a target from its seeds and its corpus. New inputs go to `folder/new`, a finding to `folder`."""
    new, seeds = folder / "new", folder / "seeds"
    new.mkdir(parents=True, exist_ok=True)
    write_inputs(target.seeds(), seeds)
    done = _run(
        target, *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", *_folders(target, new, seeds)
    )
    return Run(target, done.stderr + done.stdout, done.returncode != 0)


def keep(target: Target, folder: Path) -> int:
    """Add to the corpus what `fuzz` found in `folder`: the smallest inputs that take new paths. Return how many.

    A corpus that outgrows MAX_CORPUS_BYTES is put together anew from all of them, the smallest first.
    """
    before = {path.name for path in kept(target)}
    chosen = _chosen(target, folder / "merged", [CORPUS / target.name], [folder / "new"])
    if sum(path.stat().st_size for path in chosen) > MAX_CORPUS_BYTES:
        chosen = _chosen(target, folder / "merged", [], [CORPUS / target.name, folder / "new"], "-set_cover_merge=1")
    inputs, size = [], 0
    for data in sorted((path.read_bytes() for path in chosen), key=len):
        size += len(data)
        inputs += [data] if size <= MAX_CORPUS_BYTES else []
    shutil.rmtree(CORPUS / target.name, ignore_errors=True)
    write_inputs(inputs, CORPUS / target.name)
    return len({path.name for path in kept(target)} - before)


def _chosen(target: Target, merged: Path, given: list[Path], more: list[Path], *options: str) -> list[Path]:
    """Return the inputs of `given`, and those of `more` that take paths which neither these nor the seeds take."""
    shutil.rmtree(merged, ignore_errors=True)
    write_inputs(target.seeds(), merged)
    seeds = {path.name for path in merged.iterdir()}
    for folder in filter(Path.is_dir, given):
        shutil.copytree(folder, merged, dirs_exist_ok=True)
    # Paths count, and not how often each part of them is taken: that would keep ten times as many inputs.
    _run(
        target, *LIMITS, "-merge=1", "-use_counters=0", *options, merged, *filter(Path.is_dir, more)
    ).check_returncode()
    return [path for path in merged.iterdir() if path.name not in seeds]


def write_inputs(inputs: Sequence[bytes], folder: Path) -> None:
    """Write inputs as libFuzzer names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _folders(target: Target, *others: Path) -> list[Path]:
    return [*others, *([CORPUS / target.name] if kept(target) else [])]


def environment() -> dict[str, str]:
    """Return the environment in which a process finds the project and its tests."""
    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def _run(target: Target, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.run", target.name, *map(str, arguments)]
    # libFuzzer bounds the peak of its process, and Linux counts what whoever started it had: a shell has little
    between = ["/bin/sh", "-c", '"$@"; exit "$?"', "fuzz"]
    return subprocess.run(
        [*between, *command], cwd=ROOT, env=environment(), capture_output=True, text=True, errors="replace", check=False
    )
