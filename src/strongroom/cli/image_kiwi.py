# SPDX-License-Identifier: Apache-2.0
"""`strongroom image kiwi`: a specification as a KIWI NG description for Amazon Linux 2023."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict, Unpack

import click
from rich.console import Console

from strongroom.cli.cache_folder import cache_folder
from strongroom.cli.image_inputs import agent_settings, read_content, read_spec
from strongroom.cli.output import emit, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import UsageError
from strongroom.imaging.agent_payload import agent_payload
from strongroom.imaging.kiwi.description import write_description
from strongroom.imaging.kiwi.overlay import overlay
from strongroom.imaging.kiwi.translate import LATEST, PYTHON, plan_of
from strongroom.imaging.wheels import ImagePython

_RELEASE = re.compile(rf"{LATEST}|2023(?:\.\d+){{1,4}}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,100}")


class _Options(TypedDict):
    output: Path
    packages: tuple[str, ...]
    release: str
    target: str | None
    project_path: Path
    as_json: bool


@click.command("kiwi")
@click.argument("spec", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="The folder to write; not there yet.")
@click.option(
    "--package",
    "packages",
    multiple=True,
    metavar="DEBIAN=AMAZON",
    help="What a package is called in Amazon Linux; several with commas, none to leave it out; may repeat.",
)
@click.option(
    "--release", default=LATEST, show_default=True, help="A version of Amazon Linux, such as 2023.9.20251105."
)
@target_option
@project_option
@json_option
def command(spec: Path, **options: Unpack[_Options]) -> None:
    """Write SPEC as a KIWI NG description for Amazon Linux 2023, to build on AWS's way.

    Nothing is built: `kiwi-ng system build` does that on Amazon Linux, as root and with loop devices, from which no
    option of ours saves it. `--release latest` gives another image every week; a version gives the same packages. Its
    hook puts the unified kernel image where firmware starts it, measures it and fails on any difference.

    \b
    Example:  strongroom image kiwi image.toml -o description
              strongroom image kiwi image.toml -o new --package libfoo1=libfoo
    """
    packages = dict(map(_package, options["packages"]))
    release = _release(options["release"])
    wanted = read_spec(spec)
    settings = agent_settings(wanted, spec.parent, target=options["target"], project=options["project_path"])
    python = ImagePython(PYTHON, wanted.architecture)
    agent = agent_payload(settings, python, wheel_cache=cache_folder() / "wheels") if settings else ()
    files = overlay(wanted, agent, lambda content: read_content(content, spec.parent))
    variant = settings.trust.profile.value if settings else "production"
    plan = plan_of(wanted, files, variant=variant, packages=packages, release=release)
    names = write_description(options["output"], plan, files)
    emit(
        {"output": str(options["output"]), "files": len(names), "packages": list(plan.packages), "release": release},
        as_json=options["as_json"],
        human=lambda console: _print(console, options["output"], len(names), plan.packages),
    )


def _print(console: Console, output: Path, count: int, packages: tuple[str, ...]) -> None:
    print_line(console, f"Wrote {output}: {count} files. {output / 'BUILD.txt'} says how to build; it takes root.")
    print_line(console, f"Packages of Amazon Linux beside its base: {', '.join(packages) or 'none'}")


def _release(text: str) -> str:
    if not _RELEASE.fullmatch(text):
        raise UsageError("kiwi.release", f"expected {LATEST} or a version such as 2023.9.20251105, found {text!r}")
    return text


def _package(text: str) -> tuple[str, tuple[str, ...]]:
    name, sign, others = text.partition("=")
    found = tuple(other for other in others.split(",") if other)
    if not (sign and name and all(map(_NAME.fullmatch, found))):
        raise UsageError("kiwi.package", f"expected DEBIAN=AMAZON or DEBIAN=AMAZON,AMAZON or DEBIAN=, found {text!r}")
    return name, found
