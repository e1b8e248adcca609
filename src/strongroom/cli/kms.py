# SPDX-License-Identifier: Apache-2.0
"""`strongroom kms`: calls to AWS KMS that carry an attestation document of this instance."""

from __future__ import annotations

import click

from strongroom.cli.kms_decrypt import command as decrypt


@click.group("kms")
def command() -> None:
    """Ask AWS KMS for secrets as this instance, attested by its TPM.

    \b
    Example:  strongroom kms decrypt --key-id ARN --ciphertext-blob fileb://c -o s
    """


command.add_command(decrypt)
