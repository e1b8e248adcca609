# SPDX-License-Identifier: Apache-2.0
"""Where each fuzz run begins: inputs that we made, good ones and nearly good ones."""

import base64
from datetime import UTC, datetime

FUZZ_TIME = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)


def seeds(parser: str) -> list[bytes]:
    """Return the first inputs for a parser of fuzz_parsers.py."""
    from tests import identity_signer, nitro_pki

    from strongroom.formats import cbor

    enclave = nitro_pki.enclave_document(nitro_pki.enclave_pki())
    values = [{"a": [1, b"x", None]}, [-1, "text", {1: True}], 2**63]
    table: dict[str, list[bytes]] = {
        "cbor-aws": [nitro_pki.payload(), *map(cbor.encode, values)],
        "cbor-deterministic": [*map(cbor.encode, values)],
        "cose": [nitro_pki.document(), enclave],
        "nitrotpm": [nitro_pki.document(), nitro_pki.raw_document(), b"\xd2" + nitro_pki.document(), enclave],
        "enclave": [enclave, nitro_pki.document()],
        "pkcs7": [identity_signer.sign(identity_signer.document()), identity_signer.sign(b"{}")],
        "identity": [identity_signer.document(), b"{}"],
        "identity-signature": [
            base64.encodebytes(identity_signer.sign_plainly(b"{}")),
            b"-----BEGIN PKCS7-----\n" + base64.encodebytes(identity_signer.sign(b"{}")) + b"-----END PKCS7-----\n",
        ],
        "dsa": [identity_signer.sign_dsa(identity_signer.document()), identity_signer.sign(identity_signer.document())],
        "chain": list(nitro_pki.good_pki().certificates.values()),
    }
    return table[parser]
