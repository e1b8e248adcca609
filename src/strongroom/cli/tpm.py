# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm`: what the TPM of this instance says and keeps. One file for each of its commands."""

from __future__ import annotations

import click

from strongroom.cli import tpm_attest, tpm_pcrs, tpm_quote, tpm_seal, tpm_unseal


@click.group("tpm")
def command() -> None:
    """Use the TPM of this instance, /dev/tpm0 or what TPM_DEVICE names. Most of it needs root.

    \b
    Example:  strongroom tpm pcrs
              strongroom tpm attest --nonce nonce.bin > document.cbor
    """


for _each in (tpm_attest.command, tpm_pcrs.command, tpm_quote.command, tpm_seal.command, tpm_unseal.command):
    command.add_command(_each)
