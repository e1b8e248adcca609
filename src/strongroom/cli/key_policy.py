# SPDX-License-Identifier: Apache-2.0
"""`strongroom key policy`: generate a key policy, offline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.cli.key_policy_output import emit_policy
from strongroom.cli.key_project import KeyProject, KeyState
from strongroom.cli.key_releases import read_asked, release_options
from strongroom.cli.key_report import SHUT, train_lines, train_members
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import Finding, UsageError
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy, tenant_key_policy
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import TenantKeySpec

_CLOSED = {True: "  It opens for the escrow role alone, without attestation.", False: f"  {SHUT}"}
"""What is said of the policies that admit no versions: is it the escrow key's?"""


class Options(TypedDict):
    """The options, as click hands them over."""

    tenant: str | None
    escrow: bool
    bootstrap: bool
    measurements: tuple[Path, ...]
    expires: str | None
    epochs: tuple[int, ...]
    accept: tuple[str, ...]
    state: str | None
    output: Path | None
    target: str | None
    project_path: Path
    as_json: bool


@click.command("policy")
@click.option("--tenant", metavar="ID", help="The policy of this tenant's key.")
@click.option("--escrow", is_flag=True, help="The policy of the escrow key.")
@click.option("--bootstrap", is_flag=True, help="The policy of a key that opens for nobody yet.")
@release_options
@click.option("--state", type=click.Choice([state.value for state in KeyState]), help="Refuse any other state.")
@click.option("-o", "--output", type=PATH, help="Write the policy to this file instead of stdout.")
@target_option
@project_option
@json_option
def command(**options: Unpack[Options]) -> None:
    """Generate the policy of a key from the project file and measurements.

    It talks to no account. One of --tenant, --escrow and --bootstrap says which policy; all releases of one call get
    the same expiry. `strongroom key allow --policy FILE -o FILE` adds more.

    \b
    Example:  strongroom key policy --tenant globex --measurements m.json
              strongroom key policy --escrow -o escrow.json
    """
    project = KeyProject.read(options["project_path"], options["target"])
    project.expect_state(KeyState(options["state"]) if options["state"] else None)
    _expect_one_kind(options)
    now = datetime.now(UTC)
    train, flags = _train(project, options, now) if options["tenant"] else (None, ())
    policy = _policy(project, train, options)
    flags = (*flags, *project.state_notices)
    lines = train_lines(train, policy, now=now) if train else [_CLOSED[options["escrow"]]]
    emit_policy(
        policy,
        options["output"],
        lines=(*lines, f"  State of tenants' keys: {project.state}"),
        flags=flags,
        members={"state": project.state.value, **train_members(train, policy)},
        as_json=options["as_json"],
    )


def _expect_one_kind(options: Options) -> None:
    kinds = {"--tenant": options["tenant"], "--escrow": options["escrow"], "--bootstrap": options["bootstrap"]}
    given = [name for name, value in kinds.items() if value]
    if len(given) != 1:
        raise UsageError("key.which-kind", f"expected one of {', '.join(kinds)}, found {' and '.join(given) or 'none'}")
    if options["tenant"] and not options["measurements"]:
        raise UsageError(
            "key.nothing-asked",
            "expected --measurements FILE with --tenant, found none",
            remedy="--bootstrap prints the policy of a key that opens for nobody yet.",
        )
    if options["measurements"] and not options["tenant"]:
        raise UsageError("key.no-gates", f"expected --measurements with --tenant only, found them with {given[0]}")


def _train(project: KeyProject, options: Options, now: datetime) -> tuple[TenantKeySpec, tuple[Finding, ...]]:
    tenant = project.tenant(options["tenant"] or "")
    asked = read_asked(options["measurements"], options["expires"], options["accept"], now=now)
    releases = asked.releases(ring=tenant.ring, epochs=project.epochs(tenant, options["epochs"]))
    return project.tenant_spec(tenant, releases), asked.findings


def _policy(project: KeyProject, train: TenantKeySpec | None, options: Options) -> KeyPolicy:
    if train is not None:
        return tenant_key_policy(train)
    return escrow_key_policy(project.escrow_spec()) if options["escrow"] else bootstrap_key_policy(project.vendor(None))
