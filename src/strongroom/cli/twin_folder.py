# SPDX-License-Identifier: Apache-2.0
"""Which folder the commands about a running twin mean, and the twin in it."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.paths import PATH
from strongroom.cli.project_file import nearest_project, read_project
from strongroom.errors import LocalFault
from strongroom.formats.project import FILE_NAME
from strongroom.ids import Region
from strongroom.twin.running import Running, find_running

_DEFAULT = Path(".strongroom") / "twin"

folder_option = click.option(
    "--folder", type=PATH, help=f"Folder that the twin lives in. Default: {_DEFAULT} beside {FILE_NAME}, or here."
)


def twin_folder(given: Path | None) -> Path:
    """Return the folder that is meant: the one given, or the project's, or the working directory's.

    Raises LocalFault where somebody has removed the working directory, and for a project's folder that leads elsewhere:
    whoever wrote the project could have a twin put its files, and a .gitignore, over those of another folder of the
    user's.
    """
    if given is not None:
        return given
    place = default_folder()
    for each in (place.parent, place):
        if each.is_symlink():
            raise LocalFault(
                "twin.folder-link",
                f"expected a folder at {each}, found a link to {each.resolve()}",
                remedy="Name the folder itself with --folder, if it is meant.",
            )
    return place


def default_folder() -> Path:
    """Return the folder beside the project file, or in the working directory where there is none, wherever it leads.

    Raises LocalFault where somebody has removed the working directory.
    """
    try:
        return nearest_project().parent.resolve() / _DEFAULT
    except FileNotFoundError as error:
        raise LocalFault(
            "twin.folder",
            "expected a working folder, found that it was removed",
            remedy="Go to another one, or name the twin's with --folder.",
        ) from error


def project_regions(given: Path | None) -> tuple[Region, ...]:
    """Return the regions of the project that the folder belongs to; none for a folder that was given.

    Raises FormatError for a project file that is none.
    """
    project = twin_folder(given).parent.parent / FILE_NAME
    if given is not None or not project.is_file():
        return ()
    return read_project(project).project.product.regions


def running_twin(folder: Path) -> Running:
    """Return the twin that runs in a folder. Raises LocalFault where none does."""
    running = find_running(folder)
    if running is None:
        raise LocalFault(
            "twin.not-running",
            f"expected a twin that runs in {folder}, found none",
            remedy="`strongroom twin up --detach` starts one.",
        )
    return running
