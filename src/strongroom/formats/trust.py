# SPDX-License-Identifier: Apache-2.0
"""`trust.json`: what an image trusts (docs/formats/trust.md). Parsed strictly, encoded in exactly one way.

A parsed `Trust` says what the measured file says. That keys and certificates are what they claim to be is
verified in `agent/trusted.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.endpoints import parse_imds_endpoint, parse_kms_endpoint, parse_s3_endpoint
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.signed import KEY_ID_BYTES
from strongroom.formats.tree import Node
from strongroom.ids import AccountId, CertificateDer, KeyId, Region, SpkiDer

VERSION = 1
MAX_BYTES = 262_144
MAX_CERTIFICATE_BYTES = 8192
MAX_SPKI_BYTES = 1024
MAX_COUNTER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259 section 6)."""
_SPEC = "docs/formats/trust.md"
_KEYS = (
    *("version", "profile", "product", "signers", "floors"),
    *("vendor", "nitro_roots", "tls", "identity_certificates"),
)
ALGORITHMS: Mapping[str, SignatureAlgorithm] = MappingProxyType(
    {"EdDSA": SignatureAlgorithm.EDDSA, "ES384": SignatureAlgorithm.ES384}
)
"""By their COSE names (RFC 9053 section 2)."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whose KMS keys may be used."""

    partition: Partition
    accounts: tuple[AccountId, ...]


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate authorities for TLS to AWS, and endpoints that differ from AWS's defaults."""

    roots: tuple[CertificateDer, ...]
    kms: Mapping[Region, str]
    imds: str | None = None
    s3: Mapping[Region, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trust:
    """The content of one `trust.json`. Lists that are sets are sorted."""

    profile: Profile
    product: str
    signers: tuple[PinnedSigner, ...]
    floors: Mapping[str, int]
    vendor: Vendor
    nitro_roots: tuple[CertificateDer, ...]
    tls: Tls
    identity_certificates: Mapping[Region, CertificateDer]


def parse_trust(data: bytes) -> Trust:
    """Parse a `trust.json`. Raises FormatError for anything but the one encoding of an allowed content."""
    root = strict_json.parse(data, maximum_bytes=MAX_BYTES, spec=_SPEC)
    members = root.record(_KEYS)
    members["version"].integer(VERSION, VERSION)
    profile = members["profile"].member(Profile)
    vendor = _vendor(members["vendor"])
    signers = tuple(_signer(node) for node in members["signers"].items(minimum=1, maximum=16))
    members["signers"].distinct(signer.key_id.hex() for signer in signers)
    trust = Trust(
        profile=profile,
        product=members["product"].id(),
        signers=signers,
        floors=_floors(members["floors"]),
        vendor=vendor,
        nitro_roots=_certificates(members["nitro_roots"], maximum=4),
        tls=_tls(members["tls"], profile, vendor.partition),
        identity_certificates=_identity_certificates(members["identity_certificates"]),
    )
    if encode_trust(trust) != data:
        raise FormatError(
            "trust.not-canonical",
            "expected the one encoding of this content: sorted keys and sets, two spaces, one newline at the end",
            spec=_SPEC,
            remedy="Write the file with `strongroom signer trust`; it is not edited by hand.",
        )
    return trust


def _signer(node: Node) -> PinnedSigner:
    members = node.record(("key_id", "algorithm", "public_key", "roles"))
    roles = [role.member(SignerRole) for role in members["roles"].items(minimum=1, maximum=len(SignerRole))]
    return PinnedSigner(
        key_id=KeyId(members["key_id"].hex(size_bytes=KEY_ID_BYTES)),
        algorithm=members["algorithm"].pick(ALGORITHMS),
        public_key=SpkiDer(members["public_key"].base64(maximum_bytes=MAX_SPKI_BYTES)),
        roles=frozenset(SignerRole(role) for role in members["roles"].distinct(roles)),
    )


def _floors(node: Node) -> Mapping[str, int]:
    floors = {}
    for _, floor in node.table():
        floors[floor.key().id()] = floor.integer(1, MAX_COUNTER)
    return MappingProxyType(floors)


def _vendor(node: Node) -> Vendor:
    members = node.record(("partition", "accounts"))
    accounts = [account.account() for account in members["accounts"].items(minimum=1, maximum=16)]
    return Vendor(
        partition=members["partition"].member(Partition),
        accounts=tuple(AccountId(account) for account in members["accounts"].distinct(accounts)),
    )


def _certificates(node: Node, *, maximum: int) -> tuple[CertificateDer, ...]:
    nodes = node.items(minimum=1, maximum=maximum)
    certificates = [CertificateDer(item.base64(maximum_bytes=MAX_CERTIFICATE_BYTES)) for item in nodes]
    node.distinct(_base64(certificate) for certificate in certificates)
    return tuple(certificates)


def _tls(node: Node, profile: Profile, partition: Partition) -> Tls:
    members = node.record(("roots", "endpoints"))
    endpoints = members["endpoints"].record(("kms",), ("imds", "s3"))
    kms = {}
    for _, url in endpoints["kms"].table(maximum=64):
        region = url.key().region()
        kms[region] = parse_kms_endpoint(url, profile=profile, partition=partition, region=region)
    s3 = {}
    for _, url in endpoints["s3"].table(minimum=1, maximum=64) if "s3" in endpoints else ():
        region = url.key().region()
        s3[region] = parse_s3_endpoint(url, profile=profile, partition=partition, region=region)
    imds = endpoints.get("imds")
    return Tls(
        roots=_certificates(members["roots"], maximum=16),
        kms=MappingProxyType(kms),
        imds=None if imds is None else parse_imds_endpoint(imds, profile=profile),
        s3=MappingProxyType(s3),
    )


def _identity_certificates(node: Node) -> Mapping[Region, CertificateDer]:
    certificates = {}
    for _, certificate in node.table(minimum=1, maximum=64):
        region = certificate.key().region()
        certificates[region] = CertificateDer(certificate.base64(maximum_bytes=MAX_CERTIFICATE_BYTES))
    return MappingProxyType(certificates)


def encode_trust(trust: Trust) -> bytes:
    """Write the one encoding of `trust`: same content, same bytes. What parses encodes to the bytes it came from."""
    endpoints: dict[str, object] = {"kms": dict(trust.tls.kms)}
    if trust.tls.imds is not None:
        endpoints["imds"] = trust.tls.imds
    if trust.tls.s3:
        endpoints["s3"] = dict(trust.tls.s3)
    return strict_json.encode(
        {
            "version": VERSION,
            "profile": trust.profile,
            "product": trust.product,
            "signers": [_signer_members(signer) for signer in sorted(trust.signers, key=lambda s: s.key_id)],
            "floors": dict(trust.floors),
            "vendor": {"partition": trust.vendor.partition, "accounts": sorted(trust.vendor.accounts)},
            "nitro_roots": _sorted_base64(trust.nitro_roots),
            "tls": {"roots": _sorted_base64(trust.tls.roots), "endpoints": endpoints},
            "identity_certificates": {r: _base64(der) for r, der in trust.identity_certificates.items()},
        }
    )


def _signer_members(signer: PinnedSigner) -> dict[str, object]:
    return {
        "key_id": signer.key_id.hex(),
        "algorithm": algorithm_name(signer.algorithm),
        "public_key": _base64(signer.public_key),
        "roles": sorted(signer.roles),
    }


def algorithm_name(algorithm: SignatureAlgorithm) -> str:
    """Return the COSE name of a signature algorithm, as our files write it."""
    return next(name for name, known in ALGORITHMS.items() if known is algorithm)


def _sorted_base64(values: tuple[bytes, ...] | tuple[CertificateDer, ...]) -> list[str]:
    return sorted(_base64(value) for value in values)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
