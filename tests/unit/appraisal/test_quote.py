# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from tests.damage import with_another_end
from tests.tpm_quotes import CHALLENGE, QUOTED, STRANGER, attest_of, evidence_for, public_of, quote_of, signed

from strongroom.appraisal.quote import VerifiedQuote, verify_quote
from strongroom.crypto.tpm_quote import primary_name, quote_key_binding
from strongroom.errors import NotAuthentic, NotTrusted, UsageError
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.formats.tpm.algorithms import Alg, Curve
from strongroom.formats.tpm.attest import AttestType, Quote
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import EccParameters, EccPoint
from strongroom.formats.tpm.schemes import NO_SCHEME, NO_SYMMETRIC

pytestmark = pytest.mark.attack("A19")


def verified(quote, evidence=None, nonce=CHALLENGE):
    return verify_quote(evidence or evidence_for(quote.key), quote, nonce=nonce)


def refused(quote, evidence=None, kind=NotAuthentic, nonce=CHALLENGE):
    with pytest.raises(kind) as caught:
        verified(quote, evidence, nonce)
    return caught.value.code


def resigned(quote, **changes):
    """Return a quote of which the key signed something else."""
    attest = attest_of(quote.key, **changes)
    return replace(quote, attest=attest, signature=signed(attest))


def test_a_good_quote_gives_the_values_that_were_signed():
    quote = quote_of()
    found = verified(quote)
    assert (found.pcrs, found.bank) == (QUOTED, Alg.SHA384)
    assert found.evidence.user_data == quote_key_binding(quote.key)


def test_only_the_verifier_makes_a_verified_quote():
    with pytest.raises(RuntimeError, match="verify_quote"):
        VerifiedQuote(evidence=evidence_for(None), bank=Alg.SHA384, pcrs=QUOTED, voucher=object())


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": public_of().attributes & ~ObjectAttributes.RESTRICTED},
        {"attributes": public_of().attributes & ~ObjectAttributes.FIXED_TPM},
        {"attributes": public_of().attributes & ~ObjectAttributes.SENSITIVE_DATA_ORIGIN},
        {"attributes": public_of().attributes | ObjectAttributes.DECRYPT},
        {"policy": bytes(48)},
        {"name_alg": Alg.SHA256},
        {"parameters": EccParameters(NO_SYMMETRIC, NO_SCHEME, Curve.NIST_P384, NO_SCHEME)},
    ],
)
def test_a_key_that_signs_what_it_is_given_makes_no_quotes(changes):
    """Whoever may sign anything with a key writes the magic number himself (go-attestation, pull request 112)."""
    key = replace(public_of(), **changes)
    attest = attest_of(key)
    forged = replace(quote_of(), key=key, attest=attest, signature=signed(attest))
    assert refused(forged, evidence_for(key)) == "quote.key"


@pytest.mark.attack("A20")
def test_a_key_that_the_document_does_not_speak_for_is_refused():
    stranger = quote_of(STRANGER)
    assert refused(stranger, evidence_for(public_of())) == "quote.unbound"
    assert refused(stranger, evidence_for(None)) == "quote.unbound"


def test_user_data_of_another_use_speak_for_no_key():
    quote = quote_of()
    digest = quote_key_binding(quote.key)[-48:]
    for user_data in (digest, quote.key.encode(), b"strongroom/other/v1\0" + digest):
        assert refused(quote, evidence_for(None, user_data=user_data)) == "quote.unbound"


def test_a_signature_of_another_key_is_refused_as_the_quotes():
    quote = quote_of()
    forged = replace(quote, signature=signed(quote.attest, STRANGER))
    assert refused(forged) == "signature.invalid"
    assert refused(replace(quote, attest=with_another_end(quote.attest))) == "signature.invalid"


def test_another_algorithm_is_refused():
    quote = quote_of()
    assert refused(replace(quote, signature=replace(quote.signature, hash=Alg.SHA256))) == "quote.algorithm"


def test_a_key_off_the_curve_is_refused():
    key = replace(public_of(), unique=EccPoint(b"\1" * 48, b"\2" * 48))
    attest = attest_of(key)
    assert refused(replace(quote_of(), key=key, attest=attest, signature=signed(attest))) == "quote.point"


def test_numbers_out_of_range_are_refused_in_quotes_too():
    quote = quote_of()
    assert refused(replace(quote, signature=replace(quote.signature, r=b""))) == "signature.out-of-range"


def test_numbers_without_their_leading_zeros_are_the_same_numbers():
    quote = next(q for q in (quote_of(firmware_version=n) for n in range(4096)) if q.signature.r[0] == 0)
    assert verified(quote)
    assert verified(replace(quote, signature=replace(quote.signature, r=quote.signature.r.lstrip(b"\0"))))


@pytest.mark.parametrize("magic", [b"\0\0\0\0", b"\xff\x54\x43\x48"])
def test_what_has_no_magic_number_was_not_made_by_a_tpm(magic):
    quote = quote_of()
    attest = magic + quote.attest[4:]
    assert refused(replace(quote, attest=attest, signature=signed(attest))) == "quote.no-quote"


def test_another_statement_of_the_tpm_is_no_quote():
    assert refused(resigned(quote_of(), type=AttestType.CERTIFY)) == "quote.no-quote"
    assert refused(resigned(quote_of(), attested=b"")) == "quote.no-quote"


@pytest.mark.attack("A20")
@pytest.mark.parametrize("hierarchy", [Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM])
def test_a_key_that_survives_a_reset_is_refused(hierarchy):
    quote = quote_of()
    assert refused(resigned(quote, signer=primary_name(quote.key, hierarchy))) == "quote.signer"
    assert refused(resigned(quote, signer=primary_name(public_of(STRANGER), Rh.NULL))) == "quote.signer"


@pytest.mark.attack("A20")
@pytest.mark.parametrize("extra", [b"", CHALLENGE[:-1], CHALLENGE + b"\0", b"another challenge".ljust(32)])
def test_a_quote_that_answers_another_challenge_is_not_trusted(extra):
    assert refused(resigned(quote_of(), extra_data=extra), kind=NotTrusted) == "quote.nonce"


@pytest.mark.parametrize("size", [0, 65])
def test_a_challenge_that_no_quote_can_carry_is_the_callers_fault(size):
    assert refused(quote_of(), kind=UsageError, nonce=bytes(size)) == "quote.nonce-size"


@pytest.mark.attack("A20")
@pytest.mark.parametrize("older", [None, b"another challenge", CHALLENGE + b"x"])
def test_a_document_that_answers_another_challenge_speaks_for_no_quote(older):
    """Whoever kept the key may have it sign today, and bring the document of a time before he broke in."""
    quote = quote_of()
    evidence = evidence_for(quote.key, nonce=older)
    assert refused(quote, evidence, kind=NotTrusted) == "quote.document-nonce"


@pytest.mark.parametrize(
    "pcrs",
    [
        PcrDigests.of({**dict(QUOTED), PcrIndex(4): bytes(48)}),
        PcrDigests.of({index: value for index, value in QUOTED.items() if index != 13}),
        PcrDigests.of({**dict(QUOTED), PcrIndex(14): bytes(48)}),
    ],
)
def test_values_that_were_not_signed_are_refused(pcrs):
    assert refused(replace(quote_of(), pcrs=pcrs)) == "quote.pcrs"


def test_values_of_another_selection_with_the_same_digest_are_refused():
    quote = quote_of()
    selection = PcrSelection.of(Alg.SHA384, (2, 4, 7, 12, 14))
    digest = quote.attest[-48:]
    assert refused(resigned(quote, attested=Quote((selection,), digest).encode())) == "quote.pcrs"
