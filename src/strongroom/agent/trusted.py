# SPDX-License-Identifier: Apache-2.0
"""The measured `trust.json`, verified to be what it claims, in the types that the rest of the agent takes.

This is where a rehearsal and a production image part (ATTACKS K15): production means AWS's own Nitro root and nothing
else, rehearsal means any other. The file is measured, so neither can become the other without other PCRs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.appraisal.endorsements import NitroRoots, amazon_tls_roots
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.crypto.certificates import load_certificate, sha256_fingerprint
from strongroom.crypto.public_keys import key_id_of
from strongroom.errors import NotAuthentic, NotTrusted
from strongroom.flows.files import read_file
from strongroom.formats.bundle_trust import BundleTrust
from strongroom.formats.partition import Profile
from strongroom.formats.trust import MAX_BYTES, Tls, Trust, parse_trust
from strongroom.ids import CertificateDer, Region

_WRITE_AGAIN = "Write the file again with `strongroom signer trust`; what is a twin's belongs into a rehearsal file."
TRUST_PATH = Path("/usr/lib/strongroom/trust.json")
"""In the verity-protected root of the image (docs/formats/trust.md)."""


@dataclass(frozen=True, slots=True)
class AgentTrust:
    """Everything that the agent believes without being told by the network. Made by `verify_trust`."""

    profile: Profile
    bundles: BundleTrust
    nitro_roots: NitroRoots
    tls: Tls
    identity_certificates: Mapping[Region, CertificateDer]


def read_trust(path: Path = TRUST_PATH) -> AgentTrust:
    """Read, parse and verify a trust file. Raises LocalFault, FormatError, NotAuthentic, NotTrusted."""
    return verify_trust(parse_trust(read_file(path, maximum_bytes=MAX_BYTES)))


def verify_trust(trust: Trust) -> AgentTrust:
    """Return what the agent takes its decisions from.

    Raises NotAuthentic when a key id is not that of its key, FormatError for a certificate that is none, NotTrusted
    when roots or certificates are not those of the profile.
    """
    for signer in trust.signers:
        if signer.key_id != key_id_of(signer.public_key):
            raise NotAuthentic(
                "trust.key-id",
                f"expected the key of signer {signer.key_id.hex()}, found that of {key_id_of(signer.public_key).hex()}",
            )
    for certificate in (*trust.nitro_roots, *trust.tls.roots, *trust.identity_certificates.values()):
        load_certificate(certificate)
    _expect_packaged(trust)
    return AgentTrust(
        profile=trust.profile,
        bundles=BundleTrust(
            product=trust.product,
            signers=trust.signers,
            floors=trust.floors,
            key_accounts=frozenset(trust.vendor.accounts),
            partition=trust.vendor.partition,
        ),
        nitro_roots=_verify_nitro_roots(trust),
        tls=trust.tls,
        identity_certificates=trust.identity_certificates,
    )


def _expect_packaged(trust: Trust) -> None:
    """Refuse a production file with a TLS root or an identity certificate that is not AWS's own (ATTACKS K15)."""
    if trust.profile is not Profile.PRODUCTION:
        return
    if not set(trust.tls.roots) <= set(amazon_tls_roots()):
        raise NotTrusted(
            "trust.tls-root-not-aws",
            "expected TLS roots of Amazon only in a production file, found another",
            remedy=_WRITE_AGAIN,
        )
    packaged = aws_identity_certificates()
    for region, certificate in trust.identity_certificates.items():
        if packaged.get(region) != certificate:
            raise NotTrusted(
                "trust.identity-not-aws",
                f"expected the identity certificate that AWS publishes for {region}, found another",
                remedy=_WRITE_AGAIN,
            )


def _verify_nitro_roots(trust: Trust) -> NitroRoots:
    roots = NitroRoots(frozenset(map(sha256_fingerprint, trust.nitro_roots)))
    aws = NitroRoots.aws()
    if trust.profile is Profile.PRODUCTION and roots != aws:
        raise NotTrusted(
            "trust.root-not-aws",
            "expected AWS's Nitro root and no other in a production file, found another",
            remedy=_WRITE_AGAIN,
        )
    if trust.profile is Profile.REHEARSAL and roots.sha256s & aws.sha256s:
        raise NotTrusted(
            "trust.rehearsal-root",
            "expected the twin's Nitro root in a rehearsal file, found AWS's",
            remedy="Write the file again with `strongroom signer trust --profile production`.",
        )
    return roots
