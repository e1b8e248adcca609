# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm unseal`: a sealed secret, if this machine is in the boot state that it was sealed for."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from strongroom.agent.process import forbid_core_dumps
from strongroom.cli.output import emit, json_option, print_line
from strongroom.cli.paths import PATH, named
from strongroom.cli.tpm_device import this_tpm
from strongroom.errors import UsageError
from strongroom.flows.files import PRIVATE_MODE, read_file, write_file
from strongroom.formats.sealed import MAX_SEALED_FILE_BYTES, parse_sealed
from strongroom.tpm.connection import Connection
from strongroom.tpm.sealing import unseal_secret


@click.command("unseal")
@click.argument("sealed", type=PATH)
@click.option("-o", "--output", type=PATH, help="Write the secret to this file (mode 0600) instead of stdout.")
@json_option
def command(*, sealed: Path, output: Path | None, as_json: bool) -> None:
    """Give back what `strongroom tpm seal` has sealed, if this machine is in the boot state it was sealed for.

    Otherwise it exits with 7 and says which PCRs differ. The secret is written as it is: to a file, or to stdout where
    that is no terminal. With --json, which never shows a secret, -o is needed.

    \b
    Example:  strongroom tpm unseal key.sealed -o /run/key
              strongroom tpm unseal key.sealed | wc -c
    """
    if output is None and (as_json or sys.stdout.isatty()):
        raise UsageError(
            "tpm.secret-shown",
            "expected -o FILE, or a pipe on stdout: a secret is never shown",
            remedy="Use -o FILE, best in a file system in memory, such as /run.",
        )
    forbid_core_dumps()
    with named(sealed, missing="`strongroom tpm seal` writes one."):
        found = parse_sealed(read_file(sealed, maximum_bytes=MAX_SEALED_FILE_BYTES))
        with this_tpm() as tpm:
            secret = unseal_secret(Connection(tpm), found)
    if output is None:
        click.echo(secret, nl=False)
        return
    write_file(output, secret, mode=PRIVATE_MODE)
    emit(
        {"written": str(output), "bytes": len(secret)},
        as_json=as_json,
        human=lambda console: print_line(console, f"Wrote {len(secret)} bytes to {output}"),
    )
