# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin env`: the variables under which AWS's tools talk to a twin, as one of its accounts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.twin_folder import folder_option, running_twin, twin_folder
from strongroom.errors import UsageError
from strongroom.twin.aws_configuration import UNSET, environment


@click.command("env")
@click.argument("account", metavar="vendor|customer|NAME")
@folder_option
@json_option
def command(*, account: str, folder: Path | None, as_json: bool) -> None:
    """Print what a shell has to know to be an account of the running twin.

    The AWS CLI, boto3 and Strongroom's own commands then reach the twin and nothing else. Files of your own AWS
    configuration are neither read nor written.

    \b
    Example:  eval "$(strongroom twin env vendor)"
              aws kms create-key
    """
    place = twin_folder(folder)
    running = running_twin(place)
    if account not in running.accounts:
        known = ", ".join(sorted(running.accounts))
        raise UsageError(
            "twin.no-profile",
            f"expected an account of the twin with an access key, one of {known}, found {account!r}",
            remedy="`strongroom twin up --account NAME=ID` adds one.",
        )
    variables = environment(place, account, region=running.region, endpoint=running.endpoint)
    variables |= _past_proxies(os.environ)
    lines = [f"unset {' '.join(UNSET)}"] + [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    emit(
        {"variables": variables, "unset": list(UNSET)},
        as_json=as_json,
        human=lambda out: out.out("\n".join(lines), highlight=False),
    )


def _past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps calls to this machine from a proxy, where the shell names one."""
    named = {name.lower() for name, value in environment.items() if value}
    if not named & {"http_proxy", "https_proxy", "all_proxy"}:
        return {}
    before = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    value = ",".join(dict.fromkeys(["127.0.0.1", "localhost", *filter(None, before.split(","))]))
    return {"NO_PROXY": value, "no_proxy": value}
