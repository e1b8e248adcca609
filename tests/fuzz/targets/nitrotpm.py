# SPDX-License-Identifier: Apache-2.0
"""Commands to the emulated NitroTPM, any number, one after the other; and the file that it lives in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.target import Target
from tests.tpm_any_bytes import answered, commands_of_every_kind, prepared
from tests.tpm_commands import send, u16

from strongroom.formats.tpm.frame import HEADER_BYTES
from strongroom.twin.nitrotpm.state.file import StateFile, parse_state
from strongroom.twin.nitrotpm.state.values import to_json
from strongroom.twin.nitrotpm.tpm import NitroTpm

MAX_BYTES = 1_024
MOST_COMMANDS = 32


def commands(data: bytes) -> None:
    tpm = prepared()
    for command in _frames(data):
        answered(tpm, command)


def _frames(data: bytes) -> Iterator[bytes]:
    """Cut the input where the sizes in it say so: the fuzzer finds sequences by appending. No more than a few."""
    for _ in range(MOST_COMMANDS):
        if not data:
            return
        size_bytes = max(HEADER_BYTES, int.from_bytes(data[2:6]))
        yield data[:size_bytes]
        data = data[size_bytes:]


def state(data: bytes) -> None:
    """What is read can be written."""
    to_json(parse_state(data, Path("tpm.json")))


def sequences_of_commands() -> list[bytes]:
    each = commands_of_every_kind()
    return [b"".join(each[start : start + 6]) for start in range(0, len(each), 6)] + each


def states() -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="strongroom-fuzz-") as folder:
        path = Path(folder) / "tpm.json"
        with StateFile(path) as store:
            send(NitroTpm(store), "Startup", (), u16(0))
        return [path.read_bytes()]


TARGETS = (
    Target("nitrotpm.commands", commands, sequences_of_commands, max_bytes=MAX_BYTES),
    Target("nitrotpm.state", state, states),
)
