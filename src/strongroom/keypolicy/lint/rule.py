# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and what it finds."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import Severity
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import Fault


class PolicyKind(enum.StrEnum):
    """Which policy a rule reads."""

    KEY = "key policy"
    IDENTITY = "identity policy"


KEY_ONLY = frozenset({PolicyKind.KEY})
BOTH = frozenset(PolicyKind)


Check: TypeAlias = Callable[[Subject], Iterator[Fault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `code` is stable; `attacks` are the ids of what it stops (docs/threat-model.md, docs/key-lint.md)."""

    code: str
    severity: Severity
    title: str
    fix: str
    attacks: tuple[str, ...] = ()
    kinds: frozenset[PolicyKind] = KEY_ONLY
    check: Check


@dataclass(frozen=True, slots=True)
class LintFinding:
    """What a rule found in one policy. `policy` is 0 for the key policy, n for the n-th identity policy."""

    rule: Rule
    fault: Fault
    policy: int = 0

    @property
    def pointer(self) -> str:
        """Return the place as a JSON pointer (RFC 6901)."""
        return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in self.fault.path)
