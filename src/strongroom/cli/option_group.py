# SPDX-License-Identifier: Apache-2.0
"""Options that several commands take, as one decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Command: TypeAlias = Callable[..., Any]
"""What click decorates: it is called with one argument for each option."""


def option_group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds these options, which `--help` shows in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add
