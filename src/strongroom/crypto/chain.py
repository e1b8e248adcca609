# SPDX-License-Identifier: Apache-2.0
"""The certificate path of an attestation document: from a pinned root to the leaf that signed it.

The rules are those of the Nitro PKI (aws-nitro-enclaves-nsm-api, docs/attestation_process.md, section 3.2.3), which is
narrower than RFC 5280: one exact path in one exact order, P-384 with SHA-384 only, no revocation lists (AWS says that
CRL checking must be off). `verify_chain` takes these steps; the code repeats their numbers:

 1. the bundle begins with a certificate whose SHA-256 is pinned: the anchor is our copy, not what the document brings
 2. no key stands in the path twice, so no certificate does and no path turns back on itself
 3. every key is on P-384
 4. every certificate is signed with ecdsa-with-SHA384
 5. every certificate names the next one as issuer and carries its signature; the root needs none, it is pinned
 6. every issuer is a CA that may sign certificates and allows a path of this length
 7. the leaf is no CA and may sign documents
 8. no certificate has a critical extension that these steps do not read
 9. every certificate is valid at the given time

The bundle is the same for all documents of an instance, its upper part for all instances of a zone, and nothing about
steps 2 to 8 depends on the time: what was found out about them is remembered. After step 9 the name of the leaf is too,
which all leaves of an instance share. What fails raises and is not: only what a pinned root vouches for takes memory.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from strongroom.crypto.certificates import (
    load_certificate,
    load_public_key,
    read_subject,
    read_validity,
    sha256_fingerprint,
)
from strongroom.crypto.signatures import P384Key
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.certificate_parts import CertificateParts, parse_certificate_parts
from strongroom.ids import CertificateDer

_REMEMBERED = 4096
"""Bundles that are kept in memory: about 5 KB each, one an instance. So many names of leaves are, too."""
_ROOTS = 16
"""More than anybody pins."""
_ECDSA_SHA384 = ec.ECDSA(hashes.SHA384())
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_READ_EXTENSIONS = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A path that holds at the time it was verified for. `leaf_key` is the key that may sign the document."""

    leaf_key: P384Key
    leaf_common_name: str
    expires: datetime
    """When the first certificate of the path ends."""
    root_sha256: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    """One certificate with all that the steps read, taken out once. Equal to itself alone, so that it can be a key."""

    position: str
    certificate: x509.Certificate
    parts: CertificateParts
    key: object
    constraints: x509.BasicConstraints | None
    usage: x509.KeyUsage | None
    critical: frozenset[x509.ObjectIdentifier]
    begins: datetime
    ends: datetime

    def refuse(self, code: str, problem: str) -> NotAuthentic:
        return NotAuthentic(f"chain.{code}", f"{self.position}: {problem}")


def verify_chain(
    leaf: CertificateDer, cabundle: Sequence[CertificateDer], *, root_sha256s: Collection[bytes], at: datetime
) -> VerifiedChain:
    """Return the verified path from `cabundle[0]`, a pinned root, to `leaf` at the time `at`.

    `cabundle` is in the document's order: root first. Raises NotAuthentic, or FormatError for a certificate that
    cannot be read; RuntimeError for a time without a zone.
    """
    if at.tzinfo is None:
        raise RuntimeError("the time to verify at needs a time zone")
    root_sha256 = _expect_pinned_root(cabundle, root_sha256s)  # step 1
    issuers = _verified_issuers(tuple(cabundle))  # steps 2 to 6 and 8, of the bundle
    end_entity = _read_link(leaf, "the leaf certificate")
    for issuer in issuers:
        _expect_another_key(end_entity, issuer)  # step 2
    _expect_p384_sha384(end_entity)  # steps 3 and 4
    _verify_issued_by(end_entity, issuers[0])  # step 5
    _expect_end_entity(end_entity)  # step 7
    _expect_no_unread_extension(end_entity)  # step 8
    path = (end_entity, *issuers)
    for link in path:
        _expect_valid_at(link, at)  # step 9
    return VerifiedChain(
        leaf_key=end_entity.key,  # type: ignore[arg-type]  # step 3 has looked at it
        leaf_common_name=_common_name(end_entity),
        expires=min(link.ends for link in path),
        root_sha256=root_sha256,
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def _verified_issuers(cabundle: tuple[CertificateDer, ...]) -> tuple[_Link, ...]:
    """Return the bundle's certificates, the leaf's issuer first and the root last, after steps 2 to 6 and 8."""
    last = len(cabundle) - 1
    root, *below_root = cabundle
    links = [_read_root(root)]
    links += [
        _read_issuer(der, f"certificate {index} of {last} in the bundle") for index, der in enumerate(below_root, 1)
    ]
    issuers = tuple(reversed(links))
    for one, other in itertools.combinations(issuers, 2):
        _expect_another_key(one, other)  # step 2
    for link in issuers:
        _expect_p384_sha384(link)  # steps 3 and 4
        _expect_no_unread_extension(link)  # step 8
    for der, (issuer, child) in zip(below_root, itertools.pairwise(links), strict=True):  # from the root down
        _verify_issuer(child, issuer)  # step 5
        _remember(_vouched, (der, child.position), child)
    for below, link in enumerate(issuers):
        _expect_authority(link, intermediates_below=below)  # step 6
    return issuers


@functools.lru_cache(maxsize=_ROOTS)
def _read_root(der: CertificateDer) -> _Link:
    """Return a root that is pinned, read once in the life of a process: every document brings the same."""
    return _read_link(der, "the root certificate")


@functools.lru_cache(maxsize=_REMEMBERED)
def _verify_issuer(child: _Link, issuer: _Link) -> None:
    """Verify one link of a bundle, once for each pair: bundles of one zone share all but the lowest."""
    _verify_issued_by(child, issuer)


def _expect_pinned_root(cabundle: Sequence[CertificateDer], root_sha256s: Collection[bytes]) -> bytes:
    fingerprint = sha256_fingerprint(cabundle[0]) if cabundle else b""
    if fingerprint not in root_sha256s:
        raise NotAuthentic(
            "chain.unknown-root",
            f"the root certificate is none that is trusted here; its SHA-256 is {fingerprint.hex() or 'absent'}",
            remedy="AWS's own root is trusted by default; `--root FILE` trusts another one, such as the twin's.",
        )
    return fingerprint


def forget_bundles() -> None:
    """Forget what is remembered of bundles and leaves. The pinned roots stay: they are settings, not findings."""
    for remembered in (_verified_issuers, _verify_issuer):
        remembered.cache_clear()
    _vouched.clear()
    _common_names.clear()


_vouched: dict[tuple[CertificateDer, str], _Link] = {}
"""Certificates that a pinned root vouches for, by bytes and position: the same few stand in thousands of documents."""


_common_names: dict[bytes, str] = {}
"""Common names by the subject that they stand in, as it is encoded; of leaves that all steps have passed."""


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value


def _read_issuer(der: CertificateDer, position: str) -> _Link:
    return _vouched.get((der, position)) or _read_link(der, position)


def _read_link(der: CertificateDer, position: str) -> _Link:
    certificate = load_certificate(der)
    key = load_public_key(certificate)
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise FormatError("chain.unreadable", f"{position} cannot be read: {error}", spec="RFC 5280") from error
    if not der.endswith(b"\0" + certificate.signature):
        raise FormatError(
            "chain.signature-padding",
            f"{position}: expected a signature of whole bytes at the end, found unused bits",
            spec="RFC 5280 section 4.1.1.3",
        )
    values = {type(extension.value): extension.value for extension in extensions}  # none comes twice
    begins, ends = read_validity(certificate)
    return _Link(
        position=position,
        certificate=certificate,
        parts=parse_certificate_parts(der),
        key=key,
        constraints=values.get(x509.BasicConstraints),
        usage=values.get(x509.KeyUsage),
        critical=frozenset(extension.oid for extension in extensions if extension.critical),
        begins=begins,
        ends=ends,
    )


def _expect_another_key(one: _Link, other: _Link) -> None:
    if one.key == other.key:
        raise other.refuse("repetition", f"expected another key than that of {one.position}, found the same")


def _expect_p384_sha384(link: _Link) -> None:
    if not isinstance(link.key, ec.EllipticCurvePublicKey) or not isinstance(link.key.curve, ec.SECP384R1):
        raise link.refuse("wrong-key", "expected a P-384 key, found another kind")
    if link.certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        found = link.certificate.signature_algorithm_oid.dotted_string
        raise link.refuse("wrong-algorithm", f"expected the signature algorithm ecdsa-with-SHA384, found {found}")


def _expect_valid_at(link: _Link, at: datetime) -> None:
    if at < link.begins:
        raise link.refuse(
            "not-yet-valid", f"valid from {link.begins:%Y-%m-%d %H:%M:%SZ}, asked for {at:%Y-%m-%d %H:%M:%SZ}"
        )
    if at > link.ends:
        raise NotAuthentic(
            "chain.expired",
            f"{link.position}: expired at {link.ends:%Y-%m-%d %H:%M:%SZ}, asked for {at:%Y-%m-%d %H:%M:%SZ}",
            remedy="A document's certificates live about three hours. To look at an old one, verify it as of its own "
            "time (--at document); that says nothing about today.",
        )


def _expect_no_unread_extension(link: _Link) -> None:
    unread = link.critical - _READ_EXTENSIONS
    if unread:
        names = ", ".join(sorted(oid.dotted_string for oid in unread))
        raise link.refuse("critical-extension", f"expected no critical extension beyond the two known, found {names}")


def _verify_issued_by(child: _Link, issuer: _Link) -> None:
    if child.parts.issuer != issuer.parts.subject:
        raise child.refuse("wrong-issuer", f"expected {issuer.position} as issuer, found another")
    try:
        # Step 3 has looked at the key.
        issuer.key.verify(child.certificate.signature, child.parts.signed, _ECDSA_SHA384)  # type: ignore[attr-defined]
    except InvalidSignature as error:
        raise child.refuse("bad-signature", f"the signature is not one of {issuer.position}") from error


def _expect_authority(link: _Link, *, intermediates_below: int) -> None:
    constraints = link.constraints
    if constraints is None or not constraints.ca or ExtensionOID.BASIC_CONSTRAINTS not in link.critical:
        raise link.refuse("not-a-ca", "expected a CA (critical basicConstraints with CA true), found none")
    if constraints.path_length is not None and constraints.path_length < intermediates_below:
        raise link.refuse(
            "path-too-long",
            f"allows {constraints.path_length} intermediate certificates below it, found {intermediates_below}",
        )
    if link.usage is None or not link.usage.key_cert_sign:
        raise link.refuse("key-usage", "expected the key usage keyCertSign, found none")


def _expect_end_entity(link: _Link) -> None:
    if link.constraints is None or link.constraints.ca:
        raise link.refuse("leaf-is-ca", "expected basicConstraints with CA false, found a CA or nothing")
    if link.usage is None or not link.usage.digital_signature or link.usage.key_cert_sign:
        raise link.refuse("key-usage", "expected the key usage digitalSignature without keyCertSign, found another")


def _common_name(link: _Link) -> str:
    """Return the common name of a verified leaf. Taking a subject apart takes long: each is taken apart once."""
    name = _common_names.get(link.parts.subject)
    if name is None:
        name = _read_common_name(link)
        _remember(_common_names, link.parts.subject, name)
    return name


def _read_common_name(link: _Link) -> str:
    names = read_subject(link.certificate).get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise link.refuse("common-name", f"expected one common name in the subject, found {len(names)}")
    return names[0].value
