# SPDX-License-Identifier: Apache-2.0
"""The option that says which bank of PCRs a command is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def bank_option(banks: Iterable[str]) -> Callable[[_Command], _Command]:
    """Return `--bank` with these to choose from, in either case; SHA-384 is what documents carry."""
    return click.option(
        "--bank",
        type=click.Choice(list(banks), case_sensitive=False),
        default="sha384",
        show_default=True,
        help="Which bank.",
    )
