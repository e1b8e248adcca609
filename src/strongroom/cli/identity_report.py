# SPDX-License-Identifier: Apache-2.0
"""What `strongroom identity verify` prints: what EC2 vouches for, what that equals, and what it does not show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.appraisal.identity import AnyIdentity, IdentityKind, UnsafeLegacyIdentity
from strongroom.cli.output import emit, print_line
from strongroom.crypto.certificates import CertificateFacts, describe_certificate
from strongroom.formats.identity_document import IdentityDocument
from strongroom.ids import Region

NOT_INTEGRITY = (
    "it says who the instance is, NOT WHAT IT RUNS: nothing that booted was looked at (`strongroom verify` does that)"
)
NO_AGE = "it has no nonce and no age: whoever saw it can show it again for ever, from any machine"
_WEAK = (
    "A WEAK SIGNATURE VOUCHES FOR THIS: {algorithm}. Take `rsa2048` wherever it is to be had; Strongroom's agent takes "
    "nothing else"
)
_OWN_SIGNER = (
    "tested with our own signer only: no genuine `{kind}` signature was to be had, so none of EC2's was ever verified "
    "by this code"
)
_GIVEN = "the certificate is the one in {file}, taken at its word; nobody compared it with AWS's"
_GIVEN_WITHOUT_REGION = "; that it is one of {region} is the document's own claim: --region was not given"
_OUT_OF_DATE = (
    "the certificate is good from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, and today is outside: a pinned certificate is "
    "used whatever its dates"
)
_ATTESTATION = (
    "the attestation document is authentic and of the same instance and Region; its PCRs, nonce and age were not "
    "compared, so this does not say that whoever showed the two is that instance"
)
_ATTESTED_THEN = "the attestation document was judged as of another time than now: that says nothing about today"
_GENUINE = (IdentityKind.PKCS7,)
"""Of these a genuine one was verified in tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """What an identity was found equal to, and with which certificate. None: not compared."""

    region: Region | None
    evidence: VerifiedEvidence | None
    at: str | None
    ec2: bool
    certificate: Path | None
    """None: the packaged one."""


def report(identity: AnyIdentity, document: bytes, compared: Comparisons, *, now: datetime, as_json: bool) -> None:
    """Print the verdict, with everything that it does not say."""
    verdict = "authentic-by-a-weak-signature" if isinstance(identity, UnsafeLegacyIdentity) else "authentic"
    certificate = describe_certificate(identity.certificate)
    notices = tuple(_notices(identity, compared, certificate, now))

    def human(console: Console) -> None:
        for line in (*_lines(verdict, identity, compared), *(f"  note: {notice}" for notice in notices)):
            print_line(console, line)

    facts = {
        "verdict": verdict,
        **_facts(identity),
        "document_sha256": hashlib.sha256(document).hexdigest(),
        "certificate": _certificate_facts(certificate, compared),
        "compared_with": _compared_with(compared),
        "attestation": _attestation_facts(compared.evidence),
        "notices": list(notices),
    }
    emit(facts, as_json=as_json, human=human)


def _notices(
    identity: AnyIdentity, compared: Comparisons, certificate: CertificateFacts, now: datetime
) -> Iterator[str]:
    if isinstance(identity, UnsafeLegacyIdentity):
        yield _WEAK.format(algorithm=identity.kind.algorithm)
    yield NOT_INTEGRITY
    yield NO_AGE
    if identity.kind not in _GENUINE:
        yield _OWN_SIGNER.format(kind=identity.kind)
    if compared.certificate is not None:
        claimed = "" if compared.region or compared.evidence else _GIVEN_WITHOUT_REGION.format(region=identity.region)
        yield _GIVEN.format(file=compared.certificate) + claimed
    if not certificate.begins <= now <= certificate.ends:
        yield _OUT_OF_DATE.format(begins=certificate.begins, ends=certificate.ends)
    if compared.evidence is not None:
        yield _ATTESTATION
        if compared.at not in (None, "now"):
            yield _ATTESTED_THEN


def _lines(verdict: str, identity: AnyIdentity, compared: Comparisons) -> Iterator[str]:
    yield (
        f"{verdict.upper().replace('-', ' ')}: {identity.instance_id} in {identity.region}, "
        f"account {identity.account_id}"
    )
    yield f"  signature: {identity.kind.algorithm} (`{identity.kind}`)"
    yield (
        f"  image {identity.image_id}, {identity.instance_type}, {identity.architecture}, "
        f"zone {identity.availability_zone}"
    )
    yield f"  last started at {identity.pending_time}"
    if compared.region:
        yield "  equal to: the Region that was given"
    if compared.evidence:
        made = compared.evidence.timestamp
        yield f"  equal to: instance and Region of the attestation document of {made:%Y-%m-%d %H:%M:%S} UTC"
    if compared.ec2:
        yield "  equal to: what EC2 says of the instance now, and it runs"


def _facts(identity: AnyIdentity) -> dict[str, object]:
    return {
        "kind": identity.kind,
        "algorithm": identity.kind.algorithm,
        "weak": isinstance(identity, UnsafeLegacyIdentity),
        **identity_members(identity),
    }


def identity_members(said: AnyIdentity | IdentityDocument) -> dict[str, object]:
    """Return what an identity document says, verified or not, for programs. The keys are stable."""
    return {
        "account_id": said.account_id,
        "instance_id": said.instance_id,
        "image_id": said.image_id,
        "region": said.region,
        "availability_zone": said.availability_zone,
        "instance_type": said.instance_type,
        "architecture": said.architecture,
        "pending_time": said.pending_time,
    }


def _certificate_facts(certificate: CertificateFacts, compared: Comparisons) -> dict[str, object]:
    return {
        "sha256": certificate.sha256.hex(),
        "begins": certificate.begins.isoformat(),
        "ends": certificate.ends.isoformat(),
        "packaged": compared.certificate is None,
    }


def _compared_with(compared: Comparisons) -> list[str]:
    made = {"region": compared.region, "attestation-document": compared.evidence, "ec2": compared.ec2}
    return [name for name, value in made.items() if value]


def _attestation_facts(evidence: VerifiedEvidence | None) -> dict[str, object] | None:
    if evidence is None:
        return None
    return {
        "module_id": evidence.module_id,
        "timestamp": evidence.timestamp.isoformat(),
        "digest": evidence.digest.hex(),
    }
