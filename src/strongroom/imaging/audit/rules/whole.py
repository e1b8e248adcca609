# SPDX-License-Identifier: Apache-2.0
"""Whether all of the image could be looked at, and whether its parts belong together."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject

_VERITY_KEYS = ("roothash", "usrhash")


def _unreadable(subject: Subject) -> Iterator[Fault]:
    yield from (Fault("", problem.message, problem.part) for problem in subject.problems)


def _other_root(subject: Subject) -> Iterator[Fault]:
    named = [value.lower() for key in _VERITY_KEYS for value in subject.values(key) if value]
    if subject.disk is None or not named:
        return
    if not subject.root_hash:
        yield Fault("", "expected a hash tree beside the root file system, found none", Part.DISK)
    elif subject.root_hash not in named:
        yield Fault(
            "",
            f"expected the root hash of the command line, {named[-1][:16]}…, over the root file system, found "
            f"{subject.root_hash[:16]}…",
            Part.DISK,
        )


RULES = (
    Rule(
        code="audit.not-read",
        severity=Severity.ERROR,
        title="A part of the image could not be read",
        why="Nothing is known of what was not looked through. Whoever makes an image that readers take in different "
        "ways can hide in it whatever an audit looks for.",
        fix="Repair what the message names, or build the image again.",
        attacks=("B19",),
        needs=frozenset(),
        check=_unreadable,
    ),
    Rule(
        code="audit.other-root",
        severity=Severity.ERROR,
        title="The command line does not name the root file system that was audited",
        why="The measured root hash decides which file system is trusted. One with another hash does not boot under "
        "it, or is not the one that boots.",
        fix="Build the image again, so that dm-verity is made over the root file system that it holds.",
        attacks=("B1", "B10"),
        needs=frozenset({Part.TREE, Part.COMMAND_LINE}),
        check=_other_root,
    ),
)
