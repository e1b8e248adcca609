# SPDX-License-Identifier: Apache-2.0
"""Runs contenders in turns, A B A B …, so that whatever slows the machine for a while slows all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

Turn: TypeAlias = Callable[[], float]
"""Does the work and returns the seconds that one unit of it took."""
_Item = TypeVar("_Item")


class PeerAbsentError(Exception):
    """Says why there is no peer to run against."""


def race(turns: Mapping[str, Turn], rounds: int) -> dict[str, tuple[float, ...]]:
    """Return each contender's seconds a unit, one figure a round. A first round is run and thrown away."""
    for turn in turns.values():
        turn()
    laps = [{name: turn() for name, turn in turns.items()} for _ in range(rounds)]
    return {name: tuple(lap[name] for lap in laps) for name in turns}


def cpu_time(work: Callable[[_Item], object], items: Sequence[_Item]) -> Turn:
    """Return a turn that works on every item: the process's CPU seconds for one."""

    def turn() -> float:
        started = time.process_time()
        for item in items:
            work(item)
        return (time.process_time() - started) / len(items)

    return turn


def cpu_time_without(before: Callable[[], None], work: Callable[[_Item], object], items: Sequence[_Item]) -> Turn:
    """Return the same, with something done before each item that does not count."""

    def turn() -> float:
        seconds = 0.0
        for item in items:
            before()
            started = time.process_time()
            work(item)
            seconds += time.process_time() - started
        return seconds / len(items)

    return turn


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and what it starts in the block, on one core, where the system has that (Linux).

    Two processes that wait for each other on two cores spend most of their time waking these up. How much depends on
    what else the machine does, not on what is measured.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wall_time(work: Callable[[], object], times: int = 1) -> Turn:
    """Return a turn that works so many times: the seconds that went by for one."""

    def turn() -> float:
        started = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - started) / times

    return turn
