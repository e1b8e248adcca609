# SPDX-License-Identifier: Apache-2.0
"""`strongroom.toml`: the vendor's project (docs/formats/project.md), from text to frozen types."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from strongroom.errors import FormatError
from strongroom.formats.arn import parse_key_arn
from strongroom.formats.bundle_header import Purpose
from strongroom.formats.bundle_trust import SignerRole
from strongroom.formats.endpoints import URL, parse_imds_endpoint, parse_local_endpoint
from strongroom.formats.names import ROLE_PATH
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.project_model import (
    Image,
    Product,
    Project,
    RehearsalTrust,
    Secret,
    Signer,
    SignerState,
    Target,
    Tenant,
)
from strongroom.formats.signed import KEY_ID_BYTES
from strongroom.formats.toml_lines import LONG_KEY, line_of
from strongroom.formats.tree import Node, Path, shown
from strongroom.formats.trust import ALGORITHMS, MAX_COUNTER, MAX_SPKI_BYTES
from strongroom.ids import AccountId, KeyArn, KeyId, Region, SpkiDer, TenantId

FILE_NAME = "strongroom.toml"
VERSION = 1
MAX_BYTES = 1 << 20
DEFAULT_RING = "general"
_SPEC = "docs/formats/project.md"
_PRODUCT_KEYS = (("id", "regions"), ("rings", "default-target"))


def parse_project(text: str, *, name: str = FILE_NAME) -> Project:
    """Parse a project. `name` is how errors call the file. Raises FormatError, with the line where it is known."""
    root = Node(_toml(text, name), (), partial(_line, text, name), _SPEC)
    members = root.record(("version", "product", "targets"), ("signers", "tenants", "secrets", "images", "releases"))
    members["version"].integer(VERSION, VERSION)
    product = _product(members["product"])
    tenants = _tenants(members.get("tenants"), product)
    targets = {n: _target(n, node, tenants) for n, node in _named(members["targets"], minimum=1, maximum=16)}
    secrets = {n: _secret(n, node, product, tenants) for n, node in _named(members.get("secrets"), maximum=1024)}
    images = {n: _image(n, node, secrets) for n, node in _named(members.get("images"), maximum=64)}
    if "releases" in members:
        members["releases"].record(())
    if product.default_target is not None and product.default_target not in targets:
        raise _unknown_name(members["product"].record(*_PRODUCT_KEYS)["default-target"], "target")
    return Project(
        product=product,
        targets=MappingProxyType(targets),
        signers=_signers(members.get("signers"), product),
        tenants=tenants,
        secrets=MappingProxyType(secrets),
        images=MappingProxyType(images),
    )


def _toml(text: str, name: str) -> object:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise FormatError("project.not-utf8", f"{name}: expected UTF-8, found other bytes", spec=_SPEC)
    if len(text.encode()) > MAX_BYTES:
        raise FormatError("project.too-large", f"{name}: expected at most {MAX_BYTES} bytes", spec=_SPEC)
    if LONG_KEY.search(text):
        raise FormatError(
            "project.long-key", f"{name}: expected at most 32 names in a dotted key, found more", spec=_SPEC
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is an integer of too many digits
        raise FormatError("project.toml", f"{name}: expected TOML: {error}", spec="TOML 1.0") from error


def _line(text: str, name: str, path: Path) -> str:
    dotted = ".".join(str(step) if str(step).isprintable() else shown(step) for step in path)
    return f"{name}:{line_of(text, path)}: {dotted}" if path else name


def _unknown_name(node: Node, kind: str) -> FormatError:
    return node.refused("project.unknown-name", f"expected the name of a {kind} of this file, found {node.value!r}")


def _named(node: Node | None, *, maximum: int, minimum: int = 0) -> list[tuple[str, Node]]:
    """Return the tables under their ids. A table of names that is absent is empty."""
    if node is None:
        return []
    return [(member.key().id(), member) for _, member in node.table(minimum=minimum, maximum=maximum)]


def _regions(node: Node) -> tuple[Region, ...]:
    regions = [region.region() for region in node.items(minimum=1, maximum=32)]
    return tuple(Region(region) for region in node.distinct(regions))


def _known_names(
    node: Node, known: Mapping[TenantId, Tenant] | Mapping[str, Secret] | tuple[str, ...], kind: str
) -> tuple[str, ...]:
    for item in node.items(minimum=1):
        if item.text() not in known:
            raise _unknown_name(item, kind)
    return node.distinct(item.text() for item in node.items())


def _product(node: Node) -> Product:
    members = node.record(*_PRODUCT_KEYS)
    rings = members.get("rings")
    target = members.get("default-target")
    return Product(
        id=members["id"].id(),
        regions=_regions(members["regions"]),
        rings=(DEFAULT_RING,) if rings is None else rings.distinct(r.id() for r in rings.items(minimum=1, maximum=16)),
        default_target=None if target is None else target.id(),
    )


_ROLES = ("sealer-role", "change-role", "escrow-role")
_TARGET_KEYS = (
    ("profile", "vendor-account"),
    ("partition", "endpoint", "aws-profile", "escrow-key", *_ROLES, "keys", "trust"),
)


def _target(name: str, node: Node, tenants: Mapping[TenantId, Tenant]) -> Target:
    members = node.record(*_TARGET_KEYS)
    profile = members["profile"].member(Profile)
    for key in ("endpoint", "trust"):
        if key in members and profile is Profile.PRODUCTION:
            raise members[key].refused(
                "project.production-target",
                f"expected no {key!r} in a production target, which speaks to AWS",
                remedy='Set profile = "rehearsal" if this target is a twin.',
            )
    account = members["vendor-account"].account()
    partition = members["partition"].member(Partition) if "partition" in members else Partition.AWS
    escrow = members.get("escrow-key")
    roles = {name: _role(members[name], account, partition) for name in _ROLES if name in members}
    return Target(
        name=name,
        profile=profile,
        partition=partition,
        vendor_account=account,
        endpoint=members["endpoint"].text(URL, wanted="a URL of a host and no more") if "endpoint" in members else None,
        aws_profile=members["aws-profile"].text() if "aws-profile" in members else None,
        escrow_key=None if escrow is None else _key_arn(escrow, account, partition, None),
        sealer_role=roles.get("sealer-role"),
        change_role=roles.get("change-role"),
        escrow_role=roles.get("escrow-role"),
        keys=_keys(members.get("keys"), tenants, account, partition),
        trust=_rehearsal_trust(members["trust"]) if "trust" in members else None,
    )


def _keys(
    node: Node | None, tenants: Mapping[TenantId, Tenant], account: AccountId, partition: Partition
) -> Mapping[TenantId, Mapping[Region, KeyArn]]:
    keys = {}
    for name, table in _named(node, maximum=4096):
        if name not in tenants:
            raise _unknown_name(table.key(), "tenant")
        arns = {arn.key().region(): arn for _, arn in table.table(minimum=1, maximum=32)}
        keys[TenantId(name)] = MappingProxyType({r: _key_arn(arn, account, partition, r) for r, arn in arns.items()})
    return MappingProxyType(keys)


def _key_arn(node: Node, account: AccountId, partition: Partition, region: Region | None) -> KeyArn:
    try:
        parts = parse_key_arn(node.text())
    except FormatError as error:
        raise node.refused("project.key-arn", error.message, remedy=error.remedy) from error
    if (parts.account, parts.partition) != (account, partition):
        raise node.refused("project.key-account", f"expected a key of {partition} account {account}, found {parts.arn}")
    if region is not None and parts.region != region:
        raise node.refused("project.key-region", f"expected a key in {region}, found {parts.arn}")
    return parts.arn


def _role(node: Node, account: AccountId, partition: Partition) -> str:
    start = f"arn:{partition}:iam::{account}:role/"
    text = node.text()
    if not text.startswith(start) or not ROLE_PATH.fullmatch(text.removeprefix(start)):
        raise node.refused("project.role", f"expected a role ARN such as {start}sealer, found {shown(text)}")
    return text


def _rehearsal_trust(node: Node) -> RehearsalTrust:
    members = node.record(("nitro-root", "tls-root", "kms-endpoint", "identity-certificates"), ("imds-endpoint",))
    certificates = members["identity-certificates"].table(minimum=1, maximum=64)
    imds = members.get("imds-endpoint")
    return RehearsalTrust(
        nitro_root=members["nitro-root"].text(),
        tls_root=members["tls-root"].text(),
        kms_endpoint=parse_local_endpoint(members["kms-endpoint"], scheme="https"),
        imds_endpoint=None if imds is None else parse_imds_endpoint(imds, profile=Profile.REHEARSAL),
        identity_certificates=MappingProxyType({file.key().region(): file.text() for _, file in certificates}),
    )


def _signers(node: Node | None, product: Product) -> Mapping[str, Signer]:
    signers: dict[str, Signer] = {}
    for name, table in _named(node, maximum=64):
        signer = _signer(name, table, product)
        if signer.key_id in {other.key_id for other in signers.values()}:
            raise table.refused("project.same-key", "expected a key of its own, found that of another signer")
        signers[name] = signer
    return MappingProxyType(signers)


def _signer(name: str, node: Node, product: Product) -> Signer:
    members = node.record(("key-id", "algorithm", "public-key", "roles"), ("private-key", "state"))
    roles = [role.member(SignerRole) for role in members["roles"].items(minimum=1, maximum=len(SignerRole))]
    private_key = members.get("private-key")
    return Signer(
        name=name,
        key_id=KeyId(members["key-id"].hex(size_bytes=KEY_ID_BYTES)),
        algorithm=members["algorithm"].pick(ALGORITHMS),
        public_key=SpkiDer(members["public-key"].base64(maximum_bytes=MAX_SPKI_BYTES)),
        roles=frozenset(SignerRole(role) for role in members["roles"].distinct(roles)),
        private_key=default_private_key(product.id, name) if private_key is None else private_key.text(),
        state=members["state"].member(SignerState) if "state" in members else SignerState.ACTIVE,
    )


def default_private_key(product: str, signer: str) -> str:
    """Return where a private key lies when nobody says otherwise: outside the repository."""
    return f"~/.config/strongroom/{product}/{signer}.pem"


def _tenants(node: Node | None, product: Product) -> Mapping[TenantId, Tenant]:
    tenants: dict[TenantId, Tenant] = {}
    owners: dict[AccountId, TenantId] = {}
    for name, table in _named(node, maximum=4096):
        tenant = _tenant(TenantId(name), table, product)
        for account in tenant.accounts:
            if account in owners:
                raise table.refused(
                    "project.shared-account",
                    f"account {account} belongs to tenant {owners[account]!r} already",
                    remedy="An instance finds its tenant by its account, so an account has one tenant.",
                )
            owners[account] = tenant.id
        tenants[tenant.id] = tenant
    return MappingProxyType(tenants)


def _tenant(name: TenantId, node: Node, product: Product) -> Tenant:
    members = node.record(("accounts",), ("regions", "ring"))
    accounts = [account.account() for account in members["accounts"].items(minimum=1, maximum=64)]
    if "ring" in members and members["ring"].id() not in product.rings:
        raise _unknown_name(members["ring"], "ring")
    return Tenant(
        id=name,
        accounts=tuple(AccountId(account) for account in members["accounts"].distinct(accounts)),
        regions=_regions(members["regions"]) if "regions" in members else product.regions,
        ring=members["ring"].id() if "ring" in members else product.rings[-1],
    )


_SECRET_KEYS = (("files",), ("purpose", "tenants", "rings", "epoch", "floor"))


def _secret(name: str, node: Node, product: Product, tenants: Mapping[TenantId, Tenant]) -> Secret:
    members = node.record(*_SECRET_KEYS)
    files = tuple(file.text() for file in members["files"].items(minimum=1, maximum=256))
    members["files"].distinct(file.rpartition("/")[2] for file in files)
    return Secret(
        name=name,
        files=files,
        purpose=members["purpose"].member(Purpose) if "purpose" in members else Purpose.SECRET,
        tenants=_recipients(members, product, tenants),
        epoch=members["epoch"].integer(1, MAX_COUNTER) if "epoch" in members else 1,
        floor=members["floor"].integer(1, MAX_COUNTER) if "floor" in members else 1,
    )


def _recipients(
    members: Mapping[str, Node], product: Product, tenants: Mapping[TenantId, Tenant]
) -> tuple[TenantId, ...]:
    if "tenants" in members and "rings" in members:
        raise members["rings"].refused("project.recipients", "expected either 'tenants' or 'rings', found both")
    if "tenants" in members:
        return tuple(TenantId(name) for name in _known_names(members["tenants"], tenants, "tenant"))
    rings = _known_names(members["rings"], product.rings, "ring") if "rings" in members else product.rings
    return tuple(tenant.id for tenant in tenants.values() if tenant.ring in rings)


def _image(name: str, node: Node, secrets: Mapping[str, Secret]) -> Image:
    members = node.record(("spec",), ("secrets",))
    if isinstance(members["spec"].value, Mapping):
        raise members["spec"].refused(
            "project.inline-spec", "expected the path of the image's specification, found a table that nobody reads yet"
        )
    return Image(
        name=name,
        spec=members["spec"].text(),
        secrets=_known_names(members["secrets"], secrets, "secret") if "secrets" in members else (),
    )
