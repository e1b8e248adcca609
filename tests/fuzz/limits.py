# SPDX-License-Identifier: Apache-2.0
"""How much memory, time and stack a target needs for its worst inputs: python -m tests.fuzz.limits TARGET...

Each target runs in a process of its own, which the system keeps from having MORE_MEMORY_BYTES beyond what it has after
the target's seeds. Prints a line of JSON for each: the peak, the slowest input, and what came out of the first that
broke a limit. Linux only.
"""

from __future__ import annotations

import inspect
import json
import os
import resource
import signal
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz import registry
from tests.fuzz.target import Target
from tests.fuzz.worst_cases import worst_cases

MORE_MEMORY_BYTES = 64 << 20
MORE_FRAMES = 100
"""Of the interpreter's stack, beyond those of the target: what is nested deeper than that must not need more."""
MAX_SECONDS = 2.0
"""CPU time of one input, on any machine that runs these tests."""


@dataclass(slots=True)
class Report:
    """What the worst inputs came to."""

    target: str
    inputs: int = 0
    peak_bytes: int = 0
    """Of memory, beyond what the process had after the seeds."""
    slowest_seconds: float = 0.0
    slowest: str = ""
    """The first bytes of that input, in hexadecimal."""
    broken: str = ""
    """What came out, with the first bytes of the input that it came out of; empty where all limits held."""


def measured(target: Target) -> Report:
    """Read the worst inputs of a target under all limits. For a process that does nothing else."""
    inputs = [*worst_cases(target)]
    for seed in target.seeds():  # whatever is loaded late is loaded now
        target.read(seed)
    report = Report(target.name)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # what making the inputs took is no part of it
    before = _status_bytes("VmHWM")
    data_limit = _status_bytes("VmData") + MORE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (data_limit, data_limit))
    sys.setrecursionlimit(_frames() + MORE_FRAMES)
    signal.signal(signal.SIGPROF, _stop)
    for data in inputs:
        _read(target, data, report)
        if report.broken:
            break
    report.peak_bytes = _status_bytes("VmHWM") - before
    return report


class TooSlowError(BaseException):
    """Comes out of whatever runs when the time is up. No target takes it for an error of its own."""


def _stop(*_: object) -> None:
    raise TooSlowError(f"after {MAX_SECONDS} seconds")


def _read(target: Target, data: bytes, report: Report) -> None:
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        target.read(data)
    except (TooSlowError, Exception) as error:  # noqa: BLE001 -- whatever it is, it is what this program reports
        report.broken = f"{type(error).__name__} {str(error)[:200]} for {_shown(data)}"
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - started
    report.inputs += 1
    if seconds > report.slowest_seconds:
        report.slowest_seconds, report.slowest = seconds, _shown(data)


def _shown(data: bytes) -> str:
    return f"{data[:24].hex()} ({len(data)} bytes)"


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _frames() -> int:
    return len(inspect.stack(0))


def main() -> None:
    warnings.simplefilter("ignore")  # cryptography warns of certificates that it will refuse one day
    for name in sys.argv[1:]:
        target = registry.find(name)
        child = os.fork()
        if child == 0:
            sys.stdout.write(json.dumps(asdict(measured(target))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(f"{name}: its process ended with status {status}")


if __name__ == "__main__":
    main()
