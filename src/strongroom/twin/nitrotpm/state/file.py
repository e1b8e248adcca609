# SPDX-License-Identifier: Apache-2.0
"""The lasting state of a TPM in a file (docs/formats/twin-tpm-state.md).

One JSON document: `format`, `version`, `sha256`, `state`. The checksum is over `state` as `_canonical` writes it: it
tells a file that was damaged, not one that was forged, for whoever can write the file owns the TPM.

The file is replaced as a whole, and is on disk before the response to the command is sent. Its lock file, next to it,
keeps a second process from a TPM that is in use.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Self

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import PRIVATE_MODE, read_file, write_file
from strongroom.twin.lock_file import InUseError, lock_beside, lock_path
from strongroom.twin.nitrotpm.state.chip import Permanent
from strongroom.twin.nitrotpm.state.values import from_json, to_json

FORMAT = "strongroom-twin-tpm-state"
VERSION = 1
MAX_FILE_BYTES = 16 << 20
_SPEC = "docs/formats/twin-tpm-state.md"
_KEYS = {"format", "version", "sha256", "state"}
_REMEDY = "The file was left as it is. Put a copy from before in its place, or move it away to begin with a new TPM."


class StateFile:
    """Keeps the state of one TPM in a file, and the file to itself until it is closed.

    Raises LocalFault where another process has it, or where there can be no file. Use it in a `with` block, or call
    `close`; the end of the process does as much.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = _locked(path)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the file go."""
        self.close()

    def close(self) -> None:
        """Let the file go: nothing is saved any more, and another may have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def load(self) -> Permanent | None:
        """Return the state, None where there is no file.

        Raises FormatError where it is damaged or of another version, LocalFault where it cannot be read.
        """
        if not self._path.exists():
            return None
        return parse_state(read_file(self._path, maximum_bytes=MAX_FILE_BYTES), self._path)

    def save(self, permanent: Permanent) -> None:
        """Keep the state: it is on disk on return. Raises LocalFault where it is not; the one before is, then."""
        if self._lock < 0:
            raise RuntimeError("the state file is closed")
        write_file(self._path, encode_state(permanent), mode=PRIVATE_MODE)


def encode_state(permanent: Permanent) -> bytes:
    """Return the contents of a state file."""
    state = _canonical(to_json(permanent))
    head = f'{{"format":"{FORMAT}","version":{VERSION},"sha256":"{hashlib.sha256(state).hexdigest()}","state":'
    return head.encode() + state + b"}\n"


def _canonical(state: object) -> bytes:
    return json.dumps(state, separators=(",", ":"), sort_keys=True).encode()


def parse_state(data: bytes, path: Path) -> Permanent:
    """Return the state that a file holds. Raises FormatError; `path` is for its message."""
    document = _document(data, path)
    if type(document["version"]) is not int or document["version"] != VERSION:  # true is 1 to Python
        raise FormatError(
            "twin.tpm-state-version",
            f"expected version {VERSION} of the state of a TPM in {path}, found {document['version']!r}",
            spec=_SPEC,
            remedy="The file was left as it is. Use the Strongroom that wrote it, or move it away for a new TPM.",
        )
    if document["sha256"] != hashlib.sha256(_canonical(document["state"])).hexdigest():
        raise _damaged(path, "its checksum is another")
    try:
        permanent = from_json(Permanent, document["state"], "state")
    except FormatError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(permanent, Permanent):
        raise TypeError("a state is a Permanent")
    return permanent


def _document(data: bytes, path: Path) -> dict[str, object]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.keys() != _KEYS or document["format"] != FORMAT:
        raise _damaged(path, f"it has not exactly {', '.join(sorted(_KEYS))} of {FORMAT}")
    return document


def _damaged(path: Path, reason: str) -> FormatError:
    return FormatError(
        "twin.tpm-state",
        f"expected the state of a TPM in {path}, found it damaged: {reason}",
        spec=_SPEC,
        remedy=_REMEDY,
    )


def _locked(path: Path) -> int:
    """Return the descriptor of the lock file, locked."""
    try:
        return lock_beside(path)
    except InUseError as error:
        raise LocalFault(
            "twin.tpm-state-in-use",
            f"expected the TPM in {path} to be nobody's, found a process that has it",
            remedy=f"End the other process (`fuser {lock_path(path)}` says who it is), or keep this TPM elsewhere.",
        ) from error
    except OSError as error:
        raise LocalFault("twin.tpm-state-folder", f"cannot keep a TPM in {path}: {error.strerror}") from error
