# SPDX-License-Identifier: Apache-2.0
"""From a project and a target to the `trust.json` of its images (docs/formats/trust.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from strongroom.appraisal.endorsements import amazon_tls_roots, aws_nitro_root_pem
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.cli.paths import named
from strongroom.cli.project_file import ProjectFile
from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.errors import FormatError, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.bundle_trust import PinnedSigner
from strongroom.formats.endpoints import QEMU_HOST
from strongroom.formats.partition import Profile
from strongroom.formats.project_model import Project, SignerState, Target
from strongroom.formats.trust import MAX_CERTIFICATE_BYTES, Tls, Trust, Vendor
from strongroom.ids import CertificateDer, Region

Material = tuple[tuple[CertificateDer, ...], Tls, dict[Region, CertificateDer]]
"""Nitro roots, TLS roots with endpoints, and who signs identity documents in which region."""
_LOOPBACK = re.compile(r"^https://(?:localhost|127\.[0-9.]+|\[::1\])(?=:|\Z)")


def trust_of(file: ProjectFile, target: Target, profile: Profile) -> Trust:
    """Return what images for `target` trust. Raises UsageError when the project does not say enough."""
    material = _aws(file, target) if profile is Profile.PRODUCTION else _rehearsal(file, target)
    return trust_with(file, target, profile, material, signers=signers_of(file))


def trust_with(
    file: ProjectFile, target: Target, profile: Profile, material: Material, *, signers: tuple[PinnedSigner, ...]
) -> Trust:
    """Return the project's trust with roots and endpoints from elsewhere, such as those of a running twin."""
    nitro, tls, identity = material
    return Trust(
        profile=profile,
        product=file.project.product.id,
        signers=signers,
        floors={secret.name: secret.floor for secret in file.project.secrets.values() if secret.floor > 1},
        vendor=Vendor(target.partition, (target.vendor_account,)),
        nitro_roots=nitro,
        tls=tls,
        identity_certificates=identity,
    )


def as_a_guest_sees_it(trust: Trust) -> Trust:
    """Return the trust of an image that boots under QEMU on this machine.

    There a twin on a loopback address is reached at 10.0.2.2, and the metadata service where every instance has it. A
    production file stays as it is.
    """
    tls = trust.tls
    return replace(trust, tls=Tls(tls.roots, _from_guest(tls.kms), None, _from_guest(tls.s3)))


def _from_guest(endpoints: Mapping[Region, str]) -> dict[Region, str]:
    return {region: _LOOPBACK.sub(f"https://{QEMU_HOST}", url) for region, url in endpoints.items()}


def signers_of(file: ProjectFile) -> tuple[PinnedSigner, ...]:
    """Return the signers that new images trust. Raises UsageError for a project without one."""
    signers = tuple(
        PinnedSigner(signer.key_id, signer.algorithm, signer.public_key, signer.roles)
        for signer in file.project.signers.values()
        if signer.state is not SignerState.REVOKED
    )
    if not signers:
        raise UsageError(
            "trust.no-signer",
            f"expected a signer that is not revoked in {file.path}, found none",
            remedy="Make one with `strongroom signer new main`.",
        )
    return signers


def regions_of(project: Project) -> tuple[Region, ...]:
    """Return every region in which an instance of the product may run, sorted."""
    regions = set(project.product.regions)
    for tenant in project.tenants.values():
        regions.update(tenant.regions)
    return tuple(sorted(regions))


def _aws(file: ProjectFile, target: Target) -> Material:
    if target.profile is Profile.REHEARSAL:
        raise UsageError(
            "trust.rehearsal-target",
            f"expected a production target for a production file, found {target.name!r}, whose account is the twin's",
            remedy="Name a production target with --target.",
        )
    return (
        parse_pem_certificates(aws_nitro_root_pem()),
        Tls(roots=amazon_tls_roots(), kms={}),
        {region: _identity_certificate(region) for region in regions_of(file.project)},
    )


def _identity_certificate(region: Region) -> CertificateDer:
    certificates = aws_identity_certificates()
    if region not in certificates:
        raise UsageError(
            "trust.region",
            f"no certificate for instance identity documents of {region} comes with this version",
            remedy="Leave the region out of the project, or use a version that knows it.",
        )
    return certificates[region]


def _rehearsal(file: ProjectFile, target: Target) -> Material:
    trust = target.trust
    if trust is None:
        raise UsageError(
            "trust.no-twin",
            f"expected a section [targets.{target.name}.trust] in {file.path}: the roots and endpoints of a twin",
            remedy="docs/formats/project.md shows one, with the values of a twin (docs/twin.md); or name a production "
            "target with --target.",
        )
    for region in regions_of(file.project):
        if region not in trust.identity_certificates:
            raise UsageError(
                "trust.twin-region",
                f"expected a certificate for {region} in targets.{target.name}.trust.identity-certificates",
            )
    endpoints = dict.fromkeys(regions_of(file.project), trust.kms_endpoint)  # a twin serves both at one address
    return (
        (_read_one(file.locate(trust.nitro_root)),),
        Tls((_read_one(file.locate(trust.tls_root)),), endpoints, trust.imds_endpoint, endpoints),
        {region: _read_one(file.locate(path)) for region, path in trust.identity_certificates.items()},
    )


def _read_one(path: Path) -> CertificateDer:
    with named(path, missing="For the twin that `strongroom init` writes down, `strongroom twin up` makes it."):
        return _one(read_file(path, maximum_bytes=2 * MAX_CERTIFICATE_BYTES), str(path))


def _one(pem: bytes, name: str) -> CertificateDer:
    certificates = parse_pem_certificates(pem)
    if len(certificates) != 1:
        raise FormatError("trust.one-certificate", f"expected one certificate in {name}, found {len(certificates)}")
    return certificates[0]
