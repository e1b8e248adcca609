# SPDX-License-Identifier: Apache-2.0
"""`strongroom key`: KMS keys and their policies."""

from __future__ import annotations

import click

from strongroom.cli.key_allow import command as allow
from strongroom.cli.key_create import command as create
from strongroom.cli.key_explain import command as explain
from strongroom.cli.key_policy import command as policy
from strongroom.cli.key_revoke import command as revoke
from strongroom.cli.key_simulate import command as simulate


@click.group("key")
def command() -> None:
    """Write, change, examine and try out the policies of KMS keys.

    \b
    Example:  strongroom key simulate policy.json --key ARN --caller ARN
    """


command.add_command(allow)
command.add_command(create)
command.add_command(explain)
command.add_command(policy)
command.add_command(revoke)
command.add_command(simulate)
