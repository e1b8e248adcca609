# SPDX-License-Identifier: Apache-2.0
"""Whether a verified identity is about the instance that was meant.

An identity document says who an instance is, to whoever shows it. These comparisons tie it to something else: to the
attestation document of an instance, to a Region that was named, to what EC2 itself answers (ATTACKS A14).
"""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.appraisal.identity import AnyIdentity
from strongroom.errors import Finding, NotTrusted
from strongroom.ids import Region
from strongroom.ports import Ec2Instance

RUNNING = "running"
"""Of the states of an instance, the one in which it can show a document of its own (EC2 API, InstanceState)."""


def expect_same_instance(identity: AnyIdentity, evidence: VerifiedEvidence) -> None:
    """Return if both documents are about one instance in one Region. Raises NotTrusted."""
    if identity.instance_id != evidence.instance_id:
        raise NotTrusted(
            "identity.other-instance",
            f"expected the identity document of {evidence.instance_id}, found that of {identity.instance_id}",
            remedy="One of the two documents is of another machine. On an instance: what answers as the metadata "
            "service, answers for another one.",
        )
    expect_region(identity, evidence.region)


def expect_region(identity: AnyIdentity, region: Region) -> None:
    """Return if the identity is one of `region`. Raises NotTrusted."""
    if identity.region != region:
        raise NotTrusted(
            "identity.other-region",
            f"expected an identity document from {region}, found one from {identity.region}",
            remedy="The document is of another machine than the one that was meant.",
        )


def expect_ec2_agrees(identity: AnyIdentity, found: Ec2Instance | None) -> None:
    """Return if EC2 says of the instance what its document says, and that it runs. Raises NotTrusted, with findings."""
    findings = compare_with_ec2(identity, found)
    if findings:
        count = len(findings)
        raise NotTrusted(
            findings[0].code,
            f"the document is authentic, and EC2 says otherwise: {count} difference{'s' if count > 1 else ''}",
            findings=findings,
            remedy=f"EC2 was asked with these credentials, which must be of account {identity.account_id}.",
        )


def compare_with_ec2(identity: AnyIdentity, found: Ec2Instance | None) -> tuple[Finding, ...]:
    """Return where EC2's answer differs from the document; `found` is None when EC2 knows no such instance."""
    if found is None:
        return (Finding("ec2.no-such-instance", f"expected {identity.instance_id} in {identity.region}, found none"),)
    return (
        *_differs("ec2.other-instance", "the instance", identity.instance_id, found.instance_id),
        *_differs("ec2.other-account", "the account", identity.account_id, found.account_id),
        *_differs("ec2.other-image", "the image", identity.image_id, found.image_id),
        *_differs("ec2.other-type", "the instance type", identity.instance_type, found.instance_type),
        *_differs("ec2.other-zone", "the zone", identity.availability_zone, found.availability_zone),
        *_differs("ec2.other-architecture", "the architecture", identity.architecture, found.architecture),
        *_differs("ec2.not-running", "the state", RUNNING, found.state),
    )


def _differs(code: str, what: str, expected: str, found: str) -> Iterator[Finding]:
    if found != expected:
        yield Finding(code, f"expected {what} {expected}, found {found or 'nothing'}")
