# SPDX-License-Identifier: Apache-2.0
"""`strongroom key revoke`: let a tenant's keys open for a release no more."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import click

from strongroom.cli.key_batch import KeyPlace, KeyReport, run_batch
from strongroom.cli.key_change import ChangeOptions, KeyChanger, change_options, emit_plan, places_to_change
from strongroom.cli.key_plan import Plan, plan_revoke, plan_shut
from strongroom.cli.key_project import KeyProject
from strongroom.cli.key_releases import gates_of
from strongroom.cli.key_report import SHUT
from strongroom.cli.key_session import VendorSession, session_options
from strongroom.cli.key_source import read_policy_source
from strongroom.cli.output import error_console, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.policy_file import read_measurements_file
from strongroom.errors import Finding, Severity, UsageError
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.trust import MAX_COUNTER
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import PCR4, PCR7, AdmittedRelease
from strongroom.keypolicy.train import is_bootstrap, read_train


class Options(ChangeOptions):
    """The options, as click hands them over."""

    measurements: tuple[Path, ...]
    pcr4: tuple[str, ...]
    epochs: tuple[int, ...]
    expired: bool
    shut: bool
    yes: bool


_PREFIX = re.compile(r"[0-9a-f]{8,96}")
_NOT_ADMITTED = Finding(
    "key.not-admitted", "nothing was withdrawn: the key does not open for what was named", Severity.WARNING
)


@click.command("revoke")
@change_options
@click.option(
    "--measurements", metavar="FILE", type=PATH, multiple=True, help="Measurements of a release; may be repeated."
)
@click.option("--pcr4", metavar="HEX", multiple=True, help="A release by 8 or more digits of its PCR4.")
@click.option(
    "--epoch", "epochs", metavar="N", type=click.IntRange(1, MAX_COUNTER), multiple=True, help="Of this epoch only."
)
@click.option("--expired", is_flag=True, help="All releases whose time is over.")
@click.option("--shut", is_flag=True, help="All there is, also where the policy was written by hand.")
@click.option("--yes", is_flag=True, help="Do not ask before a key opens for nobody any more.")
@session_options
@json_option
@click.pass_context
def command(context: click.Context, **options: Unpack[Options]) -> None:
    """Let the keys of tenants open for releases no more.

    A release goes by its measurements or by its PCR4; with --epoch only its statements of that epoch go, and --epoch
    alone withdraws an epoch. It stops the next opening and recalls nothing that was delivered. With its last release a
    key goes back to the policy that it was created with, and opens for nobody.

    \b
    Example:  strongroom key revoke --tenant globex --measurements m.json
              strongroom key revoke --ring general --pcr4 2cf30dcb --dry-run
    """
    run = _Run.of(options)
    if options["policy_file"] is not None:
        run.write(options["policy_file"])
        return
    places = places_to_change(run.project, run.session, options)
    context.exit(run_batch(run.project.target, places, run.revoke, as_json=options["as_json"]))


@dataclass(frozen=True)
class _Run:
    """One call of the command."""

    options: Options
    project: KeyProject
    session: VendorSession
    measured: tuple[PcrDigests, ...]
    now: datetime

    @classmethod
    def of(cls, options: Options) -> _Run:
        _expect_something(options)
        for prefix in options["pcr4"]:
            _expect_prefix(prefix)
        project = KeyProject.read(options["project_path"], options["target"])
        session = VendorSession(project.target, options["profile"], options["endpoint_url"])
        measured = tuple(gates_of(read_measurements_file(path)) for path in options["measurements"])
        return cls(options, project, session, measured, datetime.now(UTC))

    def write(self, path: Path) -> None:
        """Do it in a file."""
        if self.options["tenants"] or self.options["ring"]:
            raise UsageError("key.no-tenant-here", "expected no --tenant with --policy: the policy says whose it is")
        if self.options["shut"]:
            raise UsageError("key.shut-file", "expected no --shut with --policy: `strongroom key policy --bootstrap`")
        plan = self._plan(read_policy_source(path).policy)
        flags = self._flags(plan)
        self._confirm(plan, str(path))
        emit_plan(plan, self.options, flags=flags, now=self.now)

    def revoke(self, place: KeyPlace) -> KeyReport:
        """Change one key."""
        changer = KeyChanger(self.project, self.session, self.now, self.options["dry_run"])
        before = changer.read(place)
        vendor = self.project.vendor(place.tenant)
        plan = plan_shut(before, vendor) if self.options["shut"] or is_bootstrap(before, vendor) else self._plan(before)
        flags = [*self._flags(plan), *self._project_notes(plan, place)]
        return changer.change(place, plan, flags=flags, before_sending=lambda: self._confirm(plan, str(place)))

    def _plan(self, before: KeyPolicy) -> Plan:
        train = read_train(before)
        prefixes = [self._one_version(prefix.lower(), train.releases) for prefix in self.options["pcr4"]]
        return plan_revoke(before, lambda release: self._goes(release, prefixes))

    def _goes(self, release: AdmittedRelease, versions: list[str]) -> bool:
        if self.options["expired"] and release.expires is not None and release.expires <= self.now:
            return True
        named = bool(versions or self.measured)
        by_name = release.pcrs[PCR4].hex() in versions or any(_is_measured(release, each) for each in self.measured)
        by_epoch = release.epoch in self.options["epochs"] if self.options["epochs"] else named
        return (by_name or not named) and by_epoch

    def _one_version(self, prefix: str, releases: tuple[AdmittedRelease, ...]) -> str:
        found = {each.pcrs[PCR4].hex() for each in releases if each.pcrs[PCR4].hex().startswith(prefix)}
        if len(found) != 1:
            known = ", ".join(sorted({each.version for each in releases}))
            raise UsageError(
                "key.no-such-version", f"expected the PCR4 of one version ({known}), found {len(found)} with {prefix}"
            )
        return found.pop()

    def _flags(self, plan: Plan) -> list[Finding]:
        return [] if plan.removed or self.options["shut"] else [_NOT_ADMITTED]

    def _project_notes(self, plan: Plan, place: KeyPlace) -> list[Finding]:
        """Return what the policy has otherwise than the project. A revocation does not wait for that."""
        if plan.train is None or place.tenant is None:
            return []
        found = self.project.differences(plan.train, place.tenant)
        return [Finding(each.code, each.message, Severity.WARNING) for each in found]

    def _confirm(self, plan: Plan, name: str) -> None:
        if plan.train is not None or self.options["yes"] or self.options["dry_run"]:
            return
        error_console().print(f"{name}: no release is left. {SHUT}", markup=False)
        if not sys.stdin.isatty():
            raise UsageError(
                "key.unconfirmed",
                "expected --yes before a key opens for nobody any more",
                remedy="Nothing was changed.",
            )
        click.confirm("Shut it?", abort=True, err=True)


def _expect_something(options: Options) -> None:
    named = any((options["measurements"], options["pcr4"], options["epochs"], options["expired"]))
    if named == options["shut"]:
        raise UsageError(
            "key.what-to-revoke", "expected --measurements, --pcr4, --epoch or --expired, or --shut by itself, for all"
        )


def _expect_prefix(text: str) -> None:
    """Refuse it before a key is looked at: nobody may take a typing error for a release that is not admitted."""
    if not _PREFIX.fullmatch(text.lower()):
        raise UsageError("key.pcr4", f"expected 8 to 96 hex digits of a PCR4, found {text!r}")


def _is_measured(release: AdmittedRelease, gates: PcrDigests) -> bool:
    """Tell whether a release is this image: all its gates, whatever the policy gates of Secure Boot."""
    return all(release.pcrs[index] == gates[index] for index in gates if index != PCR7 or PCR7 in release.pcrs)
