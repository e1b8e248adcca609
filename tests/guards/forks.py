# SPDX-License-Identifier: Apache-2.0
"""Runs jobs in forks of this process, so that whatever a job changes is gone when it ends."""

from __future__ import annotations

import gc
import json
import os
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

WORKERS = os.cpu_count() or 1
SECONDS_PER_JOB = 120
"""A mutant that hangs is noticed too: it is ended and counts as killed."""


def in_forks(jobs: Sequence[tuple[Any, Callable[[], Any]]]) -> Iterator[tuple[Any, Any]]:
    """Run each job in a fork, several at a time; yield its key and its result, which is None for one that hung."""
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory of its parent
    with tempfile.TemporaryDirectory() as folder:
        waiting = list(enumerate(jobs))[::-1]
        running: dict[int, tuple[Any, Path]] = {}
        while waiting or running:
            while waiting and len(running) < WORKERS:
                number, (key, job) = waiting.pop()
                result = Path(folder, str(number))
                running[_fork(job, result)] = key, result
            pid, status = os.wait()
            key, result = running.pop(pid)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
                raise RuntimeError(f"{key}: {result.read_text() if result.exists() else 'ended'}")
            yield key, json.loads(result.read_text()) if os.WIFEXITED(status) else None


def _fork(job: Callable[[], Any], result: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(SECONDS_PER_JOB)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    answer = None
    try:
        answer = json.dumps(job())
    finally:  # whatever happened, a fork never returns into its parent's code
        result.write_text(traceback.format_exc() if answer is None else answer)
        os._exit(answer is None)
