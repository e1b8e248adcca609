# SPDX-License-Identifier: Apache-2.0
"""Which units do not run although something starts them: conditions that the image itself decides (systemd.unit(5)).

A condition on what only the running machine knows is taken to hold. A condition that fails keeps the unit from running,
and not what it pulls in.
"""

from __future__ import annotations

from strongroom.imaging.audit.systemd.arguments import Arguments
from strongroom.imaging.audit.systemd.unit_file import Setting, Unit
from strongroom.imaging.tree.tree import Tree

_FIXED = ("/usr/", "/etc/", "/bin/", "/sbin/", "/lib/", "/opt/")
"""What lies here is as the image has it. `/run`, `/dev`, `/sys` and `/var` fill up while the machine runs."""


def failed_condition(unit: Unit, tree: Tree, arguments: Arguments) -> Setting | None:
    """Return a condition of a unit that does not hold on this image, whatever happens on the machine; None for none."""
    for key in ("ConditionPathExists", "AssertPathExists"):
        for each in unit.given("Unit", key):
            if _path_missing(each.value, tree):
                return each
    for key in ("ConditionKernelCommandLine", "AssertKernelCommandLine"):
        for each in unit.given("Unit", key):
            if arguments and _word_missing(each.value, arguments):
                return each
    return None


def _path_missing(value: str, tree: Tree) -> bool:
    path = value.removeprefix("!")
    if not path.startswith(_FIXED):  # also what starts with "|": one of several is enough, which is not worked out
        return False
    there = tree.resolve(path) is not None
    return there if value.startswith("!") else not there


def _word_missing(value: str, arguments: Arguments) -> bool:
    word = value.removeprefix("!")
    if word.startswith("|"):
        return False
    key, sign, wanted = word.partition("=")
    there = any(name == key and (not sign or found == wanted) for name, found in arguments)
    return there if value.startswith("!") else not there
