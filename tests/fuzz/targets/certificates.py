# SPDX-License-Identifier: Apache-2.0
"""Certificates, the path that a document carries, PEM files, and public keys.

Keys are the same in every run, so that an input that was found means the same in the next one.
"""

import base64
import contextlib
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests import identity_signer, nitro_pki
from tests.fuzz.target import Target

from strongroom.crypto.certificates import (
    describe_certificate,
    load_certificate,
    parse_pem_certificates,
    sha256_fingerprint,
    sha256_fingerprints,
)
from strongroom.crypto.chain import verify_chain
from strongroom.crypto.key_transport import load_recipient
from strongroom.crypto.public_keys import key_id_of, load_spki
from strongroom.crypto.signatures import load_p384_key
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.certificate_parts import parse_certificate_parts

PKI = nitro_pki.fixed_pki()
AT = nitro_pki.NOW + timedelta(minutes=1)


def path(data: bytes) -> None:
    """As a leaf, only what was signed passes. As a root it is pinned, and the path below it holds or is refused."""
    leaf, (_, *below_root) = PKI.certificates["leaf"], PKI.cabundle
    if verifies(data, PKI.cabundle):
        assert load_certificate(data).tbs_certificate_bytes == load_certificate(leaf).tbs_certificate_bytes
    root = sha256_fingerprint(data)
    assert verify_chain(leaf, (data, *below_root), root_sha256s={root}, at=AT).root_sha256 == root


def verifies(leaf: bytes, cabundle: Sequence[bytes]) -> bool:
    try:
        verify_chain(leaf, cabundle, root_sha256s=PKI.roots.sha256s, at=AT)
    except (FormatError, NotAuthentic):
        return False
    return True


def one(data: bytes) -> None:
    facts = describe_certificate(data)
    assert facts.sha256 == hashlib.sha256(data).digest()
    assert facts.sha256 in sha256_fingerprints(data)
    assert parse_certificate_parts(data).signed == load_certificate(data).tbs_certificate_bytes


def parts(data: bytes) -> None:
    """Of any bytes, not only of those that somebody has parsed before."""
    found = parse_certificate_parts(data)
    assert all(part in data for part in (found.signed, found.issuer, found.subject))


def pem(data: bytes) -> None:
    assert all(map(describe_certificate, parse_pem_certificates(data)))


def public_key(data: bytes) -> None:
    """For whatever use: a key to verify with, and a recipient to encrypt to."""
    load_spki(data)
    for load in (load_p384_key, load_recipient):
        with contextlib.suppress(FormatError, NotAuthentic):
            load(data)
    assert key_id_of(data) == hashlib.sha256(data).digest()


def certificates() -> list[bytes]:
    return list(PKI.certificates.values())


def roots() -> list[bytes]:
    return [PKI.certificates["root"], PKI.certificates["leaf"], PKI.certificates["regional"]]


def all_kinds() -> list[bytes]:
    return [*certificates(), identity_signer.dsa_certificate(name=identity_signer.FIXED)]


def as_pem(*ders: bytes) -> bytes:
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n" for der in ders
    )


def pem_files() -> list[bytes]:
    return [as_pem(certificates()[0]), as_pem(*certificates()[:2])]


def spkis() -> list[bytes]:
    keys = (nitro_pki.fixed_key("leaf"), identity_signer.dsa_key(name=identity_signer.FIXED))
    return [key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys]


TARGETS = (
    Target("certificates.path", path, roots, refusals=(FormatError, NotAuthentic), max_bytes=1_024),
    Target("certificates.one", one, all_kinds, max_bytes=1_024),
    Target("certificates.parts", parts, all_kinds, max_bytes=1_024),
    Target("certificates.pem", pem, pem_files),
    Target("certificates.public-key", public_key, spkis, max_bytes=1_024),
)
