# SPDX-License-Identifier: Apache-2.0
"""What a rule of the audit is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import Severity
from strongroom.imaging.audit.subject import Part, Subject


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a rule is broken."""

    path: str
    """In the tree or the initrd: an absolute path. Of a part that has no paths: empty."""
    message: str
    """What was expected, and what was found. Never a secret itself."""
    part: Part = Part.TREE
    """Where the path is one, and what the fault is about."""
    line: int | None = None
    """Of the file at `path`, from 1."""


Check: TypeAlias = Callable[[Subject], Iterator[Fault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `code` is stable. `attacks` are the ids of what it stops (docs/threat-model.md).

    It is applied where everything that it `needs` is there; otherwise the report says that it was not applied.
    """

    code: str
    severity: Severity
    title: str
    """What is wrong, in one sentence without a full stop."""
    why: str
    """What somebody can do where it is broken, with the attack."""
    fix: str
    attacks: tuple[str, ...] = ()
    needs: frozenset[Part] = frozenset({Part.TREE})
    waivable: bool = True
    """Whether a waiver with a reason makes it count no more."""
    check: Check
