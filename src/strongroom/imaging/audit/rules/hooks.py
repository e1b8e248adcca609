# SPDX-License-Identifier: Apache-2.0
"""Rules on code that runs inside other programs: start-up hooks of interpreters, preloaded libraries, search paths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.environment import Variable, variables
from strongroom.imaging.audit.places import why_elsewhere
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.audit.systemd.unit_file import split_words
from strongroom.imaging.tree.node import Node

_START_UP = re.compile(r"/(sitecustomize|usercustomize)(\.py|/__init__\.py)$")
_HARMLESS = (
    "try:\n    import apport_python_hook\nexcept ImportError:\n    pass\nelse:\n    apport_python_hook.install()",
)
"""Debian's sitecustomize.py, without its comments: it looks for a crash reporter."""
_PTH_CODE = re.compile(r"import[ \t]")
_PTH_HARMLESS = re.compile(
    r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '(local|stdlib)'\) == 'local'; "
    r"enabled and __import__\('_distutils_hack'\)(\.add_shim\(\))?;?\s*"
)
"""The line of setuptools' distutils-precedence.pth."""
_PRELOAD = "/etc/ld.so.preload"
_LINKER = ("/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf")
_HOOKS = frozenset(
    {
        *("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "BASH_ENV", "SSLKEYLOGFILE"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX"),
        *("PERL5LIB", "PERL5OPT", "PERL5DB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH"),
        *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "OPENSSL_CONF", "OPENSSL_MODULES"),
    }
)
_SEARCHED = frozenset({"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PERL5LIB", "RUBYLIB", "NODE_PATH", "GCONV_PATH"})
_ONE_FILE = frozenset({"LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PYTHONSTARTUP", "OPENSSL_CONF"})
_EXEC = ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPost")


def _start_up(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        if _START_UP.search(node.path) and _text(subject, node) not in _HARMLESS:
            yield Fault(node.path, "expected no code that every Python runs first, found a file of it")
        elif node.path.endswith(".pth"):
            for number, line in subject.files.lines(node.path):
                if _PTH_CODE.match(line) and not _PTH_HARMLESS.fullmatch(line):
                    yield Fault(node.path, "expected folders in a .pth file, found code", line=number)


def _text(subject: Subject, node: Node) -> str:
    lines = (line.split("#")[0].rstrip() for _, line in subject.files.lines(node.path))
    return "\n".join(line for line in lines if line)


def _preload(subject: Subject) -> Iterator[Fault]:
    for number, line in subject.files.lines(_PRELOAD):
        if line.split("#")[0].strip():
            yield Fault(_PRELOAD, f"expected no library in every program, found {line.strip()}", line=number)


def _environment(subject: Subject) -> Iterator[Fault]:
    for each in variables(subject):
        if each.is_for_all and each.name in _HOOKS and each.value:
            yield each.fault(f"expected no {each.name} for all programs, found {each.value}")


def _elsewhere(subject: Subject) -> Iterator[Fault]:
    for each in variables(subject):
        for path in _paths(each):
            why = why_elsewhere(subject.files, subject.arguments, path)
            if why:
                yield each.fault(
                    f"expected {each.name} to name the image's own, found {path or 'an empty part'}, {why}"
                )
    yield from _of_linker(subject)
    yield from _of_pth(subject)


def _paths(variable: Variable) -> list[str]:
    """Return the paths that a variable names. A relative one counts where it is looked up in any folder."""
    if variable.name in _ONE_FILE:
        return [path for path in variable.value.replace(":", " ").split() if path.startswith(("/", "./", "../"))]
    if variable.name not in _SEARCHED or not variable.value:
        return []
    paths = variable.value.split(":")
    anywhere = variable.is_for_all or variable.name in {"PATH", "LD_LIBRARY_PATH"}
    return paths if anywhere else [path for path in paths if path.startswith("/")]


def _of_linker(subject: Subject) -> Iterator[Fault]:
    for pattern in (*_LINKER, _PRELOAD):
        for node in subject.files.glob(pattern):
            for number, line in subject.files.lines(node.path):
                text = line.split("#")[0].strip()
                if text and not text.startswith("include "):
                    why = why_elsewhere(subject.files, subject.arguments, text)
                    if why and text.startswith("/"):
                        yield Fault(node.path, f"expected libraries of the image, found {text}, {why}", line=number)


def _of_pth(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        if node.path.endswith(".pth"):
            for number, line in subject.files.lines(node.path):
                text = line.strip()
                why = why_elsewhere(subject.files, subject.arguments, text) if text.startswith("/") else ""
                if why:
                    yield Fault(node.path, f"expected modules of the image, found {text}, {why}", line=number)


def _runs_elsewhere(subject: Subject) -> Iterator[Fault]:
    for started in reach_of(subject.files, subject.arguments).all_running():
        for key in _EXEC:
            for each in started.unit.given("Service", key):
                program = next(iter(split_words(each.value.lstrip("-+!@:|"))), "")
                why = why_elsewhere(subject.files, subject.arguments, program) if program.startswith("/") else ""
                if why:
                    yield Fault(each.path, f"expected a program of the image, found {program}, {why}", line=each.line)


RULES = (
    Rule(
        code="audit.start-up-code",
        severity=Severity.WARNING,
        title="Python runs code before the program that was meant",
        why="sitecustomize, usercustomize and import lines in .pth files run in every Python, the agent's among them "
        "where it is not started with -I. It is measured, and so it is yours: make sure that you know it (B17).",
        fix="Remove the file. Where it is meant, waive this with the reason.",
        attacks=("B17",),
        check=_start_up,
    ),
    Rule(
        code="audit.preload",
        severity=Severity.WARNING,
        title="A library is loaded into every program",
        why="It sees every secret that any program holds. It is measured, and so it is yours: make sure that you know "
        "it (B17).",
        fix="Remove /etc/ld.so.preload.",
        attacks=("B17",),
        check=_preload,
    ),
    Rule(
        code="audit.environment-hook",
        severity=Severity.WARNING,
        title="The environment of all programs changes what they load",
        why="Such a variable puts code into every program that an interpreter or the linker starts, or has it write "
        "down its TLS keys (B17).",
        fix="Set the variable for the one service that needs it, in its unit.",
        attacks=("B17",),
        check=_environment,
    ),
    Rule(
        code="audit.hook-elsewhere",
        severity=Severity.ERROR,
        title="Programs look for code where others may put it",
        why="Whoever may write there runs code in the program, with its secrets: other programs of the image, or the "
        "owner, who edits a disk (B5, B17).",
        fix="Name only folders of the image. An empty part of PATH stands for the folder that a program runs in.",
        attacks=("B5", "B17"),
        check=_elsewhere,
    ),
    Rule(
        code="audit.runs-elsewhere",
        severity=Severity.ERROR,
        title="A service runs a program that is not the image's",
        why="Nobody measured what lies there: other programs of the image put it there, or the owner, who edits a disk "
        "(B5, B17).",
        fix="Put the program into the image.",
        attacks=("B5", "B17"),
        check=_runs_elsewhere,
    ),
)
