# SPDX-License-Identifier: Apache-2.0
"""Settings of a unit in the section of its kind: `User` of a service is that of `[Service]`."""

from __future__ import annotations

from strongroom.imaging.audit.systemd.unit_file import Setting, Unit, is_true


def values(unit: Unit, key: str) -> tuple[Setting, ...]:
    """Return what is assigned to a key, as far as it counts."""
    return unit.given(unit.kind.capitalize(), key)


def value(unit: Unit, key: str) -> str:
    """Return the last value of a key, empty where there is none."""
    return unit.last(unit.kind.capitalize(), key)


def is_on(unit: Unit, key: str) -> bool:
    """Tell whether a switch is on."""
    return is_true(value(unit, key))
