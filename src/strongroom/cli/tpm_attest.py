# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm attest`: an attestation document of this instance."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from strongroom.cli.output import emit, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.tpm_device import this_tpm
from strongroom.errors import UsageError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.ids import SpkiDer
from strongroom.tpm.nitro import NitroTpm


@click.command("attest")
@click.option("-u", "--user-data", type=PATH, help="The document carries the bytes of this file as user data.")
@click.option("-n", "--nonce", type=PATH, help="The document carries the bytes of this file as its nonce.")
@click.option("-p", "--public-key", type=PATH, help="The document carries the bytes of this file as its public key.")
@click.option("-o", "--output", type=PATH, help="Write the document to this file instead of stdout.")
@json_option
def command(
    *, user_data: Path | None, nonce: Path | None, public_key: Path | None, output: Path | None, as_json: bool
) -> None:
    """Ask the NitroTPM for an attestation document, and write it as it comes: CBOR, on stdout.

    Options and output are those of AWS's nitro-tpm-attest; -o and --json are ours. Each file has at most 1,024 bytes.
    KMS encrypts to the public key if it is an RSA key as DER SubjectPublicKeyInfo. The document is not verified here:
    whoever gets it does that, with `strongroom verify`.

    \b
    Example:  strongroom tpm attest --nonce nonce.bin > document.cbor
              strongroom tpm attest -p key.der -u data.bin -o document.cbor
    """
    if output is None and not as_json and sys.stdout.isatty():
        raise UsageError("tpm.terminal", "expected a file or a pipe on stdout, found a terminal", remedy="Use -o FILE.")
    fields = {"user_data": _field(user_data), "nonce": _field(nonce)}
    key = _field(public_key)
    with this_tpm() as tpm:
        document = NitroTpm(tpm).attest(public_key=None if key is None else SpkiDer(key), **fields)
    if output is not None:
        write_file(output, document, mode=PUBLIC_MODE)
    elif not as_json:
        click.echo(document, nl=False)
        return
    emit(
        {"document": base64.b64encode(document).decode(), "written": None if output is None else str(output)},
        as_json=as_json,
        human=lambda out: print_line(out, f"Wrote {len(document)} bytes to {output}"),
    )


def _field(path: Path | None) -> bytes | None:
    return None if path is None else read_file(path, maximum_bytes=MAX_FIELD_BYTES)
