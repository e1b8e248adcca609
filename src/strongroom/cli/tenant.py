# SPDX-License-Identifier: Apache-2.0
"""`strongroom tenant`: the customers in `strongroom.toml`."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.project_file import project_option, read_project, target_option
from strongroom.errors import UsageError
from strongroom.formats.project_model import Tenant
from strongroom.ids import TenantId


@click.group("tenant")
def command() -> None:
    """Add, remove and list tenants: the customers, with the AWS accounts that they run instances in.

    These commands change the project file, which all targets share, and no account.

    \b
    Example:  strongroom tenant add globex --account 222222222222 --ring canary
    """


@command.command("add")
@click.argument("tenant", metavar="ID")
@click.option("--account", "accounts", metavar="ID", multiple=True, required=True, help="AWS account; may be repeated.")
@click.option("--region", "regions", metavar="REGION", multiple=True, help="Default: the product's regions.")
@click.option("--ring", metavar="RING", help="Default: the last ring of the product.")
@target_option
@project_option
@json_option
def add(
    tenant: str,
    *,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    ring: str | None,
    target: str | None,
    project_path: Path,
    as_json: bool,
) -> None:
    """Add a tenant to the project file. Talks to no account.

    \b
    Example:  strongroom tenant add globex --account 222222222222 --ring canary
    """
    file = read_project(project_path)
    file.expect_target(target)
    if tenant in file.project.tenants:
        raise UsageError(
            "tenant.exists", f"tenant {tenant!r} is in {project_path} already", remedy="Edit its section there."
        )
    values: dict[str, object] = {"accounts": list(accounts)}
    if regions:
        values["regions"] = list(regions)
    if ring is not None:
        values["ring"] = ring
    edited = file.with_section(("tenants", tenant), values)
    edited.write()
    added = edited.project.tenants[TenantId(tenant)]
    emit(
        {"tenant": _members(added)},
        as_json=as_json,
        human=lambda out: out.print(f"Added {_line(added)}", markup=False),
    )


@command.command("remove")
@click.argument("tenant", metavar="ID")
@target_option
@project_option
@json_option
def remove(tenant: str, *, target: str | None, project_path: Path, as_json: bool) -> None:
    """Remove a tenant from the project file. Its KMS key and what it has received stay as they are.

    \b
    Example:  strongroom tenant remove globex
    """
    file = read_project(project_path)
    file.expect_target(target)
    if tenant not in file.project.tenants:
        known = ", ".join(file.project.tenants) or "none"
        raise UsageError("tenant.unknown", f"expected a tenant of {project_path} ({known}), found {tenant!r}")
    edited = file.without_section(("tenants", tenant))
    edited.write()
    emit(
        {"removed": tenant},
        as_json=as_json,
        human=lambda out: out.print(
            f"Removed {tenant}. Its KMS key still opens what it has: revoke it in the key policy.", markup=False
        ),
    )


@command.command("list")
@target_option
@project_option
@json_option
def list_(*, target: str | None, project_path: Path, as_json: bool) -> None:
    """List the tenants of the project, with all defaults applied.

    \b
    Example:  strongroom tenant list --json
    """
    file = read_project(project_path)
    file.expect_target(target)
    tenants = tuple(file.project.tenants.values())
    emit(
        {"tenants": [_members(tenant) for tenant in tenants]},
        as_json=as_json,
        human=lambda out: out.print("\n".join(map(_line, tenants)) or "No tenants.", markup=False),
    )


def _members(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.id,
        "accounts": list(tenant.accounts),
        "regions": list(tenant.regions),
        "ring": tenant.ring,
    }


def _line(tenant: Tenant) -> str:
    return (
        f"{tenant.id}  ring {tenant.ring}  accounts {', '.join(tenant.accounts)}  regions {', '.join(tenant.regions)}"
    )
