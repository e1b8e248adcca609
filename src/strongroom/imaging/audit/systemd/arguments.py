# SPDX-License-Identifier: Apache-2.0
"""How systemd reads the kernel command line (kernel-command-line(7)): `rd.` for the initrd, `-` and `_` the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from strongroom.imaging.audit.systemd.unit_file import is_false, is_true

Arguments: TypeAlias = tuple[tuple[str, str | None], ...]
"""The words of a command line, split at their first `=`; None for a word without one."""
_INITRD = "rd."


def given(arguments: Arguments, key: str, *, initrd: bool = False) -> Iterator[str | None]:
    """Yield every value of a key, in order. In the initrd those with `rd.` before the key count as well."""
    wanted = {_plain(key)} | ({_plain(_INITRD + key)} if initrd else set())
    return (value for name, value in arguments if _plain(name) in wanted)


def is_off(arguments: Arguments, key: str, *, initrd: bool = False) -> bool:
    """Tell whether the last value of a switch is false. Words that are neither true nor false are passed over."""
    switch = _switch(arguments, key, initrd=initrd)
    return switch is False


def is_on(arguments: Arguments, key: str, *, initrd: bool = False) -> bool:
    """Tell whether the last value of a switch is true, or it stands there without one."""
    return _switch(arguments, key, initrd=initrd) is True


def _switch(arguments: Arguments, key: str, *, initrd: bool) -> bool | None:
    found = None
    for value in given(arguments, key, initrd=initrd):
        if value is None or is_true(value):
            found = True
        elif is_false(value):
            found = False
    return found


def _plain(key: str) -> str:
    return key.replace("-", "_")
