# SPDX-License-Identifier: Apache-2.0
"""The twin's certificates have the shapes of the genuine ones, field by field, and a root that nobody mistakes."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import verify_evidence
from strongroom.errors import NotAuthentic
from strongroom.formats.attestation_document import parse_nitrotpm_document
from strongroom.ids import EvidenceBytes, InstanceId, Region
from strongroom.twin.identity import create_identity_signer
from strongroom.twin.pki import LEAF_AFTER, LEAF_BEFORE, NitroPki, create_root

NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
INSTANCE = InstanceId("i-0123456789abcdef0")
MODULE = f"{INSTANCE}-tpm0000000000000000"
LEVELS = ("root", "regional", "zonal", "instance", "leaf")


def signer(pki=None, *, at=NOW, instance=INSTANCE):
    pki = pki or NitroPki(create_root(NOW))
    return pki.signer(f"{instance}-tpm0000000000000000", instance_id=instance, region=Region("us-east-1"), at=at)


def chain(found):
    return [x509.load_der_x509_certificate(der) for der in (*found.cabundle, found.certificate)]


@pytest.fixture(params=["01cfb38322", "02ced51c66", "030a1f233f"])
def genuine(request, genuine_vectors):
    found = next((genuine_vectors / "documents").glob(f"nitrotpm-*{request.param}*.cbor"))
    document = parse_nitrotpm_document(EvidenceBytes(found.read_bytes()))
    return [x509.load_der_x509_certificate(der) for der in (*document.cabundle, document.certificate)]


def shape(certificate):
    """All that does not depend on keys, names and random numbers."""
    return {
        "version": certificate.version,
        "algorithm": certificate.signature_algorithm_oid,
        "curve": certificate.public_key().curve.name,
        "subject": [(name.oid, name._type) for name in certificate.subject],
        "extensions": [(e.oid, e.critical) for e in certificate.extensions],
        "constraints": certificate.extensions.get_extension_for_class(x509.BasicConstraints).value,
        "usage": certificate.extensions.get_extension_for_class(x509.KeyUsage).value,
    }


@pytest.mark.parametrize("level", range(5), ids=LEVELS)
def test_each_certificate_has_the_shape_of_the_genuine_one(genuine, level):
    assert shape(chain(signer())[level]) == shape(genuine[level])


@pytest.mark.parametrize("level", range(1, 5), ids=LEVELS[1:])
def test_the_parts_of_each_subject_but_its_ids_equal_the_genuine_ones(genuine, level):
    ours, theirs = chain(signer())[level].subject, genuine[level].subject
    plain = [[(n.oid, n.value) for n in name if n.oid != NameOID.COMMON_NAME] for name in (ours, theirs)]
    assert plain[0] == plain[1]
    common = [name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for name in (ours, theirs)]
    assert common[0].partition(".")[2] == common[1].partition(".")[2]


@pytest.mark.parametrize("level", range(1, 4), ids=LEVELS[1:4])
def test_lifetimes_are_near_the_genuine_ones(genuine, level):
    ours, theirs = (c[level].not_valid_after_utc - c[level].not_valid_before_utc for c in (chain(signer()), genuine))
    assert abs(ours - theirs) <= timedelta(days=1)


def test_the_leaf_lives_three_hours_and_three_seconds_and_is_numbered_by_its_second():
    leaf = chain(signer())[-1]
    second = NOW.replace(microsecond=0)
    assert leaf.not_valid_before_utc == second - LEAF_BEFORE
    assert leaf.not_valid_after_utc == second + LEAF_AFTER
    assert leaf.serial_number == int(second.timestamp())


def test_the_root_cannot_be_taken_for_amazons():
    root = chain(signer())[0]
    assert "not Amazon" in root.subject.rfc4514_string()


def test_authorities_are_kept_and_leaves_are_not():
    pki = NitroPki(create_root(NOW))
    one, two = signer(pki), signer(pki, at=NOW + timedelta(minutes=1))
    assert one.cabundle == two.cabundle
    assert one.certificate != two.certificate
    assert signer(pki, instance=InstanceId("i-0123456789abcdef1")).cabundle[:3] == one.cabundle[:3]


@pytest.mark.parametrize("age", [timedelta(days=-30), timedelta(days=-1), timedelta(hours=1), timedelta(days=20)])
def test_authorities_are_made_anew_for_a_time_they_do_not_span(age):
    pki = NitroPki(create_root(NOW))
    signer(pki)
    at = NOW - age
    for certificate in chain(signer(pki, at=at))[1:]:
        assert certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


@pytest.mark.attack("K15")
def test_the_documents_of_a_twin_verify_under_its_root_and_no_other(world_of_one):
    twin, instance = world_of_one
    document = instance.attest(nonce=b"n", user_data=b"u", public_key=b"k")
    found = verify_evidence(document, roots=twin.nitro_roots, at=twin.clock.now())
    assert (found.nonce, found.user_data, found.public_key) == (b"n", b"u", b"k")
    assert (found.instance_id, found.region) == (instance.instance_id, twin.region)
    assert found.pcrs == instance.pcrs
    with pytest.raises(NotAuthentic):
        verify_evidence(document, roots=NitroRoots.aws(), at=twin.clock.now())


@pytest.fixture
def world_of_one():
    from tests.twin_world import small_uki

    from strongroom.twin.server import Twin

    with Twin() as twin:
        account = twin.create_account("1" * 12, name="one")
        twin.create_role(account, "app", policies=[])
        yield twin, twin.launch(small_uki(), account=account, role="app")


def test_the_identity_certificate_has_the_shape_of_a_regions(genuine_vectors):
    pem = (genuine_vectors / "iid" / "rsa2048-certs" / "us-east-1.pem").read_bytes()
    theirs = x509.load_pem_x509_certificate(pem)
    ours = create_identity_signer(NOW).certificate
    assert [n.oid for n in ours.subject] == [n.oid for n in theirs.subject]
    assert [(e.oid, e.critical) for e in ours.extensions] == [(e.oid, e.critical) for e in theirs.extensions]
    for key in (ours.public_key(), theirs.public_key()):
        assert isinstance(key, RSAPublicKey)
        assert key.key_size == 2048
    assert ours.signature_algorithm_oid == theirs.signature_algorithm_oid
    lives = [c.not_valid_after_utc - c.not_valid_before_utc for c in (ours, theirs)]
    assert abs(lives[0] - lives[1]) < timedelta(days=10)
    assert "not Amazon" in ours.subject.rfc4514_string()
