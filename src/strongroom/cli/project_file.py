# SPDX-License-Identifier: Apache-2.0
"""Reading and editing `strongroom.toml`: comments and order survive, and nothing that does not parse is written."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from strongroom.cli.paths import PATH
from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.project import FILE_NAME, MAX_BYTES, parse_project
from strongroom.formats.project_model import Project, Target
from strongroom.formats.toml_lines import line_of


def nearest_project() -> Path:
    """Return the path of the project file in the working folder, or in the nearest folder above that has one.

    Where none has, it is that of the one that might be here.
    """
    with contextlib.suppress(FileNotFoundError):  # somebody has removed the working folder
        for depth in range(len(Path.cwd().parents) + 1):
            path = Path(*[os.pardir] * depth, FILE_NAME)
            if os.path.isfile(path):  # noqa: PTH113 -- Path.is_file raises for a folder that may not be searched
                return path
    return Path(FILE_NAME)


project_option = click.option(
    "--project",
    "project_path",
    type=PATH,
    default=nearest_project,
    show_default=f"{FILE_NAME} here, or in the nearest folder above",
    help="The project file.",
)
target_option = click.option("--target", metavar="NAME", help="A target of the project; default: its default-target.")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project as it lies on disk: `text` is what was read, `project` what it says."""

    path: Path
    text: str
    project: Project

    def locate(self, written: str) -> Path:
        """Return what the file writes as `written`: relative to its folder, or below the home folder.

        Raises LocalFault where there is no such home folder.
        """
        try:
            return self.path.parent / Path(written).expanduser()
        except RuntimeError as error:
            raise LocalFault(
                "project.no-home",
                f"expected a home folder for {written}, found none",
                remedy="Set HOME, or write the path without ~.",
            ) from error

    def target(self, name: str | None) -> Target:
        """Return the target called `name`, or the project's default. Raises UsageError."""
        targets = self.project.targets
        chosen = name or self.project.product.default_target or (next(iter(targets)) if len(targets) == 1 else None)
        known = ", ".join(sorted(targets))
        if chosen is None:
            raise UsageError("project.no-target", f"expected --target, one of {known}", remedy="Or set default-target.")
        if chosen not in targets:
            raise UsageError(
                "project.unknown-target",
                f"expected a target of {self.path}, one of {known}, found {chosen!r}",
                remedy=f"Add a [targets.{chosen}] section, or name one that is there.",
            )
        return targets[chosen]

    def expect_target(self, name: str | None) -> None:
        """Raise UsageError when `name` is given and is no target of the project."""
        if name is not None:
            self.target(name)

    def with_text(self, text: str) -> ProjectFile:
        """Return this project with another text, not yet written. Raises UsageError if that is no project."""
        try:
            project = parse_project(text, name=str(self.path))
        except FormatError as error:
            raise UsageError(
                "project.refused-edit",
                f"nothing was written, because the result would be wrong: {error.message}",
                remedy=error.remedy or "Change that place first, or give other values.",
            ) from error
        return ProjectFile(self.path, text, project)

    def with_section(self, path: tuple[str, str], values: Mapping[str, object]) -> ProjectFile:
        """Return this project with the table `[path]` added at the end of the file, where nothing else moves."""
        table = tomlkit.table()
        table.update(values)
        block = tomlkit.dumps({path[0]: {path[1]: table}})
        return self.with_text(f"{self.text.rstrip()}\n\n{block}")

    def with_value(self, path: tuple[str, str, str], value: str) -> ProjectFile:
        """Return this project with one value of one section set."""
        document: Any = tomlkit.parse(self.text)
        document[path[0]][path[1]][path[2]] = value
        return self.with_text(tomlkit.dumps(document))

    def with_nested(self, path: Sequence[str], value: str) -> ProjectFile:
        """Return this project with one value set, in tables that are made where they are missing.

        Raises UsageError when the file is written in a way that an edit would not leave the rest as it is.
        """
        document: Any = tomlkit.parse(self.text)
        expected = tomllib.loads(self.text)
        table, values = document, expected
        for name in path[:-1]:
            if name not in table:
                inline = isinstance(table, InlineTable)
                table[name] = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=name != path[-2])
            table, values = table[name], values.setdefault(name, {})
        table[path[-1]] = values[path[-1]] = value
        written = f'{path[-1]} = "{value}"\n'
        edited = self.with_text(tomlkit.dumps(document).replace(f"{written}[", f"{written}\n["))
        if tomllib.loads(edited.text) != expected:
            raise UsageError(
                "project.not-editable",
                f"cannot write {'.'.join(path)} into {self.path}; nothing was written",
                remedy=f'Write it with an editor: {path[-1]} = "{value}"',
            )
        return edited

    def without_section(self, path: tuple[str, str]) -> ProjectFile:
        """Return this project without the table `[path]`. Comments stay, also those behind its last key.

        Raises UsageError when the section is not written as a table of its own.
        """
        lines = self.text.splitlines(keepends=True)
        start = line_of(self.text, path) - 1
        if not lines[start].lstrip().startswith("["):
            raise UsageError(
                "project.no-section",
                f"expected {'.'.join(path)} as a section of its own in {self.path}",
                remedy="It is written inside another section. Remove it with an editor.",
            )
        end = start + 1
        while end < len(lines) and not lines[end].lstrip().startswith("["):
            end += 1
        while not _says_something(lines[end - 1]):
            end -= 1
        while start and end < len(lines) and not lines[start - 1].strip() and not lines[end].strip():
            end += 1
        edited = self.with_text("".join(lines[:start] + lines[end:]))
        if _values(edited.text) != _values(self.text, without=path):
            raise UsageError(
                "project.not-removable",
                f"cannot tell where {'.'.join(path)} ends in {self.path}; nothing was written",
                remedy="Remove it with an editor.",
            )
        return edited

    def write(self) -> None:
        """Replace the file on disk, whole or not at all; links are followed, its mode stays. Raises LocalFault."""
        path = self.path.resolve()
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:  # there is none yet, or `write_file` says why it cannot be written
            mode = PUBLIC_MODE
        write_file(path, self.text.encode(), mode=mode)


def read_project(path: Path) -> ProjectFile:
    """Read a project file. Raises LocalFault, FormatError."""
    try:
        data = read_file(path, maximum_bytes=MAX_BYTES)
    except LocalFault as error:
        if error.code != "file.missing":
            raise
        remedy = "Run `strongroom init` to write one, or name another with --project."
        raise LocalFault("project.missing", error.message, remedy=remedy) from error
    try:
        text = data.decode("utf-8")
        project = parse_project(text, name=str(path))
        tomlkit.parse(text)  # an edit must not be the first to learn that the two parsers disagree
    except UnicodeDecodeError as error:
        raise FormatError("project.not-utf8", f"expected UTF-8 in {path}", offset=error.start) from error
    except TOMLKitError as error:
        raise FormatError("project.toml", f"{path}: expected TOML: {error}", spec="TOML 1.0") from error
    return ProjectFile(path, text, project)


def _values(text: str, *, without: tuple[str, str] | None = None) -> dict[str, Any]:
    """Return what a text says, less one section and the table of sections if nothing else is in it."""
    values = tomllib.loads(text)
    if without is not None:
        del values[without[0]][without[1]]
        if not values[without[0]]:
            del values[without[0]]
    return values


def _says_something(line: str) -> bool:
    """Tell whether a line of TOML is more than blank or a comment."""
    return not re.fullmatch(r"\s*(#.*)?\s*", line)
