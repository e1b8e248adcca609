# SPDX-License-Identifier: Apache-2.0
"""`strongroom init`: a first `strongroom.toml`, with comments."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import ProjectFile
from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.formats.project import FILE_NAME, parse_project
from strongroom.formats.project_model import Project

TWIN_ACCOUNT = "111111111111"
"""The vendor's account in the twin. No real account has this id."""

_TEMPLATE = """\
# A Strongroom project. Every key is described in docs/formats/project.md.
# It holds no secret: private keys and secrets are files that it names.
version = 1

[product]
id = "{product}"                # part of every key policy and encryption context: it never changes
regions = ["{region}"]
rings = ["canary", "general"]   # a release reaches tenants ring by ring, in this order
default-target = "{target}"

# Targets: where a command goes. The same command line with another --target goes to another one.
{targets}
# Signers: `strongroom signer new main` adds one. New images trust it; its private key stays outside this folder.
#
# Tenants: `strongroom tenant add globex --account 222222222222 --ring canary` adds one.
#
# Secrets: each becomes one bundle per tenant.
# [secrets.db-password]
# files = ["secrets/db-password"]
# rings = ["canary"]            # or tenants = ["globex"]; without either, all tenants
"""
_TWIN = """\
[targets.twin]                  # `strongroom twin up`: AWS's services on this machine, for rehearsal
profile = "rehearsal"
vendor-account = "{account}"
endpoint = "http://127.0.0.1:4600"
aws-profile = "vendor"          # `eval "$(strongroom twin env vendor)"` makes it known to AWS's tools
# Roles that a new twin has:
sealer-role = "arn:aws:iam::{account}:role/sealer"      # who seals; every key policy names it
escrow-role = "arn:aws:iam::{account}:role/escrow"      # who opens in an emergency, without attestation
# change-role = "arn:aws:iam::{account}:role/release"   # who alone may replace key policies: assume it first

[targets.twin.trust]            # what images for this target trust in place of AWS
nitro-root = ".strongroom/twin/nitro-root.pem"
tls-root = ".strongroom/twin/tls-root.pem"
kms-endpoint = "https://127.0.0.1:4601"
identity-certificates = {{ {region} = ".strongroom/twin/identity-{region}.pem" }}
"""
_AWS = """\
[targets.aws]
profile = "production"
vendor-account = "{account}"    # the account that holds the keys
# aws-profile = "vendor"        # a profile of your AWS configuration; AWS_PROFILE goes first
# sealer-role = "arn:aws:iam::{account}:role/sealer"    # who seals; `strongroom key create` needs it
# change-role = "arn:aws:iam::{account}:role/release"   # who alone may replace key policies
# escrow-role = "arn:aws:iam::{account}:role/escrow"    # who opens in an emergency, without attestation
"""


@click.command("init")
@click.option("--product", metavar="NAME", help="Id of the product; default: the folder's name.")
@click.option("--target", type=click.Choice(["twin", "aws"]), default="twin", show_default=True, help="Default target.")
@click.option("--account", metavar="ID", help="The vendor's AWS account; needed with --target aws.")
@click.option("--region", default="eu-central-1", show_default=True, help="The first region.")
@click.option("--project", "project_path", type=PATH, default=FILE_NAME, show_default=True, help="The project file.")
@json_option
def command(
    *, product: str | None, target: str, account: str | None, region: str, project_path: Path, as_json: bool
) -> None:
    """Write a first strongroom.toml with comments. Never overwrites one; talks to no account.

    \b
    Example:  strongroom init --product acme
              strongroom init --product acme --target aws --account 123456789012
    """
    name = product or _folder_name(project_path)
    text = _text(product=name, target=target, account=account, region=region)
    project = ProjectFile(project_path, text, _project(text))
    if os.path.lexists(project_path):
        raise LocalFault(
            "project.exists",
            f"expected no file at {project_path}, found one",
            remedy="Edit it, or name another with --project.",
        )
    project.write()
    emit(
        {"project": str(project_path), "product": name, "target": target},
        as_json=as_json,
        human=lambda out: out.print(f"Wrote {project_path}. Next: strongroom signer new main", markup=False),
    )


def _folder_name(project_path: Path) -> str:
    try:
        folder = project_path.absolute().parent.name
    except FileNotFoundError as error:  # somebody has removed the working folder
        raise UsageError("init.no-name", "expected --product, or a folder to call the product by") from error
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")


def _project(text: str) -> Project:
    try:
        return parse_project(text, name="the project")
    except FormatError as error:
        raise UsageError(
            "init.values",
            f"nothing was written, because the result would be wrong: {error.message}",
            remedy="Give other values for --product, --account or --region.",
        ) from error


def _text(*, product: str, target: str, account: str | None, region: str) -> str:
    if target == "aws" and account is None:
        raise UsageError(
            "init.no-account",
            "expected --account with --target aws: the AWS account that holds the keys",
            remedy="`aws sts get-caller-identity` prints the one you use.",
        )
    twin = _TWIN.format(account=TWIN_ACCOUNT, region=region)
    aws = _AWS.format(account=account or "123456789012")
    if account is None:
        aws = "".join(f"# {line}\n" for line in aws.splitlines())
    return _TEMPLATE.format(product=product, target=target, region=region, targets=f"{twin}\n{aws}")
