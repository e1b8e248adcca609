# SPDX-License-Identifier: Apache-2.0
"""What a generated key policy is made from. A spec that would weaken the policy cannot be built.

Sources: docs/formats/key-policy.md; docs/concepts.md for the gate set.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from strongroom.errors import UsageError
from strongroom.formats.names import ACCOUNT_ID, ID, PARTITION
from strongroom.formats.pcrs import (
    ALWAYS_GATED,
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrDigests,
    PcrIndex,
)
from strongroom.ids import AccountId, TenantId

PCR2, PCR4, PCR7, PCR12, PCR13 = map(PcrIndex, (2, 4, 7, 12, 13))
CONSTANTS = {PCR2: SEPARATOR_ONLY_SHA384, PCR12: ZERO_SHA384, PCR13: ZERO_SHA384}
"""What these PCRs are when nothing ran before the image, and nothing was added to it."""
STATE_PURPOSE = "state"
"""Purpose of a customer's own volumes: nobody seals or escrows those for him."""

_ROLE_OF = rf"arn:({PARTITION.pattern}):iam::({ACCOUNT_ID.pattern}):role/"
_ROLE = re.compile(rf"{_ROLE_OF}[\w+=,.@/-]+", re.ASCII)
_ROLE_PATTERN = re.compile(rf"{_ROLE_OF}[\w+=,.@/*?-]+", re.ASCII)


class SecureBoot(enum.StrEnum):
    """Whether a release relies on Secure Boot, so that PCR7 is a gate."""

    GATED = "gated"
    NOT_GATED = "not gated"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedRelease:
    """One version that the key opens for: its measurements, its ring, its bundle epoch and, if asked for, its end.

    Raises UsageError for measurements that gate nothing or not everything.
    """

    version: str
    ring: str
    pcrs: PcrDigests
    epoch: int
    secure_boot: SecureBoot
    expires: datetime | None = None
    overrides: Mapping[PcrIndex, bytes] = field(default_factory=dict)
    """PCR 2, 12 or 13 where another value than its constant is meant, such as the PCR 2 of firmware that measures
    option ROMs. Values recorded on a machine that was tampered with would otherwise become a policy (ATTACKS B1)."""

    def __post_init__(self) -> None:
        _refuse_id("ring", self.ring)
        _refuse_missing_gates(self)
        _refuse_meaningless_digests(self)
        _refuse_times(self)

    def gate(self, index: PcrIndex) -> str | None:
        """Return what PCR `index` must be, in lower-case hex, or None when this release does not gate it."""
        if index == PCR7 and self.secure_boot is SecureBoot.NOT_GATED:
            return None
        return self.pcrs[index].hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSpec:
    """The vendor's side of any key. Raises UsageError for ids and roles that are not what they must be.

    `change_role_arn`, where given, is the only principal that may replace the policy.
    """

    product: str
    account: AccountId
    sealer_role_arn: str
    purposes: tuple[str, ...] = ("secret",)
    partition: str = "aws"
    change_role_arn: str = ""

    def __post_init__(self) -> None:
        _refuse_id("product", self.product)
        _refuse_account(self.account)
        if not PARTITION.fullmatch(self.partition):
            raise UsageError("keypolicy.partition", f"expected an AWS partition, found {self.partition!r}")
        _refuse_role(self.sealer_role_arn, self)
        if self.change_role_arn:
            _refuse_role(self.change_role_arn, self)
        _refuse_purposes(self.purposes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantKeySpec:
    """One key of one tenant in one region. Raises UsageError.

    `names` empty admits every bundle name of the tenant; `role_patterns` narrows who in the tenant's accounts calls.
    """

    vendor: VendorSpec
    tenant: TenantId
    accounts: tuple[AccountId, ...]
    releases: tuple[AdmittedRelease, ...]
    names: tuple[str, ...] = ()
    role_patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _refuse_id("tenant", self.tenant)
        for name in self.names:
            _refuse_id("name", name)
        if not self.accounts:
            raise UsageError("keypolicy.account", "expected at least one account of the tenant, found none")
        for account in self.accounts:
            _refuse_account(account)
        for pattern in self.role_patterns:
            _refuse_role_pattern(pattern, self)
        if not self.releases:
            raise UsageError(
                "keypolicy.no-release",
                "expected at least one release, found none",
                remedy="a key that opens for nobody has the bootstrap policy",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowKeySpec:
    """The vendor's escrow key of one product: one role opens, outside any instance. Raises UsageError."""

    vendor: VendorSpec
    escrow_role_arn: str

    def __post_init__(self) -> None:
        _refuse_role(self.escrow_role_arn, self.vendor)
        if self.escrow_role_arn == self.vendor.sealer_role_arn:
            raise UsageError("keypolicy.role", "expected the escrow role to be another than the sealer's")


def _refuse_id(what: str, text: str) -> None:
    if not ID.fullmatch(text):
        raise UsageError("keypolicy.id", f"expected a {what} id like [a-z0-9][a-z0-9-]{{0,62}}, found {text!r}")


def _refuse_account(account: str) -> None:
    if not ACCOUNT_ID.fullmatch(account):
        raise UsageError("keypolicy.account", f"expected an account id of 12 digits, found {account!r}")


def _refuse_role(arn: str, vendor: VendorSpec) -> None:
    found = _ROLE.fullmatch(arn)
    if not found or found.groups() != (vendor.partition, vendor.account):
        raise UsageError("keypolicy.role", f"expected a role ARN of account {vendor.account}, found {arn!r}")


def _refuse_role_pattern(arn: str, spec: TenantKeySpec) -> None:
    found = _ROLE_PATTERN.fullmatch(arn)
    if not found or found[1] != spec.vendor.partition or found[2] not in spec.accounts:
        raise UsageError("keypolicy.role", f"expected a role ARN pattern of the tenant's accounts, found {arn!r}")


def _refuse_purposes(purposes: tuple[str, ...]) -> None:
    if not purposes:
        raise UsageError("keypolicy.purpose", "expected at least one purpose, found none")
    for purpose in purposes:
        _refuse_id("purpose", purpose)
    if STATE_PURPOSE in purposes:
        raise UsageError("keypolicy.purpose", f"expected purposes that a vendor seals, found {STATE_PURPOSE!r}")


def _refuse_missing_gates(release: AdmittedRelease) -> None:
    needed = (*ALWAYS_GATED, PCR7) if release.secure_boot is SecureBoot.GATED else ALWAYS_GATED
    missing = [f"PCR{index}" for index in sorted(needed) if index not in release.pcrs]
    if missing:
        raise UsageError("keypolicy.gate-missing", f"{release.version}: expected the gate set, found no {missing}")
    for index in needed:
        found = len(release.pcrs[index])
        if found != SHA384_BYTES:
            raise UsageError("keypolicy.gate-length", f"expected {SHA384_BYTES} bytes of PCR{index}, found {found}")


def _refuse_meaningless_digests(release: AdmittedRelease) -> None:
    for index in (PCR4, PCR7):
        if release.pcrs.get(index) == ZERO_SHA384:
            # Nothing measured at all: a machine started without measuring firmware (ATTACKS B8).
            raise UsageError("keypolicy.gate-zero", f"{release.version}: expected a measured PCR{index}, found zero")
    for index, constant in CONSTANTS.items():
        expected = release.overrides.get(index, constant)
        if release.pcrs[index] != expected:
            raise UsageError(
                "keypolicy.gate-constant",
                f"{release.version}: expected PCR{index} to be {expected.hex()}, found {release.pcrs[index].hex()}",
                remedy="Were these values recorded on a machine that somebody else had started? "
                f"If they are meant, say so: overrides={{PCR{index}: ...}}.",
            )
    if release.secure_boot is SecureBoot.GATED and release.pcrs[PCR7] == SECURE_BOOT_OFF_PCR7_SHA384:
        raise UsageError("keypolicy.gate-pcr7", f"{release.version}: expected Secure Boot, found it off in PCR7")


def _refuse_times(release: AdmittedRelease) -> None:
    if release.epoch < 1:
        raise UsageError("keypolicy.epoch", f"{release.version}: expected an epoch from 1, found {release.epoch}")
    if release.expires is not None and release.expires.tzinfo is None:
        raise UsageError("keypolicy.expiry", f"{release.version}: expected an expiry with a time zone, found none")
