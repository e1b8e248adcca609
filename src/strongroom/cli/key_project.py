# SPDX-License-Identifier: Apache-2.0
"""What the project file says about keys: the specs that policies are generated from, and how keys are called.

docs/formats/project.md says where each value stands; docs/keys.md what the two states of a key mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from strongroom.cli.project_file import ProjectFile, read_project
from strongroom.errors import Finding, NotTrusted, Severity, UsageError
from strongroom.formats.bundle_header import Purpose
from strongroom.formats.project_model import Secret, Target, Tenant
from strongroom.ids import TenantId
from strongroom.keypolicy.spec import AdmittedRelease, EscrowKeySpec, TenantKeySpec, VendorSpec


class KeyState(StrEnum):
    """Who can open what is sealed for a tenant, apart from the tenant's own attested instances."""

    BREAK_GLASS = "break-glass"
    """The holder of the escrow key: bundles carry a second wrap for it."""
    ATTESTED_ONLY = "attested-only"
    """Nobody, under this policy. Whoever may replace the policy can change that."""


_ANYBODY_CHANGES = Finding(
    "key.no-change-role",
    "no change-role is named: every administrator of the vendor's account may replace the policy, and so open the key",
    Severity.WARNING,
)


@dataclass(frozen=True, slots=True)
class KeyProject:
    """A project as keys of one target see it."""

    file: ProjectFile
    target: Target

    @classmethod
    def read(cls, path: Path, target: str | None) -> KeyProject:
        """Return the project in a file, for one target or its default. Raises UsageError, FormatError, LocalFault."""
        file = read_project(path)
        return cls(file, file.target(target))

    def tenant(self, name: str) -> Tenant:
        """Return a tenant. Raises UsageError."""
        tenants = self.file.project.tenants
        if name not in tenants:
            known = ", ".join(tenants) or "none"
            raise UsageError(
                "tenant.unknown",
                f"expected a tenant of {self.file.path} ({known}), found {name!r}",
                remedy="`strongroom tenant list` shows them, `strongroom tenant add` adds one.",
            )
        return tenants[TenantId(name)]

    def tenants(self, names: Sequence[str], ring: str | None) -> tuple[Tenant, ...]:
        """Return the tenants that were named, or all of a ring. Raises UsageError when none is."""
        if bool(names) == bool(ring):
            raise UsageError("key.which-tenants", "expected either --tenant ID, which may be repeated, or --ring RING")
        if names:
            return tuple(map(self.tenant, dict.fromkeys(names)))
        found = tuple(each for each in self.file.project.tenants.values() if each.ring == ring)
        if not found:
            rings = ", ".join(self.file.project.product.rings)
            raise UsageError("key.no-tenant", f"expected a ring with tenants, one of {rings}, found {ring!r}")
        return found

    def vendor(self, tenant: Tenant | None) -> VendorSpec:
        """Return the vendor's side of a tenant's key, or of the escrow key. Raises UsageError."""
        target = self.target
        purposes = sorted({secret.purpose.value for secret in self._secrets(tenant)})
        return VendorSpec(
            product=self.file.project.product.id,
            account=target.vendor_account,
            sealer_role_arn=target.sealer_role or self._missing_role("sealer-role"),
            purposes=tuple(purposes) or (Purpose.SECRET.value,),
            partition=target.partition.value,
            change_role_arn=target.change_role or "",
        )

    def tenant_spec(self, tenant: Tenant, releases: Sequence[AdmittedRelease]) -> TenantKeySpec:
        """Return the spec of a tenant's key that admits these releases. Raises UsageError."""
        return TenantKeySpec(
            vendor=self.vendor(tenant), tenant=tenant.id, accounts=tenant.accounts, releases=tuple(releases)
        )

    def escrow_spec(self) -> EscrowKeySpec:
        """Return the spec of the escrow key. Raises UsageError."""
        role = self.target.escrow_role or self._missing_role("escrow-role")
        return EscrowKeySpec(vendor=self.vendor(None), escrow_role_arn=role)

    def epochs(self, tenant: Tenant, asked: Sequence[int]) -> tuple[int, ...]:
        """Return the epochs to admit: those asked for, or the one that all secrets of the tenant have.

        Raises UsageError where they have several: an Open statement does not tell secrets apart, so the old epoch of
        one secret would stay open as long as another one has it.
        """
        if asked:
            return tuple(sorted(set(asked)))
        epochs = {secret.epoch for secret in self._secrets(tenant)} or {1}
        if len(epochs) > 1:
            raise UsageError(
                "key.epochs",
                f"expected one epoch for all secrets of {tenant.id}, found {', '.join(map(str, sorted(epochs)))}",
                remedy="Raise the epoch of the others, too, and seal them again; or name the epochs with --epoch, and "
                "know that a secret's older header opens as long as its epoch is admitted.",
            )
        return tuple(epochs)

    def expect_like_project(self, train: TenantKeySpec, tenant: Tenant) -> None:
        """Raise NotTrusted when the policy on a key is of somebody else, or not of what the project says now."""
        findings = self.differences(train, tenant)
        if findings:
            raise NotTrusted(
                "key.not-like-project",
                f"expected the policy to be for {tenant.id} as {self.file.path} has it, found another",
                findings=findings,
                remedy="Correct the project file if it is behind; or write what it says into the policy with --update.",
            )

    def differences(self, train: TenantKeySpec, tenant: Tenant) -> tuple[Finding, ...]:
        """Return what a policy says otherwise than the project, apart from its releases."""
        vendor = self.vendor(tenant)
        pairs: dict[str, tuple[object, object]] = {
            "product": (vendor.product, train.vendor.product),
            "tenant": (tenant.id, train.tenant),
            "vendor-account": (vendor.account, train.vendor.account),
            "partition": (vendor.partition, train.vendor.partition),
            "sealer-role": (vendor.sealer_role_arn, train.vendor.sealer_role_arn),
            "change-role": (vendor.change_role_arn, train.vendor.change_role_arn),
            "purposes": (sorted(vendor.purposes), sorted(train.vendor.purposes)),
            "accounts": (sorted(tenant.accounts), sorted(train.accounts)),
        }
        return tuple(
            Finding("key.project-differs", f"{name}: the project has {wanted or 'none'}, the policy {found or 'none'}")
            for name, (wanted, found) in pairs.items()
            if wanted != found
        )

    @property
    def state(self) -> KeyState:
        """The state that tenants' keys of this target are in."""
        return KeyState.BREAK_GLASS if self.target.escrow_key else KeyState.ATTESTED_ONLY

    @property
    def state_notices(self) -> tuple[Finding, ...]:
        """What the reader should know about the state."""
        return () if self.target.change_role else (_ANYBODY_CHANGES,)

    def state_line(self, change_role: str, *, of_tenant: bool = True) -> str:
        """Return the state in words, and who can change it: by the change role that the policy names, if it does."""
        changers = change_role or f"whoever IAM lets in account {self.target.vendor_account}"
        state = f"state {self.state}; " if of_tenant else ""
        return f"{state}its policy is changed by {changers}"

    def expect_state(self, wanted: KeyState | None) -> None:
        """Raise UsageError unless keys of this target are in the state that was asked for."""
        if wanted is KeyState.BREAK_GLASS and self.state is not wanted:
            raise self._unfit(wanted, "an escrow-key, which `strongroom key create --escrow` makes", "none")
        if wanted is KeyState.ATTESTED_ONLY:
            if self.state is not wanted:
                raise self._unfit(wanted, "no escrow-key: its holder opens without attestation", "one")
            if not self.target.change_role:
                raise self._unfit(wanted, "a change-role: whoever replaces the policy opens the key", "none")

    def _unfit(self, wanted: KeyState, expected: str, found: str) -> UsageError:
        return UsageError(
            "key.state-unfit", f"{wanted}: expected {expected}, in targets.{self.target.name}, found {found}"
        )

    def _secrets(self, tenant: Tenant | None) -> list[Secret]:
        secrets = self.file.project.secrets.values()
        return [secret for secret in secrets if tenant is None or tenant.id in secret.tenants]

    def _missing_role(self, key: str) -> str:
        raise UsageError(
            "key.no-role",
            f"expected {key} in targets.{self.target.name} of {self.file.path}, found none",
            remedy=f'Write the ARN of an IAM role of account {self.target.vendor_account}: {key} = "arn:aws:iam::…"',
        )


def tags_of(product: str, tenant: TenantId | None) -> dict[str, str]:
    """Return the tags a key is created with, by which it is found again: of a tenant, or of the escrow key."""
    kind = {"strongroom:tenant": str(tenant)} if tenant else {"strongroom:purpose": "escrow"}
    return {"strongroom:product": product, **kind}


def alias_of(product: str, tenant: TenantId | None) -> str:
    """Return the alias of a key, for people: bundles and callers carry the key ARN."""
    return f"alias/strongroom/{product}/" + (f"tenant/{tenant}" if tenant else "escrow")
