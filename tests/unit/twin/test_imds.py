# SPDX-License-Identifier: Apache-2.0
"""The metadata service: version 2 only, and read by the agent's own client."""

import json
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from tests.twin_world import CUSTOMER, client, small_uki

from strongroom.appraisal.identity import verify_identity_document
from strongroom.aws.lean.https import MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.errors import FormatError, ServiceFault
from strongroom.ids import Region
from strongroom.twin.clock import OffsetClock
from strongroom.twin.server import Twin

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
DOCUMENT = "/latest/dynamic/instance-identity/document"


def ask(instance, path, *, method="GET", headers=None):
    request = urllib.request.Request(instance.imds_endpoint + path, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def token(instance, seconds="60", **headers):
    return ask(instance, "/latest/api/token", method="PUT", headers={TTL: seconds} | headers)


def get(instance, path):
    return ask(instance, path, headers={"X-aws-ec2-metadata-token": token(instance)[1].decode()})


def test_nothing_is_said_without_a_token(world):
    assert ask(world.instance, DOCUMENT)[0] == 401
    assert ask(world.instance, DOCUMENT, headers={"X-aws-ec2-metadata-token": "guess"})[0] == 401


@pytest.mark.parametrize(
    "seconds", ["0", "21601", "x", "-1", "9" * 30, "²", "0" * 8 + "19999", "0" * 8 + "1" + "9" * 30]
)
def test_a_token_has_a_time_to_live_within_limits(world, seconds):
    assert token(world.instance, seconds.encode().decode("latin-1"))[0] == 400


def test_a_token_needs_a_put_a_time_and_no_proxy(world):
    assert ask(world.instance, "/latest/api/token", method="PUT")[0] == 400
    assert ask(world.instance, "/latest/api/token")[0] == 405
    assert token(world.instance, **{"X-Forwarded-For": "10.0.0.1"})[0] == 403


def test_a_token_is_of_one_instance(world):
    other = world.launch()
    headers = {"X-aws-ec2-metadata-token": token(other)[1].decode()}
    assert ask(other, DOCUMENT, headers=headers)[0] == 200
    assert ask(world.instance, DOCUMENT, headers=headers)[0] == 401


def test_a_token_ends():
    clock = OffsetClock()
    with Twin(clock=clock) as twin:
        account = twin.create_account("1" * 12, name="one")
        twin.create_role(account, "app", policies=[])
        instance = twin.launch(small_uki(), account=account, role="app")
        headers = {"X-aws-ec2-metadata-token": token(instance)[1].decode()}
        assert ask(instance, DOCUMENT, headers=headers)[0] == 200
        clock.offset = timedelta(seconds=61)
        assert ask(instance, DOCUMENT, headers=headers)[0] == 401


def test_what_an_agent_reads_is_served(world):
    instance = world.launch(user_data=b"where=here")
    assert get(instance, "/latest/meta-data/instance-id") == (200, instance.instance_id.encode())
    assert get(instance, "/latest/meta-data/ami-id") == (200, instance.image_id.encode())
    assert get(instance, "/latest/meta-data/placement/region") == (200, b"eu-central-1")
    assert get(instance, "/latest/meta-data/placement/availability-zone") == (200, b"eu-central-1a")
    assert get(instance, "/latest/user-data") == (200, b"where=here")
    assert get(world.instance, "/latest/user-data")[0] == 404


@pytest.mark.parametrize("path", ["/", "/latest/dynamic/instance-identity/pkcs7", "/latest/meta-data/nothing"])
def test_what_is_not_emulated_is_not_found(world, path):
    assert get(world.instance, path)[0] == 404


def test_reading_takes_a_get(world):
    headers = {"X-aws-ec2-metadata-token": token(world.instance)[1].decode()}
    assert ask(world.instance, DOCUMENT, method="POST", headers=headers)[0] == 405


def test_the_identity_document_has_the_keys_of_a_genuine_one(world, genuine_vectors):
    text = (genuine_vectors / "iid" / "fullsailor-ec2-document.json").read_text()
    genuine = json.loads(text[text.index("{") :])
    ours = json.loads(get(world.instance, DOCUMENT)[1])
    assert set(genuine) <= set(ours)
    assert set(ours) - set(genuine) == {"marketplaceProductCodes"}
    assert {name for name, value in genuine.items() if value is None} <= {n for n, v in ours.items() if v is None}


def test_the_lean_client_reads_an_identity_that_verifies(world):
    identity = LeanImds(MetadataEndpoint(world.instance.imds_endpoint)).identity_document()
    certificates = {world.twin.region: world.twin.identity_certificate()}
    found = verify_identity_document(identity, certificates=certificates)
    assert (found.instance_id, found.account_id) == (world.instance.instance_id, CUSTOMER)
    assert found.image_id == world.instance.image_id


def test_each_region_signs_with_its_own_certificate(world):
    other = world.launch(region=Region("us-west-2"))
    assert json.loads(get(other, DOCUMENT)[1])["region"] == "us-west-2"
    assert world.twin.identity_certificate(Region("us-west-2")) != world.twin.identity_certificate()


def test_the_roles_credentials_work_and_name_the_instance(world):
    credentials = LeanImds(MetadataEndpoint(world.instance.imds_endpoint)).role_credentials()
    assert credentials.expires is not None
    who = client(world.twin, "sts", credentials).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/app/{world.instance.instance_id}"
    assert who["UserId"].endswith(f":{world.instance.instance_id}")
    again = LeanImds(MetadataEndpoint(world.instance.imds_endpoint)).role_credentials()
    assert again == credentials


def test_credentials_are_renewed_in_their_last_hour():
    clock = OffsetClock()
    with Twin(clock=clock) as twin:
        account = twin.create_account("1" * 12, name="one")
        twin.create_role(account, "app", policies=[])
        imds = LeanImds(MetadataEndpoint(twin.launch(small_uki(), account=account, role="app").imds_endpoint))
        first = imds.role_credentials()
        clock.offset = timedelta(hours=5, minutes=1)
        assert imds.role_credentials() != first


def test_the_lean_client_says_what_is_missing(world, monkeypatch):
    imds = LeanImds(MetadataEndpoint(world.instance.imds_endpoint))
    monkeypatch.setattr("strongroom.aws.lean.imds._CREDENTIALS", "/nowhere")
    with pytest.raises(ServiceFault) as caught:
        imds.role_credentials()
    assert caught.value.code == "imds.refused"
    assert "404" in caught.value.message
    monkeypatch.setattr("strongroom.aws.lean.imds._CREDENTIALS", DOCUMENT)
    with pytest.raises(FormatError):
        imds.role_credentials()


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:80", "127.0.0.1.attacker.example", ""])
def test_a_page_that_found_the_port_under_a_foreign_name_gets_no_token(world, host):
    """DNS rebinding: a browser sends the name that it was told, whatever address the name has by then."""
    assert token(world.instance, Host=host)[0] == 403
    assert ask(world.instance, DOCUMENT, headers={"Host": host})[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "169.254.169.254", "10.0.2.2:80", "[fd00:ec2::254]"])
def test_addresses_are_no_foreign_names(world, host):
    assert token(world.instance, Host=host)[0] == 200
