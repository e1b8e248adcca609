# SPDX-License-Identifier: Apache-2.0
"""What `key allow` and `key revoke` share: which keys, the policy on each, and how it is replaced.

A policy is in KMS, or in a file (--policy), where nothing is sent to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import click

from strongroom.cli.key_batch import KeyPlace, KeyReport
from strongroom.cli.key_plan import Plan
from strongroom.cli.key_policy_output import emit_policy
from strongroom.cli.key_project import KeyProject
from strongroom.cli.key_report import constant_findings, plan_lines, plan_members
from strongroom.cli.key_session import VendorSession, pause
from strongroom.cli.option_group import option_group
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import Finding, UsageError
from strongroom.flows.change_policy import PolicyChange, put_policy, read_key_policy
from strongroom.flows.create_key import expect_no_grants, expect_plain_key, finish_key
from strongroom.formats.project_model import Tenant
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.train import is_bootstrap

change_options = option_group(
    click.option("--tenant", "tenants", metavar="ID", multiple=True, help="A tenant; may be repeated."),
    click.option("--ring", metavar="RING", help="All tenants of a ring."),
    click.option("--region", "regions", metavar="REGION", multiple=True, help="Default: all with a key of the tenant."),
    click.option("--policy", "policy_file", metavar="FILE", type=PATH, help="Change the policy in this file, no key."),
    click.option("-o", "--output", metavar="FILE", type=PATH, help="With --policy: write it there, not to stdout."),
    click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing."),
    target_option,
    project_option,
)
"""The options that say whose policy is changed."""


class ChangeOptions(TypedDict):
    """What both commands are given, as click hands it over."""

    tenants: tuple[str, ...]
    ring: str | None
    regions: tuple[str, ...]
    policy_file: Path | None
    output: Path | None
    dry_run: bool
    target: str | None
    project_path: Path
    profile: str | None
    endpoint_url: str | None
    as_json: bool


def places_to_change(project: KeyProject, session: VendorSession, options: ChangeOptions) -> list[KeyPlace]:
    """Return the keys that are meant, and say on stderr where they are.

    Raises UsageError for -o, which goes with a file, and for a tenant without a key there.
    """
    if options["output"] is not None:
        raise UsageError("key.output", "expected -o with --policy FILE only")
    places = _places_with_keys(project, options)
    session.announce(place.region for place in places)
    return places


def emit_plan(plan: Plan, options: ChangeOptions, *, flags: Sequence[Finding], now: datetime) -> None:
    """Write the policy of a plan to -o or stdout, unless this is a dry run, and say what it changes."""
    emit_policy(
        plan.after,
        None if options["dry_run"] else options["output"],
        lines=plan_lines(plan, now=now),
        flags=(*flags, *constant_findings(plan.train)),
        members=plan_members(plan),
        as_json=options["as_json"],
    )


def _places_with_keys(project: KeyProject, options: ChangeOptions) -> list[KeyPlace]:
    places = []
    for tenant in project.tenants(options["tenants"], options["ring"]):
        known = project.target.keys.get(tenant.id, {})
        for region in map(Region, dict.fromkeys(options["regions"] or known)):
            if region not in known:
                raise _no_key(project, tenant, region)
            places.append(KeyPlace(tenant, region))
        if not known:
            raise _no_key(project, tenant, "any region")
    return places


def _no_key(project: KeyProject, tenant: Tenant, where: str) -> UsageError:
    return UsageError(
        "key.no-key",
        f"expected a key of {tenant.id} in {where} in target {project.target.name}, found none",
        remedy=f"Run `strongroom key create` for {tenant.id}, or write its ARN into the project.",
    )


@dataclass(frozen=True)
class KeyChanger:
    """Replaces the policies of keys in KMS, or says what it would do."""

    project: KeyProject
    session: VendorSession
    now: datetime
    dry_run: bool

    def read(self, place: KeyPlace) -> KeyPolicy:
        """Return the policy on a key, whatever state it is in."""
        self.session.expect_account(place.region)
        return read_key_policy(self.session.admin(place.region), self.arn(place))

    def read_usable(self, place: KeyPlace) -> KeyPolicy:
        """Return the policy on a key.

        Raises NotTrusted for one that is out of use, not made by KMS for one region, or has grants.
        """
        self.session.expect_account(place.region)
        admin, arn = self.session.admin(place.region), self.arn(place)
        expect_plain_key(admin.describe_key(arn))
        expect_no_grants(admin, arn)
        return read_key_policy(admin, arn)

    def arn(self, place: KeyPlace) -> KeyArn:
        """Return the key, which `places_to_change` has found in the project."""
        if place.tenant is None:
            raise RuntimeError("an escrow key has no train")
        return self.project.target.keys[place.tenant.id][place.region]

    def change(
        self, place: KeyPlace, plan: Plan, *, flags: Sequence[Finding], before_sending: Callable[[], None]
    ) -> KeyReport:
        """Put the new policy and read it back, unless it is there already or this is a dry run.

        `before_sending` is the last that may refuse. Grants are looked for afterwards: a revocation does not wait for
        that. Raises as `put_policy`, `finish_key`.
        """
        arn = self.arn(place)
        self.session.expect_not_locked_out(plan.vendor, place.region)
        change = PolicyChange(arn, plan.before, plan.after)
        if change.is_one and not self.dry_run:
            before_sending()
            admin = self.session.admin(place.region)
            if is_bootstrap(plan.before, plan.vendor):
                finish_key(admin, arn, vendor=plan.vendor, policy=plan.after, pause=pause)
            else:
                put_policy(admin, change, pause=pause)
                expect_no_grants(admin, arn)
        said = [*flags, *constant_findings(plan.train)]
        return KeyReport(self._members(arn, change, plan), list(self._lines(arn, change, plan)), said)

    def _members(self, arn: KeyArn, change: PolicyChange, plan: Plan) -> dict[str, object]:
        done = {"key": arn, "changed": change.is_one and not self.dry_run, "dry_run": self.dry_run}
        return {**done, "state": self.project.state.value, **plan_members(plan)}

    def _lines(self, arn: KeyArn, change: PolicyChange, plan: Plan) -> Iterator[str]:
        yield f"  {_did(change, dry_run=self.dry_run)} {arn}"
        yield from plan_lines(plan, now=self.now)
        yield f"  {self.project.state_line(plan.vendor.change_role_arn)}"


def _did(change: PolicyChange, *, dry_run: bool) -> str:
    if not change.is_one:
        return "Nothing to change on"
    return "Would change" if dry_run else "Changed, and read back from,"
