# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses
import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from tests.nitro_pki import (
    INSTANCE,
    MODULE,
    NONCE,
    NOW,
    PCRS,
    REGION,
    SHAPES,
    Pki,
    certificate,
    document,
    enclave_document,
    enclave_pki,
    good_pki,
    key,
    payload,
    sign,
)

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import (
    AT_DOCUMENT_TIME,
    VerifiedEnclaveEvidence,
    VerifiedEvidence,
    verify_enclave_evidence,
    verify_evidence,
)
from strongroom.errors import FormatError, NotAuthentic, StrongroomError
from strongroom.formats import cbor, cose
from strongroom.formats.cbor import Profile
from strongroom.formats.pcrs import PcrDigests

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


def verify(data=None, *, pki=None, at=NOW):
    return verify_evidence(document() if data is None else data, roots=(pki or good_pki()).roots, at=at)


def refused(code, data=None, **context):
    with pytest.raises(NotAuthentic) as caught:
        verify(data, **context)
    assert caught.value.code == code, caught.value


def test_a_good_document_becomes_verified_evidence():
    evidence = verify()
    assert type(evidence) is VerifiedEvidence
    assert (evidence.module_id, evidence.instance_id, evidence.region) == (MODULE, INSTANCE, REGION)
    assert (evidence.timestamp, evidence.nonce, evidence.public_key) == (NOW, NONCE, b"public key")
    assert evidence.user_data is None
    assert evidence.pcrs == PcrDigests.of(PCRS)
    assert evidence.certificate_expires == NOW + timedelta(hours=3)
    assert evidence.digest == hashlib.sha256(payload()).digest()
    assert evidence.root_sha256 == hashlib.sha256(good_pki().certificates["root"]).digest()


def test_an_enclave_document_becomes_evidence_of_another_type():
    pki = enclave_pki()
    evidence = verify_enclave_evidence(enclave_document(pki), roots=pki.roots, at=NOW)
    assert type(evidence) is VerifiedEnclaveEvidence
    assert not isinstance(evidence, VerifiedEvidence)
    assert evidence.instance_id == INSTANCE


@pytest.mark.attack("A11")
def test_a_genuinely_signed_document_of_the_other_kind_is_refused():
    pki = enclave_pki()
    with pytest.raises(FormatError):
        verify_evidence(enclave_document(pki), roots=pki.roots, at=NOW)
    with pytest.raises(FormatError):
        verify_enclave_evidence(document(), roots=good_pki().roots, at=NOW)


@pytest.mark.attack("A1")
def test_a_signature_of_another_key_is_refused():
    stranger = Pki(keys={"leaf": key("stranger")})
    data = cbor.encode(
        [
            cose.parse_cose_sign1(document(), Profile.AWS).protected,
            {},
            payload(),
            cose.parse_cose_sign1(sign(payload(), stranger), Profile.AWS).signature,
        ]
    )
    refused("signature.invalid", data)


@pytest.mark.attack("A1")
@pytest.mark.slow
def test_no_flipped_byte_of_a_document_is_accepted():
    good = document()
    roots = good_pki().roots
    verify_evidence(good, roots=roots, at=NOW)
    for index in range(len(good)):
        flipped = good[:index] + bytes([good[index] ^ 0x01]) + good[index + 1 :]
        with pytest.raises((FormatError, NotAuthentic)):
            verify_evidence(flipped, roots=roots, at=NOW)
        with pytest.raises((FormatError, NotAuthentic)):
            verify_evidence(good[:index], roots=roots, at=NOW)


@pytest.mark.attack("A5")
def test_a_document_of_another_root_is_refused():
    lookalike = Pki(keys={"root": key("another root")})
    refused("chain.unknown-root", document(lookalike))


def shaped(bundle):
    """A document, signed as it should be, around another certificate bundle."""
    return sign(payload(cabundle=bundle))


@pytest.mark.attack("A5")
def test_a_bundle_in_any_other_order_is_refused():
    bundle = good_pki().cabundle
    verify(shaped(bundle))
    for order in itertools.permutations(bundle):
        if order != bundle:
            with pytest.raises(NotAuthentic):
                verify(shaped(order))


@pytest.mark.attack("A5")
@pytest.mark.parametrize("position", range(4))
def test_a_bundle_with_a_certificate_twice_is_refused(position):
    bundle = list(good_pki().cabundle)
    refused("chain.repetition", shaped([*bundle[:position], bundle[position], *bundle[position:]]))
    refused("chain.repetition", shaped([*bundle, bundle[position]]))


@pytest.mark.attack("A5")
def test_a_bundle_that_goes_round_in_a_circle_is_refused():
    """Regional certifies zonal and zonal certifies regional: every signature holds, for ever."""
    wide = {"path_length": 9}
    pki = Pki(regional=wide, zonal=wide)
    back = certificate(key("regional"), key("zonal"), SHAPES["zonal"]["name"], SHAPES["regional"] | wide)
    root, regional, zonal, instance = pki.cabundle
    verify_evidence(shaped(pki.cabundle), roots=pki.roots, at=NOW)
    for bundle in ((root, regional, zonal, back, zonal, instance), (root, regional, zonal, back, instance)):
        with pytest.raises(NotAuthentic) as caught:
            verify_evidence(shaped(bundle), roots=pki.roots, at=NOW)
        assert caught.value.code == "chain.repetition"


@pytest.mark.attack("K15")
def test_a_document_of_a_test_root_is_refused_with_awss_roots():
    with pytest.raises(NotAuthentic) as caught:
        verify_evidence(document(), roots=NitroRoots.aws(), at=NOW)
    assert caught.value.code == "chain.unknown-root"


@pytest.mark.attack("A14")
@pytest.mark.parametrize(
    "name",
    [
        f"i-0000000000000000f-tpm0000000000000000.{REGION}.aws",
        f"{MODULE}.{REGION}.aws.example",
        f"x{MODULE}.{REGION}.aws",
        f"{MODULE}.aws",
        f"{MODULE}.nowhere.aws",
        MODULE,
        f"{INSTANCE}.{REGION}.aws",
    ],
)
def test_a_leaf_for_another_module_is_refused(name):
    pki = Pki(leaf={"name": name})
    refused("evidence.wrong-leaf", document(pki), pki=pki)


@pytest.mark.parametrize("region", ["us-gov-west-1", "eusc-de-east-1", "ap-southeast-12", "cn-northwest-1"])
def test_every_kind_of_region_is_read(region):
    pki = Pki(leaf={"name": f"{MODULE}.{region}.aws"})
    assert verify(document(pki), pki=pki).region == region


@pytest.mark.attack("A4")
def test_the_time_of_certificates_is_now_or_the_documents_own_and_the_caller_says_which():
    later = NOW + timedelta(hours=4)
    refused("chain.expired", at=later)
    assert verify(at=AT_DOCUMENT_TIME).timestamp == NOW
    refused("chain.not-yet-valid", document(timestamp=NOW - timedelta(hours=1)), at=AT_DOCUMENT_TIME)
    refused("chain.expired", document(timestamp=later), at=AT_DOCUMENT_TIME)


@pytest.mark.attack("A8")
def test_the_second_form_of_a_signature_is_the_same_document():
    parsed = cose.parse_cose_sign1(document(), Profile.AWS)
    s = int.from_bytes(parsed.signature[48:])
    second = parsed.signature[:48] + (N - s).to_bytes(48)
    data = cose.encode_cose_sign1(parsed.protected, parsed.payload, second)
    assert data != document()
    assert verify(data).digest == verify(b"\xd2" + data).digest == verify().digest


def test_verified_evidence_is_made_by_the_verifier_only():
    good = verify()
    fields = {f.name: getattr(good, f.name) for f in dataclasses.fields(good)}
    for kind in (VerifiedEvidence, VerifiedEnclaveEvidence):
        with pytest.raises(TypeError):
            kind(**fields)
        with pytest.raises(RuntimeError):
            kind(**fields, voucher=object())
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(good, nonce=b"mine")
    with pytest.raises(RuntimeError):
        dataclasses.replace(good, nonce=b"mine", voucher=None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        good.nonce = b"mine"
    assert copy.copy(good) == good


@pytest.mark.attack("A11")
def test_genuine_documents_are_authentic_at_their_time_and_expired_today(genuine_vectors):
    files = sorted((genuine_vectors / "documents").glob("*.cbor"))
    genuine = [file for file in files if "-BAD" not in file.name]
    assert len(genuine) == 13
    now = datetime.now(UTC)
    for file in genuine:
        tpm = file.name.startswith("nitrotpm")
        ours, other = (verify_evidence, verify_enclave_evidence)[:: 1 if tpm else -1]
        evidence = ours(file.read_bytes(), roots=NitroRoots.aws(), at=AT_DOCUMENT_TIME)
        assert evidence.module_id.startswith(evidence.instance_id)
        with pytest.raises(NotAuthentic) as caught:
            ours(file.read_bytes(), roots=NitroRoots.aws(), at=now)
        assert caught.value.code == "chain.expired"
        with pytest.raises(FormatError) as malformed:
            other(file.read_bytes(), roots=NitroRoots.aws(), at=AT_DOCUMENT_TIME)
        assert malformed.value.code == "document.wrong-kind"


def test_broken_documents_from_the_field_are_refused_for_what_is_wrong(genuine_vectors):
    expected = {
        "e388022c": "cbor.wrong-type",  # null where the unprotected header belongs
        "5f42eb91": "signature.invalid",
        "d8032479": "chain.unknown-root",
    }
    for digest, code in expected.items():
        (file,) = (genuine_vectors / "documents").glob(f"*{digest}-BAD.cbor")
        with pytest.raises(StrongroomError) as caught:
            verify_enclave_evidence(file.read_bytes(), roots=NitroRoots.aws(), at=AT_DOCUMENT_TIME)
        assert caught.value.code == code
