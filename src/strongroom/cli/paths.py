# SPDX-License-Identifier: Apache-2.0
"""How commands take paths: as they are written. What is wrong with one is found out, and said, where it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from strongroom.errors import FormatError, LocalFault


class _Path(click.Path):
    """A path. `-` is none: whoever means standard input or output would get a file of that name."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if value == "-":
            self.fail("expected a path. /dev/stdin is standard input, ./- a file of this name.", param, ctx)
        return super().convert(value, param, ctx)


PATH: Final = _Path(path_type=Path, readable=False)
"""`readable=False` asks click for no look at the file: it would call an unreadable one a usage error (exit 2)."""


@contextmanager
def named(path: Path, *, missing: str = "") -> Iterator[None]:
    """Let a FormatError say in which file it is, for commands that read several.

    `missing` is what to do where there is no such file.
    """
    try:
        yield
    except LocalFault as error:
        if error.code != "file.missing" or not missing:
            raise
        raise LocalFault(error.code, error.message, remedy=missing) from error
    except FormatError as error:
        message = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise FormatError(error.code, message, offset=error.offset, spec=error.spec, remedy=error.remedy) from error
