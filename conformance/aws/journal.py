# SPDX-License-Identifier: Apache-2.0
"""What a run is about to create, written down before it asks for it, so that nothing is forgotten.

One JSON object a line; a line is on disk before the call is sent. A run that is killed leaves lines without a `gone`,
and the next run with the same journal clears those away. One run at a time has a journal.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

RUN = "src-"
"""How the id of a run begins, and with it the name of everything that it creates: an alias has no other mark."""


class JournalInUseError(Exception):
    """Another run is going on: what it has created would be taken for left over."""


class BadJournalError(Exception):
    """The journal has lines that no run wrote. Nothing may be cleared away by it."""


@dataclass(frozen=True)
class Thing:
    """A key, role, user or alias. `name` is chosen before it exists; `arn` is known of a key once it does."""

    run: str
    kind: str
    name: str
    arn: str = ""


class Journal:
    """The journal of one account and region, from `with` to its end. Raises JournalInUseError and BadJournalError."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = file.open("a+")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._things = _read(file)
        except BlockingIOError as error:
            self._stream.close()
            raise JournalInUseError(f"another run has {file}; wait for its end") from error
        except (OSError, BadJournalError):
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    @property
    def left(self) -> tuple[Thing, ...]:
        """Everything that was to be created and is not known to be gone, the latest first."""
        return tuple(reversed(self._things.values()))

    def intend(self, thing: Thing) -> None:
        """Write down that `thing` is about to be created."""
        self._write("intended", thing)
        self._things[thing.name] = thing

    def created(self, thing: Thing, arn: str) -> Thing:
        """Write down the ARN of what now exists; return it with that."""
        known = replace(thing, arn=arn)
        self._write("created", known)
        self._things[thing.name] = known
        return known

    def gone(self, thing: Thing) -> None:
        """Write down that `thing` does not exist any more, or is scheduled for deletion."""
        self._write("gone", thing)
        self._things.pop(thing.name, None)

    def _write(self, state: str, thing: Thing) -> None:
        self._stream.write(json.dumps({"state": state, **asdict(thing)}) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())


def _read(file: Path) -> dict[str, Thing]:
    """Return what is left, by name. A last line that was cut off is taken away: no call followed it."""
    written = file.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    os.truncate(file, len(whole))
    things: dict[str, Thing] = {}
    for line in whole.decode("utf-8", "replace").splitlines():
        state, thing = _parse(line, file)
        if state == "gone":
            things.pop(thing.name, None)
        else:
            things[thing.name] = thing
    if not things:
        os.truncate(file, 0)  # nothing that it says matters any more
    return things


def _parse(line: str, file: Path) -> tuple[str, Thing]:
    try:
        body = json.loads(line)
        state, thing = body.pop("state"), Thing(**body)
        ours = thing.run.startswith(RUN) and thing.name.startswith(f"{thing.run}-")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(line, file) from error
    if not ours:
        raise _foreign(line, file)
    return state, thing


def _foreign(line: str, file: Path) -> BadJournalError:
    return BadJournalError(f"{file} has a line that no run wrote: {line[:80]!r}")
