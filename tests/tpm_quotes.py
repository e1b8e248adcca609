# SPDX-License-Identifier: Apache-2.0
"""Quotes made without a TPM, by a key in memory: good ones, and whatever else a forger may make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from tests.nitro_pki import NOW, PCRS, document, good_pki

from strongroom.appraisal.evidence import VerifiedEvidence, verify_evidence
from strongroom.crypto.tpm import pcr_digest
from strongroom.crypto.tpm_quote import primary_name, quote_key_binding, quote_key_template
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.quote import QuoteFile, SignedQuote
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import Attest, AttestType, ClockInfo, Quote
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import EccPoint, PublicArea
from strongroom.formats.tpm.signature import EcdsaSignature

CHALLENGE = b"thirty-two bytes of a challenge!"
QUOTED = PcrDigests.of({index: PCRS[index] for index in (2, 4, 7, 12, 13)})
SECRET = ec.derive_private_key(0x5EC2E7, ec.SECP384R1())
STRANGER = ec.derive_private_key(0x57A6E2, ec.SECP384R1())


def public_of(secret: Any = SECRET) -> PublicArea:
    numbers = secret.public_key().public_numbers()
    return quote_key_template(EccPoint(numbers.x.to_bytes(48, "big"), numbers.y.to_bytes(48, "big")))


def signed(attest: bytes, secret: Any = SECRET) -> EcdsaSignature:
    r, s = decode_dss_signature(secret.sign(attest, ec.ECDSA(SHA384())))
    return EcdsaSignature(Alg.SHA384, r.to_bytes(48, "big"), s.to_bytes(48, "big"))


def attest_of(key: PublicArea, **changes: Any) -> bytes:
    """Return what a TPM signs, with any of it changed."""
    selection = PcrSelection.of(Alg.SHA384, QUOTED)
    values = {(Alg.SHA384, int(index)): value for index, value in QUOTED.items()}
    quote = Quote((selection,), pcr_digest(Alg.SHA384, (selection,), values))
    made = Attest(
        type=AttestType.QUOTE,
        signer=primary_name(key, Rh.NULL),
        extra_data=CHALLENGE,
        clock_info=ClockInfo(1_000, 1, 0, safe=True),
        firmware_version=1,
        attested=quote.encode(),
    )
    return replace(made, **changes).encode()


def quote_of(secret: Any = SECRET, **changes: Any) -> SignedQuote:
    key = public_of(secret)
    attest = attest_of(key, **changes)
    return SignedQuote(key, attest, signed(attest, secret), Alg.SHA384, QUOTED)


def quote_file() -> QuoteFile:
    """Return a file with a quote and a document as NitroTPM makes it."""
    quote = quote_of()
    return QuoteFile(document(good_pki(), user_data=quote_key_binding(quote.key), nonce=CHALLENGE), quote)


def evidence_for(key: PublicArea | None, **fields: Any) -> VerifiedEvidence:
    """Return the evidence of a document that speaks for a key."""
    user_data = None if key is None else quote_key_binding(key)
    pki = good_pki()
    made = document(pki, **({"user_data": user_data, "nonce": CHALLENGE} | fields))
    return verify_evidence(made, roots=pki.roots, at=NOW)
