# SPDX-License-Identifier: Apache-2.0
"""What an explanation is made of: reasons, each about one statement and one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.errors import Severity
from strongroom.keypolicy.kms_keys import ENCLAVE_PCR, NITROTPM_PCR

_LONG_HEX = re.compile(r"[0-9A-Fa-f]{33,}")
_SHOWN_HEX = 8
_SHOWN_VALUES = 3
_PCR = re.compile(rf"(?:{re.escape(NITROTPM_PCR)}|{re.escape(ENCLAVE_PCR)})(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `code` is stable; `sentence` names statement, condition, expected and seen; `remedy` may be empty.

    `policy` and `statement` say whose reason it is, `element` which part of it: an element of the statement, or an
    operator and its condition key. A severity of ERROR is a reason for a denial.
    """

    code: str
    sentence: str
    remedy: str = ""
    severity: Severity = Severity.ERROR
    policy: str = ""
    statement: str = ""
    element: str = ""
    expected: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    @property
    def pcr(self) -> int | None:
        """Return the PCR that it is about, if any."""
        found = _PCR.search(self.element)
        return int(found[1]) if found else None


def short(value: str) -> str:
    """Return a value for a sentence: a digest by its beginning."""
    return f"{value[:_SHOWN_HEX]}…" if _LONG_HEX.fullmatch(value) else value


def one_of(values: Sequence[str]) -> str:
    """Return expected values for a sentence."""
    if len(values) == 1:
        return short(values[0])
    if len(values) <= _SHOWN_VALUES:
        return f"one of {', '.join(map(short, values))}"
    return f"one of {len(values)} values"


def seen_as(values: Sequence[str]) -> str:
    """Return the values of the request for a sentence."""
    return ", ".join(map(short, values)) or "missing"
