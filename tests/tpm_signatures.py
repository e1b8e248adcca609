# SPDX-License-Identifier: Apache-2.0
"""Signatures of a TPM, verified without it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.formats.tpm.signature import EcdsaSignature, read_signature
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.crypto.keys import HASHES, public_key


def verify_outside(public, digest, signature):
    """Verify TPMT_SIGNATURE over a digest, with a TPMT_PUBLIC, by `cryptography`. Raises InvalidSignature."""
    found = read_signature(Reader(signature))
    key, algorithm = public_key(parse_public_area(public)), HASHES[found.hash]()
    if isinstance(found, EcdsaSignature):
        numbers = int.from_bytes(found.r), int.from_bytes(found.s)
        key.verify(encode_dss_signature(*numbers), digest, ec.ECDSA(Prehashed(algorithm)))
    elif found.scheme is Alg.RSAPSS:
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
        key.verify(found.signature, digest, pss, Prehashed(algorithm))
    else:
        key.verify(found.signature, digest, padding.PKCS1v15(), Prehashed(algorithm))
