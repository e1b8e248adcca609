# SPDX-License-Identifier: Apache-2.0
"""`strongroom key allow`: let a tenant's keys open for a release."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import click

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import verify_evidence
from strongroom.cli.key_batch import KeyPlace, KeyReport, run_batch
from strongroom.cli.key_change import ChangeOptions, KeyChanger, change_options, emit_plan, places_to_change
from strongroom.cli.key_plan import Plan, plan_allow
from strongroom.cli.key_project import KeyProject
from strongroom.cli.key_releases import Asked, read_asked, release_options
from strongroom.cli.key_session import VendorSession, pause, session_options
from strongroom.cli.key_source import read_policy_source
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH, named
from strongroom.cli.verify_trust import read_roots
from strongroom.errors import Finding, NotAuthentic, Severity, UsageError
from strongroom.flows.canary import CanaryDocument, document_of, prove_gates
from strongroom.flows.files import read_file
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES
from strongroom.ids import EvidenceBytes
from strongroom.keypolicy.model import KeyPolicy


class Options(ChangeOptions):
    """The options, as click hands them over."""

    measurements: tuple[Path, ...]
    expires: str | None
    epochs: tuple[int, ...]
    accept: tuple[str, ...]
    update: bool
    canary_document: tuple[Path, ...]
    no_canary: bool


_UNPROVEN = Finding(
    "key.no-canary",
    "no canary: nobody has seen KMS open for an instance of this release under these gates",
    Severity.WARNING,
)


@click.command("allow")
@change_options
@release_options
@click.option("--update", is_flag=True, help="Write accounts, roles and purposes of the project into the policy, too.")
@click.option(
    "--canary-document",
    metavar="FILE",
    type=PATH,
    multiple=True,
    help="A fresh document of an instance of the release, to prove the gates.",
)
@click.option("--no-canary", is_flag=True, help="Admit a release to a real key without that proof.")
@session_options
@json_option
@click.pass_context
def command(context: click.Context, **options: Unpack[Options]) -> None:
    """Let the keys of tenants open for releases, which are given by their measurements.

    The policy on the key is read, understood as a whole, generated anew with the release in it, and read back. One that
    was written by hand is refused, with what is different. A release that is admitted already gets the new expiry.

    Before a real key opens for a new release, a canary key with the same gates is asked, as a dry run, with a document
    of an instance that runs it. The document is at most five minutes old and carries an RSA key.

    \b
    Example:  strongroom key allow --tenant globex --measurements m.json \\
                --expires 90d --canary-document document.cbor
              strongroom key allow --tenant globex --measurements m.json \\
                --policy old.json -o new.json
    """
    run = _Run.of(options)
    if options["policy_file"] is not None:
        run.write(options["policy_file"])
        return
    places = places_to_change(run.project, run.session, options)
    context.exit(run_batch(run.project.target, places, run.allow, as_json=options["as_json"]))


@dataclass(frozen=True)
class _Run:
    """One call of the command."""

    options: Options
    project: KeyProject
    session: VendorSession
    asked: Asked
    now: datetime
    proven: set[tuple[object, ...]]
    """What the KMS of a region has proved already: the same gates are not proved again for another tenant."""

    @classmethod
    def of(cls, options: Options) -> _Run:
        project = KeyProject.read(options["project_path"], options["target"])
        session = VendorSession(project.target, options["profile"], options["endpoint_url"])
        now = datetime.now(UTC)
        asked = read_asked(options["measurements"], options["expires"], options["accept"], now=now)
        if not asked.files and not options["update"]:
            raise UsageError("key.nothing-asked", "expected --measurements FILE, or --update, found neither")
        return cls(options, project, session, asked, now, set())

    def write(self, path: Path) -> None:
        """Do it in a file."""
        if len(self.options["tenants"]) != 1 or self.options["ring"]:
            raise UsageError("key.one-tenant", "expected one --tenant with --policy: a policy is of one tenant")
        if self.options["canary_document"]:
            raise UsageError("key.canary-offline", "expected no --canary-document with --policy: KMS is not asked")
        tenant = self.project.tenant(self.options["tenants"][0])
        plan = self._plan(KeyPlace(tenant, tenant.regions[0]), read_policy_source(path).policy)
        emit_plan(plan, self.options, flags=self.asked.findings, now=self.now)

    def allow(self, place: KeyPlace) -> KeyReport:
        """Change one key."""
        changer = KeyChanger(self.project, self.session, self.now, self.options["dry_run"])
        plan = self._plan(place, changer.read_usable(place))
        documents = self._documents(plan)
        flags = [*self.asked.findings, *self.project.state_notices]
        if plan.added and not documents:
            flags.append(_UNPROVEN)
        if plan.train_before is not None and place.tenant is not None:  # differences are left with --update only
            differences = self.project.differences(plan.train_before, place.tenant)
            flags += [Finding("key.updated", each.message, Severity.NOTE) for each in differences]
        return changer.change(place, plan, flags=flags, before_sending=lambda: self._prove(place, plan, documents))

    def _plan(self, place: KeyPlace, before: KeyPolicy) -> Plan:
        tenant = place.tenant
        if tenant is None:
            raise RuntimeError("an escrow key has no train")
        releases = self.asked.releases(ring=tenant.ring, epochs=self.project.epochs(tenant, self.options["epochs"]))
        return plan_allow(before, self.project, tenant, releases, update=self.options["update"])

    def _documents(self, plan: Plan) -> tuple[CanaryDocument, ...]:
        """Return the documents for the new gates, each of an instance of one of them. Raises UsageError."""
        documents = tuple(self._document(path) for path in self.options["canary_document"])
        if not documents and plan.added and self.session.is_aws and not self.options["no_canary"]:
            raise UsageError(
                "key.no-canary-document",
                f"expected --canary-document before a key of target {self.project.target.name} opens for a new release",
                remedy="`strongroom tpm attest --public-key FILE` writes one on an instance of the release. "
                "--no-canary does without, and the output says so.",
            )
        for release in plan.added if documents else ():
            document_of(release, documents)
        return documents

    def _document(self, path: Path) -> CanaryDocument:
        try:
            with named(path):
                evidence = EvidenceBytes(read_file(path, maximum_bytes=MAX_DOCUMENT_BYTES))
                verified = verify_evidence(evidence, roots=self._roots(), at=self.now)
        except NotAuthentic as error:
            if error.code == "chain.unknown-root":  # a root is not chosen here: images trust those of their target, too
                error.remedy = f"Target {self.project.target.name} trusts {self._trusted()}; use its documents."
            raise
        return CanaryDocument(str(path), evidence, verified)

    def _trusted(self) -> str:
        trust = self.project.target.trust
        return f"the root in {trust.nitro_root} ([targets.….trust] of the project)" if trust else "AWS's own root alone"

    def _roots(self) -> NitroRoots:
        trust = self.project.target.trust
        return read_roots((self.project.file.locate(trust.nitro_root),) if trust else (), ())

    def _prove(self, place: KeyPlace, plan: Plan, documents: tuple[CanaryDocument, ...]) -> None:
        if plan.train is None or not plan.added or not documents:
            return
        gates = (place.region, *sorted((each.version, each.ring, each.epoch) for each in plan.added))
        if gates in self.proven:
            return
        admin, kms = self.session.admin(place.region), self.session.trial(place.region)
        prove_gates(admin, kms, spec=plan.train, new=plan.added, documents=documents, entropy=os.urandom, pause=pause)
        self.proven.add(gates)
