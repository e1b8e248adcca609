# SPDX-License-Identifier: Apache-2.0
"""Endorsements (RFC 9334): which Nitro roots are trusted, pinned by the SHA-256 of their certificates.

AWS publishes one root, "G1", for its commercial partition; other partitions may have others, so this is a set. The
packaged copy is the anchor; the one inside a document never is (ATTACKS A5). Source and fingerprint: EC2 User Guide,
nitrotpm-attestation-document-validate; Nitro Enclaves User Guide, verify-root.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

from strongroom.crypto.certificates import parse_pem_certificates, sha256_fingerprint
from strongroom.ids import CertificateDer

_AWS_ROOT = "aws-nitro-root-g1.pem"
_TLS_ROOTS = "tls-roots"


@dataclass(frozen=True, slots=True)
class NitroRoots:
    """The roots that may vouch for a document. Make it with `aws` or `from_pem`."""

    sha256s: frozenset[bytes]

    def __post_init__(self) -> None:
        if not self.sha256s:
            raise RuntimeError("a set of roots needs at least one root")

    @classmethod
    def aws(cls) -> NitroRoots:
        """Return the root of AWS's commercial partition, as packaged."""
        return _packaged_roots()

    @classmethod
    def from_pem(cls, pem: bytes) -> NitroRoots:
        """Return exactly the roots in a PEM file, and no other. Raises FormatError."""
        return cls(frozenset(map(sha256_fingerprint, parse_pem_certificates(pem))))


@functools.cache
def _packaged_roots() -> NitroRoots:
    return NitroRoots.from_pem(aws_nitro_root_pem())


def aws_nitro_root_pem() -> bytes:
    """Return the root G1 as packaged, in PEM."""
    return resources.files("strongroom").joinpath("data", _AWS_ROOT).read_bytes()


@functools.cache
def amazon_tls_roots() -> tuple[CertificateDer, ...]:
    """Return the roots of AWS's TLS endpoints, as packaged (data/tls-roots/README.md names their source)."""
    folder = resources.files("strongroom").joinpath("data", _TLS_ROOTS)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".pem")), key=lambda file: file.name)
    return tuple(parse_pem_certificates(file.read_bytes())[0] for file in files)
