# SPDX-License-Identifier: Apache-2.0
"""`strongroom identity verify`: whether EC2 signed an instance identity document, and of which instance.

The two weak signatures have options of their own, and every output says what such a document does not show (ATTACKS
A14): it names an instance to whoever holds a copy, and says nothing of what that instance runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.appraisal.evidence import VerifiedEvidence, verify_evidence
from strongroom.appraisal.identity import (
    AnyIdentity,
    IdentityKind,
    verify_identity_document,
    verify_unsafe_legacy_pkcs7,
    verify_unsafe_legacy_signature,
)
from strongroom.appraisal.identity_certificates import aws_identity_certificates, aws_unsafe_legacy_dsa_certificates
from strongroom.appraisal.identity_comparison import expect_ec2_agrees, expect_region, expect_same_instance
from strongroom.cli.expectations import read_time
from strongroom.cli.identity_report import Comparisons, report
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH, named
from strongroom.cli.region_option import parse_region
from strongroom.cli.verify_trust import MAX_PEM_BYTES, read_roots
from strongroom.crypto.certificates import parse_pem_certificates, sha256_fingerprint
from strongroom.errors import NotAuthentic, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES
from strongroom.formats.identity_document import MAX_IDENTITY_DOCUMENT_BYTES, parse_identity_document
from strongroom.formats.identity_signature import MAX_SIGNATURE_FILE_BYTES, decode_signature_file
from strongroom.ids import CertificateDer, EvidenceBytes, Region
from strongroom.ports import Ec2Instance, IdentityDocumentBytes, InstanceDirectory


class Options(TypedDict):
    """The options of `strongroom identity verify`, as click hands them over."""

    rsa2048: Path | None
    pkcs7: Path | None
    signature: Path | None
    region: str | None
    certificate: Path | None
    attestation: Path | None
    at: str | None
    root: tuple[Path, ...]
    ec2: bool
    as_json: bool


@click.group("identity")
def command() -> None:
    """Verify instance identity documents: who EC2 says an instance is.

    \b
    Example:  strongroom identity verify id --rsa2048 sig --region us-east-1
    """


@command.command("verify")
@click.argument("identity_document", metavar="DOC", type=PATH)
@click.option("--rsa2048", type=PATH, help="Its `rsa2048` signature (RSA-2048, SHA-256).")
@click.option("--pkcs7", type=PATH, help="Its `pkcs7` signature (DSA-1024, SHA-1): weak.")
@click.option("--signature", type=PATH, help="Its `signature` (RSA-1024, SHA-256): weak; needs --certificate.")
@click.option("--region", metavar="REGION", help="The Region that the document must be of.")
@click.option("--certificate", type=PATH, help="PEM file of the Region's certificate, instead of the packaged one.")
@click.option("--document", "attestation", type=PATH, help="An attestation document that must be of the same instance.")
@click.option("--at", metavar="TIME", help="When --document is judged at: now (the default), document, or RFC 3339.")
@click.option("--root", multiple=True, type=PATH, help="PEM file of roots to trust for --document; may be repeated.")
@click.option("--ec2", is_flag=True, help="Ask EC2 whether the account has this instance, running, and as described.")
@json_option
def verify(identity_document: Path, **options: Unpack[Options]) -> None:
    """Verify DOC, an instance identity document, byte for byte as the metadata service serves it.

    One signature is needed: a file of base64 as it is served, with or without PEM lines, or the bytes themselves.
    --ec2 calls ec2:DescribeInstances in the document's Region, with AWS_PROFILE and AWS_ENDPOINT_URL as in the AWS CLI.

    An identity document says who the instance is, not what it runs, and whoever saw it can show it again for ever.

    \b
    Example:  strongroom identity verify id --rsa2048 sig --region us-east-1
              strongroom identity verify id --rsa2048 sig --document d.cbor --ec2
    """
    kind, signature_file = _one_signature(options)
    _expect_options_that_fit(kind, options)
    region = None if options["region"] is None else parse_region(options["region"])
    now = datetime.now(UTC)
    document, claimed = _read_document(identity_document)
    certificates = _certificates(kind, claimed, options["certificate"])
    with named(signature_file):
        signature = decode_signature_file(read_file(signature_file, maximum_bytes=MAX_SIGNATURE_FILE_BYTES))
        with _judged_by(certificates.get(claimed), claimed, options["certificate"]):
            identity = _verify(kind, document, signature, certificates)
    if region is not None:
        expect_region(identity, region)
    evidence = _evidence(options, now)
    if evidence is not None:
        expect_same_instance(identity, evidence)
    if options["ec2"]:
        expect_ec2_agrees(identity, _ask_ec2(identity))
    compared = Comparisons(
        region=region, evidence=evidence, at=options["at"], ec2=options["ec2"], certificate=options["certificate"]
    )
    report(identity, document, compared, now=now, as_json=options["as_json"])


def _read_document(path: Path) -> tuple[bytes, Region]:
    """Return an identity document and the Region that it claims to be of."""
    with named(path):
        document = read_file(path, maximum_bytes=MAX_IDENTITY_DOCUMENT_BYTES)
        return document, parse_identity_document(document).region


def _one_signature(options: Options) -> tuple[IdentityKind, Path]:
    files = {
        IdentityKind.RSA2048: options["rsa2048"],
        IdentityKind.PKCS7: options["pkcs7"],
        IdentityKind.SIGNATURE: options["signature"],
    }
    given = [(kind, file) for kind, file in files.items() if file is not None]
    if len(given) != 1:
        raise UsageError(
            "identity.one-signature",
            f"expected one of --rsa2048, --pkcs7 and --signature, found {len(given)}",
            remedy="Ask the metadata service for `rsa2048`; the two others are weak.",
        )
    return given[0]


def _expect_options_that_fit(kind: IdentityKind, options: Options) -> None:
    if kind is IdentityKind.SIGNATURE and options["certificate"] is None:
        raise UsageError(
            "identity.no-certificate",
            "expected --certificate with --signature: AWS replaces those certificates every few years, and none is "
            "packaged",
            remedy="Take the one called RSA of the instance's Region from the EC2 User Guide (regions-certs).",
        )
    if options["attestation"] is None and (options["at"] is not None or options["root"]):
        raise UsageError(
            "identity.no-attestation", "--at and --root are for an attestation document: expected --document with them"
        )


def _certificates(kind: IdentityKind, claimed: Region, pem: Path | None) -> Mapping[Region, CertificateDer]:
    """Return the packaged certificates; or the one in `pem`, for the Region that the document claims."""
    if pem is None:
        return aws_identity_certificates() if kind is IdentityKind.RSA2048 else aws_unsafe_legacy_dsa_certificates()
    with named(pem):
        found = parse_pem_certificates(read_file(pem, maximum_bytes=MAX_PEM_BYTES))
    if len(found) != 1:
        raise UsageError("identity.certificates", f"expected one certificate in {pem}, found {len(found)}")
    return {claimed: found[0]}


@contextmanager
def _judged_by(packaged: CertificateDer | None, region: Region, given: Path | None) -> Iterator[None]:
    """Let a signature that does not fit say with which certificate it was compared, if nobody named that."""
    try:
        yield
    except NotAuthentic as error:
        if error.code != "signature.invalid" or packaged is None or given is not None:
            raise
        remedy = (
            f"It was judged by the packaged certificate of {region}, SHA-256 {sha256_fingerprint(packaged).hex()}. "
            "Where EC2 signs with another one: --certificate names it."
        )
        raise NotAuthentic(error.code, error.message, remedy=remedy) from error


def _verify(
    kind: IdentityKind, document: bytes, signature: bytes, certificates: Mapping[Region, CertificateDer]
) -> AnyIdentity:
    match kind:
        case IdentityKind.RSA2048:
            return verify_identity_document(IdentityDocumentBytes(document, signature), certificates=certificates)
        case IdentityKind.PKCS7:
            return verify_unsafe_legacy_pkcs7(document, signature, certificates=certificates)
        case IdentityKind.SIGNATURE:
            return verify_unsafe_legacy_signature(document, signature, certificates=certificates)


def _evidence(options: Options, now: datetime) -> VerifiedEvidence | None:
    if options["attestation"] is None:
        return None
    roots, at = read_roots(options["root"], ()), read_time(options["at"], now=now)
    with named(options["attestation"]):
        data = read_file(options["attestation"], maximum_bytes=MAX_DOCUMENT_BYTES)
        return verify_evidence(EvidenceBytes(data), roots=roots, at=at)


def _ask_ec2(identity: AnyIdentity) -> Ec2Instance | None:
    return _directory(identity.region).describe_instance(identity.instance_id)


def _directory(region: Region) -> InstanceDirectory:
    from strongroom.aws.sdk.ec2 import SdkInstanceDirectory  # noqa: PLC0415 -- boto3 takes its time to load
    from strongroom.aws.sdk.session import AwsSession  # noqa: PLC0415

    return SdkInstanceDirectory(AwsSession(region=region).ec2())
