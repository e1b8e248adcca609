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
from strongroom.errors import UsageError
from strongroom.ids import CertificateDer

AWS_ROOT_NAME = "AWS Nitro root G1"
_AWS_ROOT = "aws-nitro-root-g1.pem"
_TLS_ROOTS = "tls-roots"
_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class NitroRoots:
    """The roots that may vouch for a document. Make it with `aws`, `from_pem` or `from_fingerprints`; `|` joins two."""

    sha256s: frozenset[bytes]

    def __post_init__(self) -> None:
        if not self.sha256s:
            raise RuntimeError("a set of roots needs at least one root")

    @classmethod
    def aws(cls) -> NitroRoots:
        """Return the root of AWS's commercial partition, as packaged."""
        return _packaged_roots()

    @classmethod
    def from_pem(cls, *pems: bytes) -> NitroRoots:
        """Return exactly the roots in one or more PEM files, and no other. Raises FormatError."""
        return cls(frozenset(sha256_fingerprint(der) for pem in pems for der in parse_pem_certificates(pem)))

    @classmethod
    def from_fingerprints(cls, *sha256s: bytes) -> NitroRoots:
        """Return exactly the roots whose certificates (DER) have these SHA-256 values. Raises UsageError for others.

        A fingerprint is all that a pin needs: the certificate comes with the document.
        """
        for sha256 in sha256s:
            if len(sha256) != _SHA256_BYTES:
                raise UsageError(
                    "roots.fingerprint", f"expected {_SHA256_BYTES} bytes of SHA-256, found {len(sha256)} bytes"
                )
        return cls(frozenset(sha256s))

    def __or__(self, other: NitroRoots) -> NitroRoots:
        """Return a set that trusts the roots of both."""
        return NitroRoots(self.sha256s | other.sha256s)


@functools.cache
def _packaged_roots() -> NitroRoots:
    return NitroRoots.from_pem(aws_nitro_root_pem())


def root_name(sha256: bytes) -> str | None:
    """Return how AWS calls a root, by its fingerprint; None for one that is not packaged here."""
    return AWS_ROOT_NAME if sha256 in NitroRoots.aws().sha256s else None


def aws_nitro_root_pem() -> bytes:
    """Return the root G1 as packaged, in PEM."""
    return resources.files("strongroom").joinpath("data", _AWS_ROOT).read_bytes()


@functools.cache
def amazon_tls_roots() -> tuple[CertificateDer, ...]:
    """Return the roots of AWS's TLS endpoints, as packaged (data/tls-roots/README.md names their source)."""
    folder = resources.files("strongroom").joinpath("data", _TLS_ROOTS)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".pem")), key=lambda file: file.name)
    return tuple(parse_pem_certificates(file.read_bytes())[0] for file in files)
