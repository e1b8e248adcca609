# SPDX-License-Identifier: Apache-2.0
"""Names of Open statements: the number of the statement and the ring of its releases, and back again.

Sids of key policies are kept to letters and digits, which every AWS tool takes. The ring is recovered from the name
when a policy is read again (`train`), so no two rings may share one: `Open1General`, `Open2BlueXgreen` for
`blue-green`, and `Open1r1x` for `1x`, which keeps the two numbers apart. Rings are ids (`formats.names.ID`) and have no
upper case of their own.
"""

from __future__ import annotations

import re

_HYPHEN = "X"
_BEFORE_DIGIT = "r"
_OPEN = re.compile(rf"Open[1-9][0-9]*(?:{_BEFORE_DIGIT}(?P<digit>[0-9])|(?P<letter>[A-Z]))(?P<rest>[a-z0-9{_HYPHEN}]*)")


def open_sid(number: int, ring: str) -> str:
    """Return the Sid of the `number`th Open statement, which is of this ring."""
    first = f"{_BEFORE_DIGIT}{ring[0]}" if ring[0].isdigit() else ring[0].upper()
    return f"Open{number}{first}{ring[1:].replace('-', _HYPHEN)}"


def ring_of(sid: str) -> str | None:
    """Return the ring in the Sid of an Open statement; None when it is not such a Sid."""
    found = _OPEN.fullmatch(sid)
    if found is None:
        return None
    return (found["digit"] or found["letter"].lower()) + found["rest"].replace(_HYPHEN, "-")
