# SPDX-License-Identifier: Apache-2.0
"""`strongroom image rebuild`: builds an image again and compares it with what is there, byte by byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from strongroom.cli.image_differences import DIFFERENT, difference_facts, print_differences
from strongroom.cli.image_making import Wanted, make_image
from strongroom.cli.output import emit, error_console, json_option, print_line
from strongroom.cli.paths import PATH, named
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.formats.build_record import MAX_BUILD_RECORD_BYTES, BuildRecord, parse_build_record
from strongroom.formats.image_spec_model import DEBUG
from strongroom.imaging.compare.outputs import compare_outputs
from strongroom.imaging.provenance import BUILD_RECORD_NAME


@click.command("rebuild")
@click.argument("spec", type=PATH)
@click.option("--compare", "output", type=PATH, required=True, metavar="DIR", help="What `image build` wrote.")
@target_option
@project_option
@json_option
@click.pass_context
def command(
    context: click.Context, *, spec: Path, output: Path, target: str | None, project_path: Path, as_json: bool
) -> None:
    """Build SPEC again and show what differs from DIR: which file, which partition or section, which byte.

    Packages are today's: one that Debian has replaced since stands first in the list of differences. With another
    --target the difference is trust.json, and what follows from it.

    \b
    Example:  strongroom image rebuild image.toml --compare out --target twin

    Exits with 0: the same, byte for byte; 1: something differs; 2: usage; 8: a mirror cannot be reached; 9: this
    machine.
    """
    record = _record(output)
    with tempfile.TemporaryDirectory(prefix=".rebuild-", dir=output.absolute().parent) as scratch:
        again = Path(scratch) / "again"
        wanted = Wanted(spec, again, target, project_path, record.variant == DEBUG)
        make_image(wanted, progress=lambda what: print_line(error_console(), f"{what} ..."))
        found = compare_outputs(output, again)
    facts = difference_facts(found)
    emit(facts, as_json=as_json, human=lambda console: print_differences(console, found, names=(str(output), "again")))
    context.exit(DIFFERENT if found else 0)


def _record(output: Path) -> BuildRecord:
    path = output / BUILD_RECORD_NAME
    if not path.is_file():
        raise UsageError(
            "rebuild.no-record",
            f"expected the output of `strongroom image build` in {output}, found no {BUILD_RECORD_NAME}",
            remedy="Two images of anybody are compared by `strongroom image compare`.",
        )
    with named(path):
        return parse_build_record(read_file(path, maximum_bytes=MAX_BUILD_RECORD_BYTES))
