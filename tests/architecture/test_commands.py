# SPDX-License-Identifier: Apache-2.0
"""A command that is named exists. One that does not exist yet is said, in the same sentence, to be `not built yet`.

A name is a run of lower-case words after `strongroom` between backticks, and what README and docs show after `$ `. The
words have to lead to a command: options, arguments and placeholders end the run.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from strongroom.agent.main import parser
from strongroom.cli.main import strongroom

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PAGES += sorted((ROOT / "src").rglob("*.md"))
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NAMED = re.compile(r"(?<!`)`(strongroom(?:-[a-z]+)?(?:\s[^`]*)?)`(?!`)|^\$ (strongroom .*)$", re.MULTILINE)
LATER = "not built yet"
AGENTS_COMMANDS = {name for action in parser()._actions if isinstance(action.choices, dict) for name in action.choices}
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`#*|-])|\n\s*\n|\n(?=\|)")


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def texts(file: Path) -> Iterator[str]:
    """Yield what a file says to people: a page whole; of a source file every string, with X for what is filled in."""
    if file.suffix == ".md":
        yield file.read_text()
        return
    tree = ast.parse(file.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in node.values)


def missing(command_line: str) -> str:
    """Return the first word of a command line that leads nowhere; nothing when all do."""
    program, *words = command_line.split()
    if program == "strongroom-agent":
        first = [word for word in words[:1] if re.fullmatch(r"[a-z][a-z-]*", word) and word not in AGENTS_COMMANDS]
        return "".join(first)
    if program != "strongroom":
        return program
    command: click.Command | None = strongroom
    for word in words:
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z][a-z-]*", word):
            return ""
        command = command.get_command(click.Context(command), word)
        if command is None:
            return word
    return ""


def false_names(text: str) -> list[str]:
    found = []
    for sentence in SENTENCE_ENDS.split(text):
        if LATER not in " ".join(sentence.lower().split()):
            named = (" ".join((match[1] or match[2]).split()) for match in NAMED.finditer(sentence))
            found += [command for command in named if missing(command)]
    return found


@pytest.mark.parametrize("file", [*PAGES, *SOURCES], ids=name)
def test_every_command_that_is_named_exists_or_is_said_to_be_not_built_yet(file):
    assert [command for text in texts(file) for command in false_names(text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `strongroom twin sideways` first.", ["strongroom twin sideways"]),
        ("Run `strongroom\ntwin sideways` first.", ["strongroom twin sideways"]),
        ("It is `strongroom-agent`, and `strongroom-agent run`.", []),
        ("It is `strongroom-agent sideways`.", ["strongroom-agent sideways"]),
        ("It is `strongroom-other`.", ["strongroom-other"]),
        ("`strongroom signer nosuch` is wrong.", ["strongroom signer nosuch"]),
        ("$ strongroom release file\n", ["strongroom release file"]),
        ("Not here. `strongroom release`, not built yet, does it.", []),
        ("This is not built yet. Run `strongroom release` for it.", ["strongroom release"]),
        ("| `strongroom release`, not built yet |\n| `strongroom release` |", ["strongroom release"]),
        ("`strongroom signer new NAME`, `strongroom demo --keep kept`, `strongroom`, `strongroom.toml`", []),
    ],
)
def test_the_rule_sees_what_it_should(text, found):
    assert false_names(text) == found


def test_the_rule_is_applied_to_something():
    named = [match for file in (*PAGES, *SOURCES) for text in texts(file) for match in NAMED.finditer(text)]
    assert len(named) > 50
