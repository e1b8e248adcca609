# SPDX-License-Identifier: Apache-2.0
"""A private key and its certificate in one PEM file of mode 0600, made where there is none.

What is there is never made anew over: documents of a new root are not those of the old one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from strongroom.errors import FormatError
from strongroom.flows.files import PRIVATE_MODE, PUBLIC_MODE, read_file, write_file

_MAX_BYTES = 16 * 1024
_Key: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey


class Pair(Protocol):
    """A key and its certificate."""

    @property
    def key(self) -> _Key:
        """The private key."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of its public half."""


def kept_on_curve(
    path: Path, make: Callable[[], Pair], curve: type[EllipticCurve], *, damaged: FormatError
) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    """Return the pair in a file, whose key has to be on this curve. Raises `damaged`, LocalFault."""
    key, certificate = _kept(path, make, damaged=damaged)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, curve):
        raise damaged
    return key, certificate


def kept_rsa(path: Path, make: Callable[[], Pair], *, damaged: FormatError) -> tuple[RSAPrivateKey, x509.Certificate]:
    """Return the pair in a file, whose key has to be an RSA key. Raises `damaged`, LocalFault."""
    key, certificate = _kept(path, make, damaged=damaged)
    if not isinstance(key, RSAPrivateKey):
        raise damaged
    return key, certificate


def publish_certificate(path: Path, certificate: x509.Certificate) -> None:
    """Write the certificate alone, for everybody to read. Raises LocalFault."""
    write_file(path, certificate.public_bytes(Encoding.PEM), mode=PUBLIC_MODE)


def _kept(path: Path, make: Callable[[], Pair], *, damaged: FormatError) -> tuple[_Key, x509.Certificate]:
    if not os.path.lexists(path):
        made = make()
        key_pem = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_file(path, key_pem + made.certificate.public_bytes(Encoding.PEM), mode=PRIVATE_MODE)
    pem = read_file(path, maximum_bytes=_MAX_BYTES)
    try:
        key, certificate = load_pem_private_key(pem, password=None), x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as error:
        raise damaged from error
    if not isinstance(key, (EllipticCurvePrivateKey, RSAPrivateKey)) or key.public_key() != certificate.public_key():
        raise damaged
    return key, certificate
