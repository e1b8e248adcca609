# SPDX-License-Identifier: Apache-2.0
"""An Ed25519 signing key in a file: PEM, PKCS #8 (RFC 5958, RFC 8410). Files are read and written by flows and cli."""

from __future__ import annotations

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from strongroom.crypto.public_keys import key_id_of
from strongroom.errors import FormatError
from strongroom.ids import KeyId, SpkiDer

MAX_PEM_BYTES = 4096

_SPEC = "RFC 8410"


class Ed25519Signer:
    """Signs with a private key in memory (implements `ports.HeaderSigner`). Printing it shows no key."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self._public_key = SpkiDer(
            private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )

    @classmethod
    def generate(cls) -> Ed25519Signer:
        """Make a new signing key."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def public_key(self) -> SpkiDer:
        """The public half."""
        return self._public_key

    @property
    def key_id(self) -> KeyId:
        """SHA-256 of `public_key`."""
        return key_id_of(self._public_key)

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature over `message`, 64 bytes (RFC 8032)."""
        return self._private_key.sign(message)

    def private_pem(self) -> bytes:
        """Return the private key as unencrypted PEM. Write it with `flows.files.write_file`, mode 0600."""
        return self._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_ed25519_signer(pem: bytes) -> Ed25519Signer:
    """Parse the contents of a signer file. Raises FormatError for anything but one unencrypted Ed25519 key."""
    if len(pem) > MAX_PEM_BYTES:
        raise _fail(f"at most {MAX_PEM_BYTES} bytes", f"{len(pem)}")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:  # InternalError: X448 cut short
        raise _fail("an unencrypted private key in PEM (PKCS #8)", "something else") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _fail("an Ed25519 key", "a key of another kind")
    return Ed25519Signer(key)


def _fail(expected: str, found: str) -> FormatError:
    return FormatError(
        "signer.file",
        f"expected {expected} in the signer file, found {found}",
        spec=_SPEC,
        remedy="`strongroom signer new` makes one.",
    )
