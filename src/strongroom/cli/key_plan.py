# SPDX-License-Identifier: Apache-2.0
"""What `key allow` and `key revoke` make of the policy that is on a key. Nothing is sent from here.

Both start from the policy as it was read, and refuse one that is not wholly understood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from strongroom.cli.key_project import KeyProject
from strongroom.errors import UsageError
from strongroom.formats.project_model import Tenant
from strongroom.keypolicy.generate import bootstrap_key_policy, tenant_key_policy
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import AdmittedRelease, TenantKeySpec, VendorSpec
from strongroom.keypolicy.train import is_bootstrap, read_train, same_gate, with_releases, with_sealer_named


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy, and the one it becomes. A train is None where the key opens for nobody."""

    before: KeyPolicy
    after: KeyPolicy
    train_before: TenantKeySpec | None
    train: TenantKeySpec | None
    vendor: VendorSpec
    """Of the new policy: who may replace it."""

    @property
    def added(self) -> tuple[AdmittedRelease, ...]:
        """The releases that were not admitted before, in any form: the new gates."""
        return _without(_releases(self.train), _releases(self.train_before))

    @property
    def removed(self) -> tuple[AdmittedRelease, ...]:
        """The releases that are admitted no more."""
        return _without(_releases(self.train_before), _releases(self.train))

    @property
    def rescheduled(self) -> tuple[AdmittedRelease, ...]:
        """The releases that stay, with another expiry (or ring), as they are afterwards."""
        before = _releases(self.train_before)
        same = [each for each in _releases(self.train) if any(_same_gate_and_end(each, other) for other in before)]
        return tuple(each for each in _releases(self.train) if each not in same and each not in self.added)


def plan_allow(
    before: KeyPolicy,
    project: KeyProject,
    tenant: Tenant,
    releases: Sequence[AdmittedRelease],
    *,
    update: bool,
) -> Plan:
    """Plan to admit releases.

    Raises NotTrusted for a policy that is not ours, or not of this tenant as the project has it (unless `update`);
    UsageError when the new one would be too large.
    """
    vendor = project.vendor(tenant)
    if is_bootstrap(before, vendor):
        spec = project.tenant_spec(tenant, releases)
        return Plan(before, tenant_key_policy(spec), None, spec, spec.vendor)
    train = read_train(with_sealer_named(before, vendor.sealer_role_arn) if update else before)
    if update:
        _expect_same_key(train, project, tenant)
        wanted = replace(train, vendor=vendor, accounts=tenant.accounts)
    else:
        project.expect_like_project(train, tenant)
        wanted = train
    spec = with_releases(wanted, releases)
    return Plan(before, tenant_key_policy(spec), train, spec, spec.vendor)


def plan_revoke(before: KeyPolicy, goes: Callable[[AdmittedRelease], bool]) -> Plan:
    """Plan to withdraw the releases for which `goes` answers yes. Without any left the key opens for nobody.

    Raises NotTrusted for a policy that is not a train of ours.
    """
    train = read_train(before)
    left = tuple(each for each in train.releases if not goes(each))
    if not left:
        return Plan(before, bootstrap_key_policy(train.vendor), train, None, train.vendor)
    spec = replace(train, releases=left)
    return Plan(before, tenant_key_policy(spec), train, spec, train.vendor)


def plan_shut(before: KeyPolicy, vendor: VendorSpec) -> Plan:
    """Plan to shut a key, whatever its policy is."""
    return Plan(before, bootstrap_key_policy(vendor), None, None, vendor)


def _expect_same_key(train: TenantKeySpec, project: KeyProject, tenant: Tenant) -> None:
    """Raise UsageError for the key of another product or tenant: an update changes roles, accounts and purposes."""
    product = project.file.project.product.id
    if (train.vendor.product, train.tenant) != (product, tenant.id):
        raise UsageError(
            "key.other-train",
            f"expected the key of {product}, {tenant.id}, found that of {train.vendor.product}, {train.tenant}",
        )


def _same_gate_and_end(one: AdmittedRelease, other: AdmittedRelease) -> bool:
    return same_gate(one, other) and (one.ring, one.expires) == (other.ring, other.expires)


def _releases(train: TenantKeySpec | None) -> tuple[AdmittedRelease, ...]:
    return train.releases if train else ()


def _without(some: Sequence[AdmittedRelease], others: Sequence[AdmittedRelease]) -> tuple[AdmittedRelease, ...]:
    return tuple(each for each in some if not any(same_gate(each, other) for other in others))
