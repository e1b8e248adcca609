# SPDX-License-Identifier: Apache-2.0
"""Whether PAM lets somebody in who knows nothing (pam.conf(5)): a stack worked out with every check failing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.tree.tree import Tree

FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")
_LINE = re.compile(r"(-?)(auth|account|session|password)\s+(\[[^\]]*\]|\S+)\s+(\S+)(.*)", re.IGNORECASE)
_MAX_FILES = 256
"""Opened for one service."""
_SUCCEEDS = frozenset({"pam_permit"})
_NEUTRAL = frozenset(
    {
        *("pam_env", "pam_nologin", "pam_faildelay", "pam_group", "pam_limits", "pam_selinux", "pam_keyinit"),
        *("pam_securetty", "pam_shells", "pam_access", "pam_time", "pam_echo", "pam_warn", "pam_motd", "pam_mail"),
        *("pam_loginuid", "pam_lastlog", "pam_umask", "pam_cap", "pam_namespace", "pam_mkhomedir", "pam_tally2"),
        "pam_faillock",
    }
)
"""Modules that prove nothing about who somebody is: they succeed for everybody, or for nearly everybody."""
_SHORTHANDS = {
    "required": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"},
    "requisite": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"},
    "sufficient": {"success": "done", "new_authtok_reqd": "done", "default": "ignore"},
    "optional": {"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"},
}
"""What the words stand for (pam.conf(5))."""


@dataclass(frozen=True, slots=True)
class PamLine:
    """One line of a stack for `auth`, with its place."""

    control: str
    module: str
    path: str
    line: int

    @property
    def name(self) -> str:
        """The module without folder and ending."""
        return self.module.rpartition("/")[2].removesuffix(".so")


def services(tree: Tree) -> Iterator[str]:
    """Yield the names of the services that PAM knows; of equal names the first folder counts."""
    found = {node.name for folder in FOLDERS for node in tree.children(folder)}
    return iter(sorted(name for name in found if not name.startswith("common-")))


def opened_by(tree: Tree, service: str) -> PamLine | None:
    """Return the line that lets somebody in who fails every check, or None where none does."""
    return _outcome(tuple(_stack(tree, service, [])))


def _stack(tree: Tree, service: str, opened: list[str], inside: tuple[str, ...] = ()) -> Iterator[PamLine]:
    """Yield the lines of a service, included ones in their place. One that includes itself has no end: libpam stops."""
    if service in inside or len(opened) >= _MAX_FILES:
        return
    path = next((f"{folder}/{service}" for folder in FOLDERS if tree.resolve(f"{folder}/{service}") is not None), "")
    opened.append(path)
    if not path:
        return
    inside = (*inside, service)
    for number, text in _whole_lines(tree, path):
        words = text.split()
        if words[0] == "@include" and len(words) > 1:
            yield from _stack(tree, words[1], opened, inside)
            continue
        found = _LINE.fullmatch(text)
        if found is None or found[2].lower() != "auth":
            continue
        if found[3] in {"include", "substack"}:
            yield from _stack(tree, found[4], opened, inside)
        else:
            yield PamLine(found[3].lower(), found[4], path, number)


def _whole_lines(tree: Tree, path: str) -> Iterator[tuple[int, str]]:
    held = ""
    for number, line in tree.lines(path):
        text = held + line.split("#")[0].strip()
        if text.endswith("\\"):
            held = text[:-1] + " "
            continue
        held = ""
        if text:
            yield number, text


def _outcome(stack: tuple[PamLine, ...]) -> PamLine | None:
    """Walk a stack as libpam does, with what proves an identity failing. Return the line that made it succeed."""
    opened: PamLine | None = None
    failed = False
    index = 0
    while index < len(stack):
        line = stack[index]
        index += 1
        result = _result(line)
        action = _actions(line.control).get(result, _actions(line.control).get("default", "bad"))
        if action.isdigit():
            index += int(action)
        elif action in {"ok", "done"} and result == "success":
            opened = opened or (line if line.name in _SUCCEEDS else None)
            if action == "done" and not failed:
                return line
        elif action == "reset":
            opened, failed = None, False
        elif action in {"bad", "die"}:
            failed = True
            if action == "die":
                break
    return None if failed else opened


def _result(line: PamLine) -> str:
    if line.name in _SUCCEEDS:
        return "success"
    return "ignore" if line.name in _NEUTRAL else "auth_err"


def _actions(control: str) -> dict[str, str]:
    if control.startswith("["):
        return dict(pair.split("=", 1) for pair in control.strip("[]").split() if "=" in pair)
    return _SHORTHANDS.get(control, {"default": "bad"})
