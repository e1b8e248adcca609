# SPDX-License-Identifier: Apache-2.0
"""The pages in docs/reference say what the source says."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from strongroom import errors
from strongroom.cli.main import COMMANDS, INTERRUPTED, READER_GONE, strongroom
from strongroom.errors import StrongroomError

ROOT = Path(__file__).parents[2]
CODES = (ROOT / "docs/reference/codes.md").read_text()


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(strongroom)
    waiting = [(name, strongroom.get_command(context, name)) for name in COMMANDS]
    while waiting:
        name, command = waiting.pop()
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            waiting += [(f"{name} {child}", below) for child, below in command.commands.items()]
    return found


def test_the_pages_are_what_the_source_gives():
    run = subprocess.run(
        [sys.executable, ROOT / "tools/reference", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", ["codes.md", "commands.md"])
def test_every_exit_code_stands_in_a_table_on_top(page):
    table = (ROOT / "docs/reference" / page).read_text().split("\n## ")[0]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StrongroomError)]
    codes = {0, 1, INTERRUPTED, READER_GONE} | {kind.exit_code for kind in kinds}
    assert set(map(int, re.findall(r"^\| (\d+) \| \S", table, re.MULTILINE))) == codes


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("file.empty", "raised with its code"),
        ("cbor.duplicate-key", "made by a method that adds the area"),
        ("field.unknown", "made by a method of another module"),
        ("nonce.mismatch", "a finding"),
        ("kms.incorrect-key", "kept in a table"),
    ],
)
def test_codes_are_found_however_they_are_made(code, how):
    assert f"| `{code}` |" in CODES, how


def compared_codes() -> set[str]:
    """Return the codes that tests compare with `.code`, which are certain to be raised."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "code":
                found |= {c.value for c in node.comparators if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return found


def test_every_code_that_a_test_has_seen_is_documented():
    seen = compared_codes()
    assert len(seen) > 20
    assert {code for code in seen if f"| `{code}` |" not in CODES} == set()


AUDIT = ROOT / "src/strongroom/imaging/audit"
"""Its rules name arguments of kernels, settings and programs, which have the shape of codes as well."""


def dotted_literals() -> dict[str, str]:
    """Return every literal of the source that has the shape of a code, and a module that it stands in.

    Tables, arguments and defaults alike. What ends in a hyphen is the beginning of codes, and no code.
    """
    shape = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*[a-z0-9]")
    source = ROOT / "src/strongroom"
    return {
        node.value: str(file.relative_to(source))
        for file in sorted(source.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and shape.fullmatch(node.value)
        if AUDIT not in file.parents or node.value.startswith("audit.")
    }


FILE_ENDINGS = (
    "json",
    "jsonl",
    "log",
    "db",
    "pem",
    "toml",
    "conf",
    "efi",
    "cbor",
    "hex",
    "txt",
    "raw",
    "tar",
    "erofs",
    "img",
    "zst",
    "list",
    "rsa2048",
    "b64",
    "bundle",
    "escrow",
    "service",
    "socket",
    "target",
    "timer",
    "mount",
    "path",
    "vfat",
    "cred",
    "fd",
    "py",
)
NO_CODES = {
    "amazonaws.com",
    "m1.small",
    "m7i.large",
    "strongroom-twin.nitro-enclaves",
    "demo.command",
    "security.capability",
    "system.data",
    "fsck.erofs",
    "appliance.xml",
    "config.sh",
}
"""A domain, an instance type, the common name of a root, a module and what is in it, attributes, programs, files."""


def test_every_literal_of_the_source_with_the_shape_of_a_code_is_documented():
    literals = dotted_literals()
    codes = {code for code in literals if code.rpartition(".")[2] not in FILE_ENDINGS} - NO_CODES
    assert len([code for code in codes if code.startswith("explain.")]) > 35
    assert {code: literals[code] for code in codes if f"| `{code}` |" not in CODES} == {}
    assert literals.keys() >= NO_CODES, "an exception that nothing needs any more"


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_with_an_example_and_stands_in_the_documentation(name):
    command = commands()[name]
    assert re.search(r"^\s*Examples?:", command.help or "", re.MULTILINE), "an example in the help"
    assert f"## `strongroom {name}`" in (ROOT / "docs/reference/commands.md").read_text()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_line_of_help_fits_a_terminal_of_80_columns(name):
    settings = {"terminal_width": 80, "max_content_width": 80, **strongroom.context_settings}
    context = click.Context(commands()[name], info_name=f"strongroom {name}", **settings)
    assert [line for line in commands()[name].get_help(context).splitlines() if len(line) > 80] == []


def test_every_line_of_make_help_fits_too():
    run = subprocess.run(["make", "-s", "-C", ROOT, "help"], capture_output=True, text=True, check=True)
    assert [line for line in run.stdout.splitlines() if len(line) > 80] == []
    assert "make demo" in run.stdout


@pytest.mark.parametrize("name", sorted(n for n, c in commands().items() if not isinstance(c, click.Group)))
def test_every_command_speaks_json(name):
    assert "--json" in {option for parameter in commands()[name].params for option in parameter.opts}
