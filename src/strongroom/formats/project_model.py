# SPDX-License-Identifier: Apache-2.0
"""The types of `strongroom.toml`, the vendor's project (docs/formats/project.md), with all defaults applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from strongroom.formats.bundle_header import Purpose
from strongroom.formats.bundle_trust import SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.ids import AccountId, KeyArn, KeyId, Region, SpkiDer, TenantId


class SignerState(StrEnum):
    """What a signer still counts for."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Product:
    """The product and what holds for all of it. `rings` are in the order in which a release reaches them."""

    id: str
    regions: tuple[Region, ...]
    rings: tuple[str, ...]
    default_target: str | None


@dataclass(frozen=True, slots=True)
class RehearsalTrust:
    """What images of a rehearsal target trust in place of AWS: paths of PEM certificates, and URLs."""

    nitro_root: str
    tls_root: str
    kms_endpoint: str
    imds_endpoint: str | None
    identity_certificates: Mapping[Region, str]


@dataclass(frozen=True, slots=True)
class Target:
    """A place where the same command line can go: an AWS account, or the twin."""

    name: str
    profile: Profile
    partition: Partition
    vendor_account: AccountId
    endpoint: str | None
    aws_profile: str | None
    escrow_key: KeyArn | None
    sealer_role: str | None
    change_role: str | None
    escrow_role: str | None
    keys: Mapping[TenantId, Mapping[Region, KeyArn]]
    trust: RehearsalTrust | None


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key: the public half, and where the private one lies."""

    name: str
    key_id: KeyId
    algorithm: SignatureAlgorithm
    public_key: SpkiDer
    roles: frozenset[SignerRole]
    private_key: str
    state: SignerState


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer."""

    id: TenantId
    accounts: tuple[AccountId, ...]
    regions: tuple[Region, ...]
    ring: str


@dataclass(frozen=True, slots=True)
class Secret:
    """What becomes one bundle per tenant. `tenants` are resolved: rings and defaults are applied."""

    name: str
    files: tuple[str, ...]
    purpose: Purpose
    tenants: tuple[TenantId, ...]
    epoch: int
    floor: int


@dataclass(frozen=True, slots=True)
class Image:
    """An image: where its specification lies, and which secrets it opens."""

    name: str
    spec: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """The content of one `strongroom.toml`, with all defaults applied."""

    product: Product
    targets: Mapping[str, Target]
    signers: Mapping[str, Signer]
    tenants: Mapping[TenantId, Tenant]
    secrets: Mapping[str, Secret]
    images: Mapping[str, Image]
