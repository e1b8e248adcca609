# SPDX-License-Identifier: Apache-2.0
"""`strongroom image build`: an attestable image from a specification."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.image_making import Made, Wanted, make_image
from strongroom.cli.output import emit, error_console, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import Severity
from strongroom.formats.partition import Profile
from strongroom.imaging.build.papers import MEASUREMENTS_NAME

FAILED_AUDIT = 1


@click.command("build")
@click.argument("spec", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="The folder to write; not there yet.")
@click.option(
    "--debug", is_flag=True, help="With a root shell on the serial console: other measurements, never shipped."
)
@target_option
@project_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    spec: Path,
    output: Path,
    debug: bool,
    target: str | None,
    project_path: Path,
    as_json: bool,
) -> None:
    """Build the image that SPEC describes: a raw disk that UEFI boots, and what is to be known of it.

    It needs no root and no loop device. The same specification and packages give the same bytes. The profile of its
    trust.json makes it a production or a rehearsal image: --target takes that from the project. Everything appears in
    DIR at once, at the end; a build that fails leaves its log as DIR.log.

    \b
    Example:  strongroom image build image.toml -o out --target twin

    Exits with 0; 1: it was built, and the audit found an error in a production image; 2: usage; 3: malformed; 8: a
    mirror cannot be reached; 9: this machine.
    """
    wanted = Wanted(spec, output, target, project_path, debug)
    made = make_image(wanted, progress=lambda what: print_line(error_console(), f"{what} ..."))
    emit(_facts(made), as_json=as_json, human=lambda console: _print(console, made))
    fails = made.order.variant == Profile.PRODUCTION.value and not made.report.passed
    context.exit(FAILED_AUDIT if fails else 0)


def _facts(made: Made) -> dict[str, object]:
    return {
        "output": str(made.output),
        "variant": made.order.variant,
        "passed_audit": made.report.passed,
        "errors": made.report.counts[Severity.ERROR],
        "warnings": made.report.counts[Severity.WARNING],
    }


def _print(console: Console, made: Made) -> None:
    counts = made.report.counts
    print_line(console, f"Built {made.output}, a {made.order.variant} image. Its measurements: {MEASUREMENTS_NAME}")
    print_line(console, f"Audit: {counts[Severity.ERROR]} errors, {counts[Severity.WARNING]} warnings")
    for finding in made.report.findings.found:
        if finding.waiver is None and finding.rule.severity is not Severity.NOTE:
            print_line(console, f"  {finding.rule.severity} {finding.rule.code}: {finding.fault.message}")
    for line in ("image boot", "image audit", "twin attack"):
        print_line(console, f"next: strongroom {line} {made.output}{'/disk.raw' if line == 'image audit' else ''}")
