# SPDX-License-Identifier: Apache-2.0
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.agent.instance import establish_instance
from strongroom.errors import NotAuthentic, NotTrusted
from strongroom.ids import AccountId, Region
from strongroom.twin.identity import create_identity_signer
from strongroom.twin.pki import NitroPki, create_root


def establish(world, **changes):
    chosen = {"evidence_source": world.instance, "identity_source": world.imds} | changes
    return establish_instance(
        chosen["evidence_source"], chosen["identity_source"], trust=world.trust(), clock=world.clock, entropy=os.urandom
    )


def refused(world, **changes) -> str:
    with pytest.raises(NotTrusted) as caught:
        establish(world, **changes)
    return caught.value.code


def test_an_instance_learns_who_and_when_it_is(world):
    instance = establish(world)
    assert (instance.account, instance.region) == ("222222222222", "eu-central-1")
    assert (instance.instance_id, instance.image_id) == ("i-0123456789abcdef0", "ami-0123456789abcdef0")
    assert abs(instance.attested_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(instance.clock_offset) < timedelta(seconds=5)


@pytest.mark.attack("A14")
def test_the_identity_document_of_another_instance_is_refused(world):
    world.imds.instance = world.other_instance(account_id=AccountId("999999999999"))
    assert refused(world) == "identity.other-instance"


@pytest.mark.attack("A14")
def test_an_identity_document_from_another_region_is_refused(world):
    world.imds.instance = replace(world.instance, region=Region("us-east-1"))
    with pytest.raises(NotTrusted) as caught:
        establish_instance(
            world.instance,
            world.imds,
            trust=world.trust(
                identity_certificates={
                    "eu-central-1": world.identity_signer.der,
                    "us-east-1": world.identity_signer.der,
                }
            ),
            clock=world.clock,
            entropy=os.urandom,
        )
    assert caught.value.code == "identity.other-region"


@pytest.mark.attack("A14")
def test_an_identity_document_that_somebody_else_signed_is_refused(world):
    world.imds.signer = create_identity_signer(datetime.now(UTC))
    with pytest.raises(NotAuthentic):
        establish(world)


@pytest.mark.attack("A14")
def test_a_relayed_document_of_another_instance_does_not_carry_our_nonce(world):
    class Recorded:
        def attest(self, **_):
            return world.other_instance().attest(nonce=bytes(32))

    assert refused(world, evidence_source=Recorded()) == "instance.nonce"


def test_a_document_without_a_nonce_is_refused(world):
    class Forgetful:
        def attest(self, **_):
            return world.instance.attest()

    assert refused(world, evidence_source=Forgetful()) == "instance.nonce"


def test_two_requests_carry_different_nonces(world):
    seen = []

    class Watched:
        def attest(self, *, nonce):
            seen.append(nonce)
            return world.instance.attest(nonce=nonce)

    for _ in range(2):
        establish(world, evidence_source=Watched())
    assert len(set(seen)) == 2
    assert {len(nonce) for nonce in seen} == {32}


@pytest.mark.attack("K15")
def test_a_document_under_another_root_is_refused(world):
    foreign = replace(world.instance, pki=NitroPki(create_root(datetime.now(UTC))))
    with pytest.raises(NotAuthentic):
        establish(world, evidence_source=foreign)


@pytest.mark.attack("K13")
@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_its_owner_set_by_ten_years_stops_the_agent(world, years):
    world.clock.offset = timedelta(days=365 * years)
    assert refused(world) == "instance.clock"


@pytest.mark.attack("K13")
@pytest.mark.parametrize("seconds", [-330, 330])
def test_a_clock_more_than_five_minutes_off_stops_the_agent(world, seconds):
    world.clock.offset = timedelta(seconds=seconds)
    assert refused(world) == "instance.clock"


@pytest.mark.parametrize("seconds", [-270, 270])
def test_a_clock_less_than_five_minutes_off_is_taken_and_reported(world, seconds):
    world.clock.offset = timedelta(seconds=seconds)
    instance = establish(world)
    assert abs(instance.clock_offset - timedelta(seconds=seconds)) < timedelta(seconds=10)
    assert abs(instance.attested_at - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.attack("K13")
def test_an_old_document_is_as_good_as_a_wrong_clock(world):
    world.instance.document_age = timedelta(minutes=6)
    assert refused(world) == "instance.clock"
