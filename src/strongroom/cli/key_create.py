# SPDX-License-Identifier: Apache-2.0
"""`strongroom key create`: the keys of tenants, and the escrow key, from nothing to the project file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.cli.key_batch import KeyPlace, KeyReport, run_batch
from strongroom.cli.key_project import KeyProject, KeyState, alias_of, tags_of
from strongroom.cli.key_releases import Asked, read_asked, release_options
from strongroom.cli.key_report import constant_findings, train_lines, train_members
from strongroom.cli.key_session import VendorSession, pause, session_options
from strongroom.cli.output import json_option
from strongroom.cli.project_file import project_option, read_project, target_option
from strongroom.cli.region_option import parse_region
from strongroom.errors import Finding, Severity, StrongroomError, UsageError
from strongroom.flows.provide_key import Found, KeyOrder, ProvidedKey, provide_key
from strongroom.formats.project_model import Tenant
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.generate import escrow_key_policy, tenant_key_policy
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import TenantKeySpec
from strongroom.keypolicy.train import is_bootstrap, read_train


class Options(TypedDict):
    """The options, as click hands them over."""

    tenants: tuple[str, ...]
    ring: str | None
    regions: tuple[str, ...]
    escrow: bool
    measurements: tuple[Path, ...]
    expires: str | None
    epochs: tuple[int, ...]
    accept: tuple[str, ...]
    state: str | None
    dry_run: bool
    target: str | None
    project_path: Path
    profile: str | None
    endpoint_url: str | None
    as_json: bool


@click.command("create")
@click.option("--tenant", "tenants", metavar="ID", multiple=True, help="A tenant; may be repeated.")
@click.option("--ring", metavar="RING", help="All tenants of a ring.")
@click.option("--region", "regions", metavar="REGION", multiple=True, help="Default: the regions of each tenant.")
@click.option("--escrow", is_flag=True, help="The escrow key of the target instead.")
@release_options
@click.option("--state", type=click.Choice([state.value for state in KeyState]), help="Refuse any other state.")
@click.option("--dry-run", is_flag=True, help="Say what would be created, and change nothing.")
@target_option
@session_options
@project_option
@json_option
@click.pass_context
def command(context: click.Context, **options: Unpack[Options]) -> None:
    """Create keys that open for nobody before they are finished, and write their ARNs into the project file.

    A key begins under a policy that denies every opening and every grant. It stays so until `strongroom key allow`
    admits the first release; in a rehearsal, --measurements does that at once. An interrupted run is finished by the
    same command.

    \b
    Example:  strongroom key create --tenant globex
              strongroom key create --escrow --target aws
    """
    run = _Run.of(options)
    context.exit(run_batch(run.project.target, run.places(), run.create, as_json=options["as_json"]))


@dataclass(frozen=True)
class _Run:
    """One call of the command."""

    options: Options
    project: KeyProject
    session: VendorSession
    asked: Asked
    now: datetime

    @classmethod
    def of(cls, options: Options) -> _Run:
        project = KeyProject.read(options["project_path"], options["target"])
        project.expect_state(KeyState(options["state"]) if options["state"] else None)
        if options["escrow"] and (options["tenants"] or options["ring"] or options["measurements"]):
            raise UsageError("key.escrow-alone", "expected --escrow without tenants and measurements: it has none")
        session = VendorSession(project.target, options["profile"], options["endpoint_url"])
        if options["measurements"] and session.is_aws:
            raise UsageError(
                "key.created-shut",
                "expected no --measurements in AWS: a real key is created shut",
                remedy="Create it, then admit the release with `strongroom key allow`, which proves the gates first.",
            )
        now = datetime.now(UTC)
        asked = read_asked(options["measurements"], options["expires"], options["accept"], now=now)
        return cls(options, project, session, asked, now)

    def places(self) -> list[KeyPlace]:
        """Return the keys to create, and say on stderr where. Raises UsageError."""
        asked = tuple(map(parse_region, dict.fromkeys(self.options["regions"])))
        if self.options["escrow"]:
            regions = asked or self.project.file.project.product.regions[:1]
            if len(regions) > 1:
                raise UsageError("key.one-escrow", "expected one --region with --escrow: a target has one escrow key")
            places = [KeyPlace(None, regions[0])]
        else:
            tenants = self.project.tenants(self.options["tenants"], self.options["ring"])
            places = [KeyPlace(tenant, region) for tenant in tenants for region in _regions_of(tenant, asked)]
        self.session.announce(place.region for place in places)
        return places

    def create(self, place: KeyPlace) -> KeyReport:
        """Create one key, or finish it, and write it into the project file."""
        order = self._order(place)
        if self.options["dry_run"]:
            return self._dry(place, order)
        self.session.expect_not_locked_out(order.vendor, place.region)
        inventory = self.session.inventory(place.region)
        key = provide_key(self.session.admin(place.region), inventory, order, pause=pause)
        train = self._train(place, order, key)
        self._write(place, key.arn)
        return self._report(place, order, key, train, alias_owner=inventory.name_key(key.arn, self._alias(place)))

    def _train(self, place: KeyPlace, order: KeyOrder, key: ProvidedKey) -> TenantKeySpec | None:
        """Return what the key opens for.

        Raises NotTrusted for a key that the project does not name and that is not as the project says: whoever may
        create keys in the account can lay one out with our tags, whose policy opens for himself.
        """
        if place.tenant is None or is_bootstrap(key.policy, order.vendor):
            return None
        train = read_train(key.policy)
        if order.known is None:
            self.project.expect_like_project(train, place.tenant)
        return train

    def _order(self, place: KeyPlace) -> KeyOrder:
        tenant, project = place.tenant, self.project
        product = project.file.project.product.id
        return KeyOrder(
            vendor=project.vendor(tenant),
            tenant=tenant.id if tenant else None,
            tags=tags_of(product, tenant.id if tenant else None),
            description=f"{product}: tenant {tenant.id}" if tenant else f"{product}: escrow",
            policy=self._policy(place),
            known=self._known(place),
        )

    def _alias(self, place: KeyPlace) -> str:
        return alias_of(self.project.file.project.product.id, place.tenant.id if place.tenant else None)

    def _policy(self, place: KeyPlace) -> KeyPolicy | None:
        if place.tenant is None:
            return escrow_key_policy(self.project.escrow_spec())
        if not self.asked.files:
            return None
        epochs = self.project.epochs(place.tenant, self.options["epochs"])
        releases = self.asked.releases(ring=place.tenant.ring, epochs=epochs)
        return tenant_key_policy(self.project.tenant_spec(place.tenant, releases))

    def _known(self, place: KeyPlace) -> KeyArn | None:
        if place.tenant is None:
            return self.project.target.escrow_key
        return self.project.target.keys.get(place.tenant.id, {}).get(place.region)

    def _write(self, place: KeyPlace, arn: KeyArn) -> None:
        """Write the ARN at once: a later key of this run may fail. The file is read again, as others may edit it."""
        if self._known(place) == arn:
            return
        target = self.project.target.name
        path = ("keys", str(place.tenant.id), str(place.region)) if place.tenant else ("escrow-key",)
        file = read_project(self.options["project_path"])
        try:
            file.with_nested(("targets", target, *path), arn).write()
        except StrongroomError as error:
            error.add_note(f"The key {arn} is there. Write it into targets.{target}.{'.'.join(path)}, or try again.")
            raise

    def _dry(self, place: KeyPlace, order: KeyOrder) -> KeyReport:
        known = f"would look at {order.known}, which the project names" if order.known else "would create a key"
        then = "put its policy on it" if order.policy else "leave it shut: it would open for nobody"
        tags = ", ".join(f"{name}={value}" for name, value in order.tags.items())
        lines = [f"  {known} ({self._alias(place)}; {tags}), and {then}", f"  {self._state(place)}"]
        return KeyReport({"dry_run": True, "key": order.known, "alias": self._alias(place)}, lines, self._flags(place))

    def _report(
        self, place: KeyPlace, order: KeyOrder, key: ProvidedKey, train: TenantKeySpec | None, *, alias_owner: KeyArn
    ) -> KeyReport:
        alias, flags = self._alias(place), (*self._flags(place), *constant_findings(train))
        if train is not None and place.tenant is not None:
            differing = self.project.differences(train, place.tenant)
            flags = (*flags, *(replace(each, severity=Severity.WARNING) for each in differing))
        if alias_owner != key.arn:
            flags = (*flags, _alias_taken(alias, alias_owner))
        if key.found is Found.FINISHED and order.policy and place.tenant:
            flags = (*flags, _LEFT)
        members = {"key": key.arn, "alias": alias, "found": key.found.value, "state": self.project.state.value}
        lines = [f"  {key.found}: {key.arn}", *self._train_lines(place, key, train), f"  {self._state(place)}"]
        return KeyReport(members | train_members(train, key.policy), lines, flags)

    def _train_lines(self, place: KeyPlace, key: ProvidedKey, train: TenantKeySpec | None) -> Sequence[str]:
        if place.tenant is None:
            return ["  It opens for the escrow role alone, without attestation."]
        return list(train_lines(train, key.policy, now=self.now))

    def _state(self, place: KeyPlace) -> str:
        return self.project.state_line(self.project.target.change_role or "", of_tenant=place.tenant is not None)

    def _flags(self, place: KeyPlace) -> tuple[Finding, ...]:
        return (*self.project.state_notices, *(self.asked.findings if place.tenant else ()))


_LEFT = Finding(
    "key.left-alone",
    "the key had a policy already, which was left as it is: `strongroom key allow` admits releases to it",
    Severity.NOTE,
)


def _alias_taken(alias: str, owner: KeyArn) -> Finding:
    return Finding(
        "key.alias-taken", f"{alias} belongs to {owner} and was left there; nothing of ours uses it", Severity.WARNING
    )


def _regions_of(tenant: Tenant, asked: tuple[Region, ...]) -> tuple[Region, ...]:
    """Return where a tenant gets keys: in those asked for, or all of its own. Raises UsageError for another."""
    other = next((region for region in asked if region not in tenant.regions), None)
    if other is not None:
        raise UsageError(
            "key.region-of-tenant",
            f"expected a region of {tenant.id}, one of {', '.join(tenant.regions)}, found {other}",
            remedy="Nothing is sealed for a tenant elsewhere: write the region into the project first.",
        )
    return asked or tenant.regions
