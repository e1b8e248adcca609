# SPDX-License-Identifier: Apache-2.0
"""Taking away from a TPM what was put there, without hiding what went wrong before."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from strongroom.errors import StrongroomError


class Released:
    """A block at whose end `release` is called, whatever happened in it.

    The error of the block is the one that is raised; a release that fails as well becomes a note on it. A release
    that Ctrl-C interrupts is begun once more: the first may not have come to anything.
    """

    def __init__(self, release: Callable[[], object]) -> None:
        self._release = release

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._release()
        except StrongroomError as second:
            if error is None:
                raise
            _note(error, second)
        except KeyboardInterrupt as interrupt:
            try:
                self._release()
            except StrongroomError as second:
                _note(interrupt, second)
            raise


def _note(error: BaseException, second: StrongroomError) -> None:
    error.add_note(f"Cleaning up failed, too: {second}")
