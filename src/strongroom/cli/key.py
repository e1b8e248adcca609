# SPDX-License-Identifier: Apache-2.0
"""`strongroom key`: KMS keys and their policies."""

from __future__ import annotations

import click

from strongroom.cli.key_allow import command as allow
from strongroom.cli.key_create import command as create
from strongroom.cli.key_explain import command as explain
from strongroom.cli.key_lint import command as lint
from strongroom.cli.key_policy import command as policy
from strongroom.cli.key_revoke import command as revoke
from strongroom.cli.key_simulate import command as simulate


@click.group("key")
def command() -> None:
    """Write, change, examine and try out the policies of KMS keys.

    \b
    Example:  strongroom key simulate policy.json --key ARN --caller ARN
    """


for each in (allow, create, explain, lint, policy, revoke, simulate):
    command.add_command(each)
