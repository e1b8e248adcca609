# SPDX-License-Identifier: Apache-2.0
"""`strongroom key`: KMS keys and their policies."""

from __future__ import annotations

import click

from strongroom.cli.key_lint import command as lint


@click.group("key")
def command() -> None:
    """Write, change, examine and try out the policies of KMS keys.

    \b
    Example:  strongroom key simulate policy.json --key ARN --caller ARN
    """


command.add_command(lint)
