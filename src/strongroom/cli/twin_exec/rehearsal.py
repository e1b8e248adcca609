# SPDX-License-Identifier: Apache-2.0
"""Plays everything between a sealed secret and an app: the vendor's work, AWS in the twin, and the agent's core.

1. A twin of AWS with the vendor's account and the tenant's, and the trust file of an image for it.
2. The tenant's key: bootstrap policy, then the final one, which opens for the admitted measurements only.
3. The secrets are sealed under it and signed.
4. The image boots in the twin's firmware.
5. The agent's core on that instance: who are we, then each bundle, opened with a document of its own.

Each step is the code that does it against AWS; the twin ends with the function, before any app is started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.agent.connect import connect
from strongroom.agent.fetch import Fetched, fetch
from strongroom.agent.trusted import AgentTrust, verify_trust
from strongroom.cli.trust_file import signers_of, trust_with
from strongroom.cli.twin_exec.plan import Plan, Say, read_entries
from strongroom.cli.twin_exec.refusal import explained
from strongroom.cli.twin_parties import APP_ROLE, KeyStaff, Shelf, away_from_aws, create_app_role, hire
from strongroom.errors import KeyRefused
from strongroom.flows.create_key import create_key
from strongroom.flows.seal import SealHeader, seal
from strongroom.formats.bundle_header import Subject
from strongroom.formats.partition import Profile
from strongroom.formats.project_model import Secret
from strongroom.formats.trust import Tls, encode_trust, parse_trust
from strongroom.ids import KeyArn
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.twin.machine import Instance
from strongroom.twin.server import Twin


@dataclass(frozen=True, slots=True)
class _Vendor:
    """The vendor at work in one twin: whoever makes keys and seals, and what for."""

    twin: Twin
    plan: Plan
    staff: KeyStaff

    def create_key(self) -> KeyArn:
        """Make the tenant's key, which opens for the admitted measurements."""
        plan = self.plan
        spec = VendorSpec(
            product=plan.file.project.product.id,
            account=plan.target.vendor_account,
            sealer_role_arn=self.staff.sealer.principal.arn,
            purposes=tuple(sorted({secret.purpose.value for secret in plan.secrets})),
        )
        tenant = TenantKeySpec(
            vendor=spec, tenant=plan.tenant.id, accounts=plan.tenant.accounts, releases=_releases(plan)
        )
        description = f"{spec.product}: tenant {plan.tenant.id}"
        return create_key(self.staff.admin, vendor=spec, policy=tenant_key_policy(tenant), description=description)

    def seal(self, secret: Secret, key_arn: KeyArn) -> bytes:
        """Return the bundle of one secret for the tenant."""
        plan = self.plan
        product = plan.file.project.product.id
        subject = Subject(product, plan.tenant.id, secret.purpose, secret.name, secret.epoch)
        sealed = seal(
            read_entries(plan.file, secret),
            header=SealHeader(subject, bundle_version=secret.floor, accounts=plan.tenant.accounts),
            signer=plan.signer.key,
            kms=self.staff.sealing,
            key_arn=key_arn,
            now=self.twin.clock.now(),
            entropy=os.urandom,
        )
        return sealed.bundle


def rehearse(plan: Plan, *, say: Say) -> Mapping[str, bytes]:
    """Return the files that the agent would deliver, as BUNDLE/ENTRY.

    Raises KeyRefused with the twin's reason when KMS says no, and what reading, sealing, booting and opening raise.
    """
    say("starting a twin of AWS")
    with away_from_aws(), Twin(region=plan.region) as twin:
        vendor = _Vendor(twin, plan, _settle(twin, plan))
        say(f"making a key for {plan.tenant.id}")
        key_arn = vendor.create_key()
        say("sealing")
        shelf = Shelf({secret.name: vendor.seal(secret, key_arn) for secret in plan.secrets})
        say("booting")
        instance = twin.launch(plan.image.data, account=plan.account, role=APP_ROLE)
        say("opening")
        return _open(twin, plan, instance, shelf).files()


def _settle(twin: Twin, plan: Plan) -> KeyStaff:
    """Create every account that has a part: the vendor's, the tenant's, and the one that the instance runs in."""
    vendor = plan.target.vendor_account
    for account in sorted({vendor, plan.account, *plan.tenant.accounts}):
        twin.create_account(account, name="vendor" if account == vendor else "customer")
    create_app_role(twin, plan.account, vendor=vendor)
    return hire(twin, vendor)


def _releases(plan: Plan) -> tuple[AdmittedRelease, ...]:
    """Return what the key opens for: each of the measurements, for each epoch that a secret is in."""
    return tuple(
        AdmittedRelease(
            version=name,
            ring=plan.tenant.ring,
            pcrs=measurements.pcrs,
            epoch=epoch,
            secure_boot=SecureBoot.NOT_GATED,
        )
        for name, measurements in plan.admitted.items()
        for epoch in sorted({secret.epoch for secret in plan.secrets})
    )


def _open(twin: Twin, plan: Plan, instance: Instance, shelf: Shelf) -> Fetched:
    trust = _trust(twin, plan, instance)
    ports = connect(trust, evidence_source=instance, bundles=shelf, clock=twin.clock, entropy=os.urandom)
    try:
        return fetch(tuple(shelf.bundles), trust=trust, ports=ports)
    except KeyRefused as refusal:
        raise explained(refusal, plan, instance, twin.kms.decisions[-1]) from refusal


def _trust(twin: Twin, plan: Plan, instance: Instance) -> AgentTrust:
    """Return what an image for this twin trusts, read from the bytes that would lie in it."""
    tls = Tls((twin.tls_root,), {plan.region: twin.tls_endpoint}, instance.imds_endpoint)
    material = ((twin.nitro_root,), tls, {plan.region: twin.identity_certificate()})
    signers = signers_of(plan.file) if plan.signer.name else (plan.signer.pinned(),)
    trust = trust_with(plan.file, plan.target, Profile.REHEARSAL, material, signers=signers)
    return verify_trust(parse_trust(encode_trust(trust)))
