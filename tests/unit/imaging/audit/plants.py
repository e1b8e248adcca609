# SPDX-License-Identifier: Apache-2.0
"""What the tests of rules share: a fault planted in the clean image is found by its rule, at its place."""

from dataclasses import dataclass

import pytest
from tests.audit_images import subject

from strongroom.imaging.audit.rules import RULES
from strongroom.imaging.audit.subject import Subject


@dataclass(frozen=True)
class Plant:
    code: str
    subject: Subject
    path: str
    count: int = 1


def plant(code, name, files=None, *, path="", count=1, **parts):
    """A case for `parametrize`: the clean image with this in it, and where the rule has to find it."""
    return pytest.param(Plant(code, subject(files, **parts), path, count), id=f"{code.removeprefix('audit.')}: {name}")


def faults(code, audited):
    """What one rule finds. It has to have what it needs: a rule that is not applied finds nothing either."""
    rule = RULES[code]
    assert all(audited.has(part) for part in rule.needs), "the rule would not have been applied"
    return list(rule.check(audited))


def assert_found(planted):
    found = faults(planted.code, planted.subject)
    assert len(found) == planted.count, found
    assert planted.path in {fault.path for fault in found}
    for fault in found:
        assert fault.message.startswith("expected ")


def cases_of(module):
    """The planted cases of a test module: (code, the attacks that its test carries)."""
    for name, test in vars(module).items():
        if name.startswith("test_"):
            marks = getattr(test, "pytestmark", [])
            attacks = {mark.args[0] for mark in marks if mark.name == "attack"}
            for mark in marks:
                if mark.name == "parametrize" and mark.args[0] == "planted":
                    yield from ((case.values[0].code, attacks) for case in mark.args[1])
