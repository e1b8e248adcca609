# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm quote`: PCR values of any bank, signed by the TPM, with the document that speaks for the key."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.pcr_list import read_pcr_list
from strongroom.cli.pcr_output import pcr_members
from strongroom.cli.terminal import printable
from strongroom.cli.tpm_bank import bank_option
from strongroom.cli.tpm_device import this_tpm
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.pcrs import GATES
from strongroom.formats.quote import BANKS, MAX_NONCE_BYTES, encode_quote_file
from strongroom.ids import Nonce
from strongroom.tpm.connection import Connection
from strongroom.tpm.quoting import attested_quote


@click.command("quote")
@click.option("-n", "--nonce", type=PATH, required=True, help="The challenge: a file of 1 to 64 bytes.")
@click.option("-o", "--output", type=PATH, required=True, help="Write quote and document to this file.")
@bank_option(BANKS)
@click.option("--pcrs", "listed", metavar="LIST", help="Other PCRs than 2,4,7,12,13, with commas.")
@json_option
def command(*, nonce: Path, output: Path, bank: str, listed: str | None, as_json: bool) -> None:
    """Quote PCRs with a new key of this boot, and attest that key.

    An attestation document has the SHA-384 bank as it is when it is made. A quote adds what it does not have: other
    banks. Both carry the nonce. That the key is in this machine's TPM is the word of the software that booted: a quote
    is worth as much as the boot state in its document.

    \b
    Example:  strongroom tpm quote -n nonce.bin --bank SHA256 -o quote.json
    """
    challenge = Nonce(read_file(nonce, maximum_bytes=MAX_NONCE_BYTES))
    indices = GATES if listed is None else read_pcr_list(listed)
    with this_tpm() as tpm:
        made = attested_quote(Connection(tpm), nonce=challenge, bank=BANKS[bank], indices=indices)
    write_file(output, encode_quote_file(made), mode=PUBLIC_MODE)
    emit(
        {"written": str(output), "bank": bank, "pcrs": pcr_members(made.quote.pcrs)},
        as_json=as_json,
        human=lambda console: console.print(
            printable(f"Quoted {len(made.quote.pcrs)} PCRs of {bank} into {output}"), markup=False
        ),
    )
