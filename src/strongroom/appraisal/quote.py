# SPDX-License-Identifier: Apache-2.0
"""From a quote to authentic PCR values: a TPM's own signature, under a key that an attestation document speaks for.

`verify_quote` takes these steps; the code repeats their numbers:

 1. the key is one that signs nothing but what its TPM made: restricted, fixed, for ECDSA over P-384
 2. the document's user data is the binding of exactly this key
 3. the signature over the quote is the key's
 4. what was signed is a quote that a TPM made, by its magic number and type
 5. the key hangs under the null hierarchy, whose seed a TPM forgets at each reset: the quote is of the present boot
 6. it carries our nonce, and so does the document: an older document of the same boot does not speak for it
 7. the PCR values that came along are those that were signed

What it proves, and what not: AWS signs the document, so the software that had booted then asked for these user data.
That the key is in that machine's TPM is the word of that software: whoever is root there may name any key. So a quote
is worth as much as the boot state in the document, which `appraise` has to accept first. It adds values of another
bank or moment, and that they belong to the same boot.
Sources: TPM 2.0 Library, Part 1, sections 16, 26.5 and 36; ATTACKS A19, A20.
"""

from __future__ import annotations

import hmac
from dataclasses import InitVar, dataclass, replace
from typing import Final

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.crypto.tpm import bank_digest
from strongroom.crypto.tpm_quote import primary_name, quote_key_binding, quote_key_template, verify_tpm_signature
from strongroom.errors import FormatError, NotAuthentic, NotTrusted
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.quote import SignedQuote, expect_nonce_size
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import Attest, Quote, parse_attest, parse_quote
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import EccPoint, PublicArea
from strongroom.ids import Nonce

_VOUCHER: Final = object()
_NO_POINT = EccPoint(b"", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedQuote:
    """PCR values that the key of `evidence` has signed. Only `verify_quote` makes one."""

    evidence: VerifiedEvidence
    bank: Alg
    pcrs: PcrDigests
    voucher: InitVar[object]

    def __post_init__(self, voucher: object) -> None:
        if voucher is not _VOUCHER:
            raise RuntimeError("verified quotes are made by verify_quote only")


def verify_quote(evidence: VerifiedEvidence, quote: SignedQuote, *, nonce: Nonce) -> VerifiedQuote:
    """Return the PCR values of a quote whose key `evidence` speaks for. `nonce` (1 to 64 bytes) is the challenge.

    Raises NotAuthentic, or NotTrusted for a quote that answers another challenge. `appraise` the evidence, too.
    """
    expect_nonce_size(nonce)
    _expect_restricted(quote.key)  # step 1
    _expect_bound(evidence, quote.key)  # step 2
    verify_tpm_signature(quote.signature, quote.attest, key=quote.key)  # step 3
    attest, quoted = _parsed(quote.attest)  # step 4
    _expect_this_boot(attest, quote.key)  # step 5
    _expect_nonce(evidence, attest, nonce)  # step 6
    _expect_signed_values(quoted, quote)  # step 7
    return VerifiedQuote(evidence=evidence, bank=quote.bank, pcrs=quote.pcrs, voucher=_VOUCHER)


def _expect_restricted(key: PublicArea) -> None:
    if replace(key, unique=_NO_POINT) != quote_key_template(_NO_POINT):
        raise NotAuthentic(
            "quote.key",
            "expected a key that signs only what its TPM made (restricted, fixed, ECDSA P-384), found one of another "
            "kind: with such a key anybody can forge a quote",
        )


def _expect_bound(evidence: VerifiedEvidence, key: PublicArea) -> None:
    if not hmac.compare_digest(evidence.user_data or b"", quote_key_binding(key)):
        raise NotAuthentic("quote.unbound", "expected a document that speaks for the key of the quote, found another")


def _parsed(data: bytes) -> tuple[Attest, Quote]:
    try:
        attest = parse_attest(data)
        return attest, parse_quote(attest)
    except FormatError as error:
        raise NotAuthentic("quote.no-quote", f"expected a quote that a TPM made: {error}") from error


def _expect_this_boot(attest: Attest, key: PublicArea) -> None:
    if attest.signer != primary_name(key, Rh.NULL):
        raise NotAuthentic(
            "quote.signer", "expected a key under the null hierarchy, which no reset survives, found another signer"
        )


def _expect_nonce(evidence: VerifiedEvidence, attest: Attest, nonce: Nonce) -> None:
    if not hmac.compare_digest(attest.extra_data, nonce):
        raise NotTrusted(
            "quote.nonce", f"expected the nonce {nonce.hex()} in the quote, found {attest.extra_data.hex() or 'none'}"
        )
    found = evidence.nonce or b""
    if not hmac.compare_digest(found, nonce):
        raise NotTrusted(
            "quote.document-nonce",
            f"expected the nonce {nonce.hex()} in the document, too, found {found.hex() or 'none'}",
        )


def _expect_signed_values(quoted: Quote, quote: SignedQuote) -> None:
    selection = PcrSelection.of(quote.bank, quote.pcrs)
    digest = bank_digest(quote.signature.hash, selection, quote.pcrs)
    if quoted.selections != (selection,) or not hmac.compare_digest(quoted.digest, digest):
        raise NotAuthentic("quote.pcrs", "expected the PCR values that were signed, found others beside the quote")
