# SPDX-License-Identifier: Apache-2.0
"""`strongroom.toml`: the vendor's project (docs/formats/project.md), from text to frozen types."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from strongroom.errors import FormatError
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.toml_lines import line_of
from strongroom.formats.tree import Node, Path
from strongroom.formats.trust import MAX_SPKI_BYTES, Algorithm, Role
from strongroom.ids import AccountId, KeyArn, KeyId, Region, SpkiDer, TenantId

FILE_NAME = "strongroom.toml"
VERSION = 1
MAX_BYTES = 1 << 20
MAX_COUNTER = 2**53 - 1
DEFAULT_PURPOSE = "secret"
DEFAULT_RING = "general"
_SPEC = "docs/formats/project.md"
_KEY_ID = re.compile(r"[0-9a-f]{64}")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
_KEY_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):key/[A-Za-z0-9-]{1,128}"
)
"""IAM User Guide, "Actions, resources, and condition keys for AWS KMS": the ARN of a key; never an alias."""


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
    keys: Mapping[TenantId, Mapping[Region, KeyArn]]
    trust: RehearsalTrust | None


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key: the public half, and where the private one lies."""

    name: str
    key_id: KeyId
    algorithm: Algorithm
    public_key: SpkiDer
    roles: tuple[Role, ...]
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
    purpose: str
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


def parse_project(text: str, *, name: str = FILE_NAME) -> Project:
    """Parse a project. `name` is how errors call the file. Raises FormatError, with the line where it is known."""
    root = Node(_toml(text, name), (), partial(_line, text, name), _SPEC)
    members = root.record(("version", "product", "targets"), ("signers", "tenants", "secrets", "images", "releases"))
    members["version"].integer(VERSION, VERSION)
    product = _product(members["product"])
    tenants = _tenants(members.get("tenants"), product)
    targets = {n: _target(n, node, tenants) for n, node in _named(members["targets"], 1, 16)}
    secrets = {n: _secret(n, node, product, tenants) for n, node in _named(members.get("secrets"), 0, 1024)}
    images = {n: _image(n, node, secrets) for n, node in _named(members.get("images"), 0, 64)}
    if "releases" in members:
        members["releases"].record(())
    if product.default_target is not None and product.default_target not in targets:
        raise _unknown_name(members["product"].record(("default-target",), _PRODUCT)["default-target"], "target")
    return Project(
        product=product,
        targets=MappingProxyType(targets),
        signers=_signers(members.get("signers"), product),
        tenants=tenants,
        secrets=MappingProxyType(secrets),
        images=MappingProxyType(images),
    )


def _toml(text: str, name: str) -> object:
    if len(text.encode()) > MAX_BYTES:
        raise FormatError("project.too-large", f"{name}: expected at most {MAX_BYTES} bytes", spec=_SPEC)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormatError("project.toml", f"{name}: expected TOML: {error}", spec="TOML 1.0") from error


def _line(text: str, name: str, path: Path) -> str:
    dotted = ".".join(str(step) for step in path)
    return f"{name}:{line_of(text, path)}: {dotted}" if path else name


def _unknown_name(node: Node, kind: str) -> FormatError:
    return node.refused("project.unknown-name", f"expected the name of a {kind} of this file, found {node.value!r}")


def _named(node: Node | None, minimum: int, maximum: int) -> list[tuple[str, Node]]:
    if node is None:
        return []
    return [(member.key().id(), member) for _, member in node.table(minimum=minimum, maximum=maximum)]


def _regions(node: Node) -> tuple[Region, ...]:
    regions = [region.region() for region in node.items(minimum=1, maximum=32)]
    return tuple(Region(region) for region in node.distinct(regions))


_PRODUCT = ("id", "regions", "rings")


def _product(node: Node) -> Product:
    members = node.record(("id", "regions"), ("rings", "default-target"))
    rings = members.get("rings")
    target = members.get("default-target")
    return Product(
        id=members["id"].id(),
        regions=_regions(members["regions"]),
        rings=(DEFAULT_RING,)
        if rings is None
        else rings.distinct(ring.id() for ring in rings.items(minimum=1, maximum=16)),
        default_target=None if target is None else target.id(),
    )
