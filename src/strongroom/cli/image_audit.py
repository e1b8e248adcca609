# SPDX-License-Identifier: Apache-2.0
"""`strongroom image audit`: every way into an image for the account's owner, and every leak."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.cli.cache_folder import cache_folder
from strongroom.cli.image_audit_output import FOUND, emit_audit
from strongroom.cli.image_audit_sarif import emit_audit_sarif
from strongroom.cli.output import error_console, json_option, print_line
from strongroom.cli.paths import PATH, named
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.formats.audit_waivers import MAX_BYTES, Waiver, parse_waivers
from strongroom.formats.partition import Profile
from strongroom.imaging.audit.report import Report, audit_image


class _Options(TypedDict):
    profile: str
    waive: tuple[str, ...]
    waivers: tuple[Path, ...]
    as_json: bool
    as_sarif: bool


@click.command("audit")
@click.argument("image", metavar="IMAGE", type=PATH)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.PRODUCTION.value,
    show_default=True,
    help="What it has to be fit for.",
)
@click.option("--waive", multiple=True, metavar="RULE=REASON", help="Let a rule's findings stand; may repeat.")
@click.option("--waivers", multiple=True, type=PATH, metavar="FILE", help="A TOML file of waivers; may repeat.")
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print one SARIF 2.1.0 log on stdout, for code scanning.")
@click.pass_context
def command(context: click.Context, image: Path, **options: Unpack[_Options]) -> None:
    """Find the ways into an image for the owner of its account, and what it leaks.

    IMAGE is a raw disk, a unified kernel image, a file system, a folder, a tar file or an OCI layout, whoever built it.
    Nothing of it is mounted or run, and it needs no root.

    \b
    Example:  strongroom image audit disk.raw
              strongroom image audit rootfs/ --waive "audit.sshd=our lab"
              strongroom image audit disk.raw --waivers waivers.toml --json

    Every rule stands in docs/reference/audit.md.

    Exits with 0: no error, or only what is waived; 1: an error; 2: usage; 3: malformed; 9: this machine.
    """
    if options["as_json"] and options["as_sarif"]:
        raise UsageError("audit.output", "expected either --json or --sarif, found both")
    waivers = (*map(_waiver, options["waive"]), *(each for file in options["waivers"] for each in _read(file)))

    def report() -> Report:
        today = datetime.now(UTC).date()
        with named(image):
            return audit_image(
                image,
                profile=Profile(options["profile"]),
                waivers=waivers,
                today=today,
                cache=cache_folder(),
                progress=_progress,
            )

    if options["as_sarif"]:
        context.exit(emit_audit_sarif(image, report))
    found = report()
    emit_audit(found, as_json=options["as_json"])
    context.exit(0 if found.passed else FOUND)


def _progress(what: str) -> None:
    print_line(error_console(), f"{what} ...")


def _waiver(text: str) -> Waiver:
    rule, sign, reason = text.partition("=")
    if not sign or not reason.strip():
        raise UsageError(
            "audit.waiver",
            f"expected RULE=REASON with --waive, found {text!r}",
            remedy="A waiver without a reason says nothing to whoever comes after you.",
        )
    return Waiver(rule.strip(), reason.strip())


def _read(path: Path) -> tuple[Waiver, ...]:
    with named(path):
        data = read_file(path, maximum_bytes=MAX_BYTES)
        return parse_waivers(data.decode("utf-8", "replace"), name=str(path))
