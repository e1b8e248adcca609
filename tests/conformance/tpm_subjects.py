# SPDX-License-Identifier: Apache-2.0
"""The TPMs that are compared with libtpms, and in what they are known to differ.

A new subject is one line in SUBJECTS: a context manager that yields a TPM as it leaves the factory, not yet started.
What it does otherwise on purpose is a line in KNOWN; a line that says nothing any more fails.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.conformance.tpm_differential import Known, Tpm
from tests.swtpm import swtpm


@contextlib.contextmanager
def _swtpm() -> Iterator[Tpm]:
    with tempfile.TemporaryDirectory(prefix="strongroom-swtpm-") as state, swtpm(Path(state)) as tpm:
        yield tpm


SUBJECTS: dict[str, Callable[[], AbstractContextManager[Tpm]]] = {"swtpm": _swtpm}
"""swtpm is libtpms behind a socket: it must not differ, which says that stories and comparison are sound."""

_STREAM = "a socket has no ends of commands: less than a header waits for more, and 4097 bytes are read as two"
KNOWN: dict[str, tuple[Known, ...]] = {
    "swtpm": (
        Known("basics.frames", "*: [1-9] bytes", _STREAM),
        Known("basics.frames", "*: 4097 bytes", _STREAM),
    )
}
