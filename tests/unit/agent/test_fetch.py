# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.agent.fetch import fetch
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import NotAuthentic, NotTrusted, ServiceFault, UsageError
from strongroom.ids import AccountId, KeyArn

SECRET = b"canary-7f3a9c41d2-the-secret-itself"


def fetched(world, *names):
    return fetch(names or ("db-password",), trust=world.trust(), ports=world.ports())


def refused(world, kind=NotTrusted) -> str:
    with pytest.raises(kind) as caught:
        fetched(world)
    assert world.kms.asked == 0, "nothing is asked of KMS for a bundle that is not for us"
    code: str = caught.value.code
    return code


def test_a_secret_reaches_the_instance_it_is_for(world):
    world.seal()
    assert fetched(world).files() == {"db-password/password": SECRET}


def test_several_secrets_come_all_together(world):
    world.seal()
    world.seal(name="tls", entries={"tls/key.pem": b"key", "tls/cert.pem": b"cert"})
    result = fetched(world, "tls", "db-password")
    assert list(result.bundles) == ["tls", "db-password"]
    assert result.files()["tls/tls/key.pem"] == b"key"


def test_one_missing_secret_means_none(world):
    world.seal()
    with pytest.raises(ServiceFault):
        fetched(world, "db-password", "absent")


@pytest.mark.parametrize("names", [(), ("db-password", "db-password")])
def test_no_name_or_one_name_twice_is_refused(world, names):
    with pytest.raises(UsageError) as caught:
        fetch(names, trust=world.trust(), ports=world.ports())
    assert caught.value.code == "fetch.names"


@pytest.mark.attack("B15")
def test_a_bundle_that_another_signer_made_is_refused(world):
    world.seal(signer=Ed25519Signer.generate())
    refused(world, NotAuthentic)


@pytest.mark.attack("B15")
def test_a_bundle_under_a_key_of_another_account_is_refused(world):
    world.seal(key_arn=KeyArn("arn:aws:kms:eu-central-1:666666666666:key/0000-1111"))
    assert refused(world) == "bundle.key-owner"


@pytest.mark.attack("B14")
def test_a_bundle_of_another_name_served_in_its_place_is_refused(world):
    world.seal(name="feature-flags", stored_as="db-password")
    assert refused(world) == "bundle.name"


@pytest.mark.attack("K16")
def test_a_bundle_below_the_measured_floor_is_refused(world):
    world.seal(version=1)
    assert refused(world) == "bundle.floor"


@pytest.mark.attack("K13")
def test_expiry_is_measured_with_attested_time_whatever_the_clock_says(world):
    world.seal(not_after=datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30))
    world.clock.offset = timedelta(minutes=-4)
    assert refused(world) == "bundle.expired"


@pytest.mark.attack("A14")
def test_the_tenant_is_the_account_that_aws_vouches_for(world):
    world.seal(accounts=(AccountId("333333333333"),))
    assert refused(world) == "bundle.account"


@pytest.mark.attack("A14")
def test_claiming_the_account_of_another_tenant_stops_before_any_bundle(world):
    world.seal(accounts=(AccountId("333333333333"),))
    world.imds.instance = world.other_instance(account_id=AccountId("333333333333"))
    assert refused(world) == "identity.other-instance"


@pytest.mark.attack("K12")
def test_environment_variables_change_nothing(world, monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "HTTPS_PROXY", "SSL_CERT_FILE", "AWS_REGION", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/hostile")
    world.seal()
    assert fetched(world).files() == {"db-password/password": SECRET}


@pytest.mark.attack("K17")
def test_printing_what_was_fetched_shows_no_secret(world):
    world.seal()
    result = fetched(world)
    assert b"canary".decode() not in repr(result)
    assert b"canary".decode() not in repr(replace(result))
