# SPDX-License-Identifier: Apache-2.0
"""A document that is authentic and about another instance is no proof of this one."""

from dataclasses import replace

import pytest
from tests import nitro_pki
from tests.identity_signer import REGION, certificate, document, dsa_certificate, sign, sign_dsa

from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, verify_evidence
from strongroom.appraisal.identity import verify_identity_document, verify_unsafe_legacy_pkcs7
from strongroom.appraisal.identity_comparison import (
    compare_with_ec2,
    expect_ec2_agrees,
    expect_region,
    expect_same_instance,
)
from strongroom.errors import NotTrusted
from strongroom.ports import Ec2Instance, IdentityDocumentBytes

AGREES = Ec2Instance(
    account_id="111122223333",
    instance_id="i-0123456789abcdef0",
    image_id="ami-0123456789abcdef0",
    instance_type="m7i.large",
    availability_zone="eu-west-1a",
    architecture="x86_64",
    state="running",
)


def identity(**changes):
    content = document(**changes)
    pinned = dict.fromkeys((REGION, "eu-west-2"), certificate())
    return verify_identity_document(IdentityDocumentBytes(content, sign(content)), certificates=pinned)


def weak_identity(**changes):
    content = document(**changes)
    return verify_unsafe_legacy_pkcs7(content, sign_dsa(content), certificates={REGION: dsa_certificate()})


@pytest.fixture(scope="module")
def evidence():
    pki = nitro_pki.good_pki()
    return verify_evidence(nitro_pki.document(pki), roots=pki.roots, at=AT_DOCUMENT_TIME)


def refused(code, call, *arguments):
    with pytest.raises(NotTrusted) as caught:
        call(*arguments)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("make", [identity, weak_identity])
def test_two_documents_of_one_instance_are_that(make, evidence):
    expect_same_instance(make(instanceId=evidence.instance_id, region=evidence.region), evidence)


@pytest.mark.attack("A14")
@pytest.mark.parametrize("make", [identity, weak_identity])
def test_the_identity_document_of_another_instance_is_refused(make, evidence):
    other = make(instanceId="i-0fedcba9876543210", region=evidence.region)
    said = refused("identity.other-instance", expect_same_instance, other, evidence)
    assert evidence.instance_id in said.message
    assert "i-0fedcba9876543210" in said.message


@pytest.mark.attack("A14")
def test_the_same_instance_id_in_another_region_is_another_instance(evidence):
    other = identity(instanceId=evidence.instance_id, region="eu-west-2")
    refused("identity.other-region", expect_same_instance, other, evidence)


@pytest.mark.attack("A14")
def test_a_region_that_was_named_is_compared():
    expect_region(identity(), REGION)
    said = refused("identity.other-region", expect_region, identity(), "eu-west-2")
    assert "expected an identity document from eu-west-2, found one from eu-west-1" in said.message


@pytest.mark.parametrize("make", [identity, weak_identity])
def test_ec2_may_agree(make):
    assert compare_with_ec2(make(), AGREES) == ()
    expect_ec2_agrees(make(), AGREES)


@pytest.mark.attack("A14")
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("account_id", "999999999999", "ec2.other-account"),
        ("instance_id", "i-0fedcba9876543210", "ec2.other-instance"),
        ("image_id", "ami-0fedcba9876543210", "ec2.other-image"),
        ("instance_type", "m7i.xlarge", "ec2.other-type"),
        ("availability_zone", "eu-west-1b", "ec2.other-zone"),
        ("architecture", "arm64", "ec2.other-architecture"),
        ("state", "stopped", "ec2.not-running"),
        ("state", "", "ec2.not-running"),
    ],
)
def test_each_difference_from_what_ec2_says_is_a_finding(field, value, code):
    found = replace(AGREES, **{field: value})
    (finding,) = compare_with_ec2(identity(), found)
    assert finding.code == code
    assert finding.message.endswith(f"found {value or 'nothing'}")
    assert refused(code, expect_ec2_agrees, identity(), found).findings == (finding,)


@pytest.mark.attack("A14")
def test_an_instance_that_ec2_does_not_know_is_a_finding():
    said = refused("ec2.no-such-instance", expect_ec2_agrees, identity(), None)
    assert "111122223333" in said.remedy


def test_all_differences_are_told_at_once():
    found = replace(AGREES, image_id="ami-0fedcba9876543210", state="terminated")
    said = refused("ec2.other-image", expect_ec2_agrees, identity(), found)
    assert [finding.code for finding in said.findings] == ["ec2.other-image", "ec2.not-running"]
    assert "2 differences" in said.message
