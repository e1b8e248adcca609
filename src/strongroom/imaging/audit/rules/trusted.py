# SPDX-License-Identifier: Apache-2.0
"""Rules on whom the image believes: the roots in its trust.json, and what a twin left in its certificate store."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from strongroom.appraisal.endorsements import NitroRoots, amazon_tls_roots
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.crypto.certificates import sha256_fingerprint
from strongroom.errors import Severity
from strongroom.formats.partition import Profile
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import TRUST, Subject

_STORES = (
    *("/etc/ssl/certs/*", "/usr/local/share/ca-certificates/**", "/usr/share/ca-certificates/**"),
    *("/etc/pki/ca-trust/source/anchors/*", "/etc/pki/tls/certs/*", "/usr/share/pki/ca-trust-source/anchors/*"),
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_OF_TWIN = (b"Strongroom Twin", b"Twin, not Amazon")
"""In the names of the authorities that a twin makes for itself (docs/twin.md)."""


def _test_roots(subject: Subject) -> Iterator[Fault]:
    trust = subject.trust
    if trust is None or trust.profile is not Profile.PRODUCTION:
        return
    if {sha256_fingerprint(root) for root in trust.nitro_roots} != NitroRoots.aws().sha256s:
        yield Fault(TRUST, "expected AWS's Nitro root and no other, found another")
    if not set(trust.tls.roots) <= set(amazon_tls_roots()):
        yield Fault(TRUST, "expected TLS roots of Amazon, found another")
    packaged = aws_identity_certificates()
    for region, certificate in trust.identity_certificates.items():
        if packaged.get(region) != certificate:
            yield Fault(TRUST, f"expected the identity certificate that AWS publishes for {region}, found another")


def _twins_authority(subject: Subject) -> Iterator[Fault]:
    if subject.profile is not Profile.PRODUCTION:
        return
    for pattern in _STORES:
        for node in subject.files.glob(pattern):
            if node.is_file and _is_of_twin(subject.files.read(node.path)):
                yield Fault(node.path, "expected no authority of a twin, found one")


def _is_of_twin(contents: bytes) -> bool:
    names = (base64.b64decode(found[1]) for found in _CERTIFICATE.finditer(contents) if _is_whole(found[1]))
    return any(name in der for der in names for name in _OF_TWIN)


def _is_whole(text: bytes) -> bool:
    return len(b"".join(text.split())) % 4 == 0 and b"=" not in text.rstrip(b"=\r\n\t ")


RULES = (
    Rule(
        code="audit.test-roots",
        severity=Severity.ERROR,
        title="A production trust.json trusts somebody other than AWS",
        why="Whoever has the key of such a root is AWS for the image: they hand it documents, identities and a KMS of "
        "their own (K12, K15).",
        fix="Write the file again with `strongroom signer trust --profile production`. No waiver makes it pass.",
        attacks=("K12", "K15"),
        waivable=False,
        check=_test_roots,
    ),
    Rule(
        code="audit.twins-authority",
        severity=Severity.ERROR,
        title="The system trusts the TLS authority of a twin",
        why="Every program that goes by the system's certificates takes a twin for AWS: whoever has its key, and the "
        "network, reads and answers what it sends (K12, K15).",
        fix="Remove the certificate. It belongs into a rehearsal image.",
        attacks=("K12", "K15"),
        check=_twins_authority,
    ),
)
