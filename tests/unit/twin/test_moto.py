# SPDX-License-Identifier: Apache-2.0
"""moto behind the endpoint: everybody in his own account, and bodies as S3's clients send them."""

import io
import socket

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.twin_world import CUSTOMER, VENDOR, client

from strongroom.errors import LocalFault
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.server import Twin


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Nothing in this process, moto included, reaches anything but this machine."""
    real = socket.socket.connect

    def connect(self, address):
        assert self.family == socket.AF_UNIX or address[0] in {"127.0.0.1", "::1"}, address
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="module")
def bucket(world):
    name = "a-bucket"
    location = {"LocationConstraint": world.twin.region}
    client(world.twin, "s3", world.vendor).create_bucket(Bucket=name, CreateBucketConfiguration=location)
    return name


def secure(world, tmp_path, service="s3", **settings):
    """A client of the TLS endpoint, where boto3 sends bodies unsigned and with a trailing checksum."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    root = tmp_path / "root.pem"
    root.write_bytes(x509.load_der_x509_certificate(world.twin.tls_root).public_bytes(Encoding.PEM))
    session = boto3.Session(world.vendor.access_key_id, world.vendor.secret_access_key, region_name=world.twin.region)
    return session.client(service, endpoint_url=world.twin.tls_endpoint, verify=str(root), **settings)


def test_accounts_do_not_see_each_other(world):
    vendor, customer = (client(world.twin, "ec2", who) for who in (world.vendor, world.customer))
    volume = vendor.create_volume(AvailabilityZone=f"{world.twin.region}a", Size=1)["VolumeId"]
    assert [each["VolumeId"] for each in vendor.describe_volumes()["Volumes"]] == [volume]
    assert customer.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize(("who", "account"), [("vendor", VENDOR), ("customer", CUSTOMER)])
def test_what_is_made_belongs_to_the_callers_account(world, who, account):
    ssm = client(world.twin, "ssm", getattr(world, who))
    ssm.put_parameter(Name="place", Value=who, Type="String")
    found = ssm.get_parameter(Name="place")["Parameter"]
    assert found["Value"] == who
    assert found["ARN"] == f"arn:aws:ssm:{world.twin.region}:{account}:parameter/place"


def test_a_bucket_of_another_account_is_shut(world, bucket):
    client(world.twin, "s3", world.vendor).put_object(Bucket=bucket, Key="shut", Body=b"x")
    stranger = client(world.twin, "s3", world.customer)
    for call in (stranger.get_object, stranger.put_object):
        with pytest.raises(ClientError) as caught:
            call(Bucket=bucket, Key="shut")
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_a_header_does_not_choose_the_account(world):
    ec2 = client(world.twin, "ec2", world.customer)
    ec2.meta.events.register("before-send", lambda request, **_: request.headers.update({"x-moto-account-id": VENDOR}))
    group = ec2.create_security_group(GroupName="mine", Description="x")
    assert f":{CUSTOMER}:" in group["SecurityGroupArn"]


def test_the_region_is_that_of_the_signature_whatever_the_client_says_of_itself(world):
    config = Config(user_agent_extra="region/us-west-2")
    session = boto3.Session(world.vendor.access_key_id, world.vendor.secret_access_key, region_name="eu-west-1")
    ec2 = session.client("ec2", endpoint_url=world.twin.endpoint_url, config=config)
    assert {zone["RegionName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]} == {"eu-west-1"}


@pytest.mark.parametrize("key", ["plain", "with space/ü+%20", "a/../b", "latest/meta-data/x", "moto-api/reset"])
def test_objects_come_back_under_their_own_keys(world, bucket, key):
    s3 = client(world.twin, "s3", world.vendor)
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert key in [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_motos_own_interface_is_nobodys(world):
    """Whoever could post to it could empty every account."""
    volume = client(world.twin, "ec2", world.vendor).create_volume(AvailabilityZone="eu-central-1a", Size=1)
    with pytest.raises(ClientError):
        client(world.twin, "s3", world.vendor).put_object(Bucket="moto-api", Key="reset", Body=b"")
    assert client(world.twin, "ec2", world.vendor).describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"]


def test_a_bucket_may_stand_in_the_host_name(world, bucket):
    session = boto3.Session(world.vendor.access_key_id, world.vendor.secret_access_key, region_name=world.twin.region)
    s3 = session.client(
        "s3",
        endpoint_url=world.twin.endpoint_url.replace("127.0.0.1", "localhost"),
        config=Config(s3={"addressing_style": "virtual"}),
    )
    hosts = []
    s3.meta.events.register("before-send", lambda request, **_: hosts.append(request.url))
    with resolving_localhost():
        s3.put_object(Bucket=bucket, Key="virtual", Body=b"hosted")
    assert f"//{bucket}.localhost:" in hosts[0]
    assert client(world.twin, "s3", world.vendor).get_object(Bucket=bucket, Key="virtual")["Body"].read() == b"hosted"


def resolving_localhost():
    """Names below localhost are this machine (RFC 6761, section 6.3), which not every resolver knows."""
    from unittest import mock

    real = socket.getaddrinfo

    def resolve(host, *arguments, **settings):
        return real("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **settings)

    return mock.patch("socket.getaddrinfo", resolve)


def test_bodies_in_chunks_with_a_checksum_behind_them_are_taken(world, bucket, tmp_path):
    s3 = secure(world, tmp_path)
    sent = []
    s3.meta.events.register("before-send", lambda request, **_: sent.append(dict(request.headers)))
    s3.put_object(Bucket=bucket, Key="chunks", Body=bytes(3_000_000))
    assert b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" in [v for h in sent for v in h.values()]
    found = s3.get_object(Bucket=bucket, Key="chunks")
    assert found["Body"].read() == bytes(3_000_000)


def test_an_upload_in_parts_is_put_together(world, bucket, tmp_path):
    s3 = secure(world, tmp_path)
    s3.upload_fileobj(io.BytesIO(b"y" * 20_000_000), bucket, "parts")
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 20_000_000


def test_what_moto_does_not_know_is_told(world):
    with pytest.raises(ClientError, match="moto, which is ec2 here, does not know this") as caught:
        client(world.twin, "ec2", world.vendor).describe_capacity_blocks()
    assert caught.value.response["Error"]["Code"] == "InvalidAction"


def test_what_moto_breaks_on_is_told_and_ends_nothing(world, monkeypatch):
    from moto.ec2.models import EC2Backend

    def broken(*_, **__):
        raise KeyError("inside")

    monkeypatch.setattr(EC2Backend, "describe_volumes", broken)
    with pytest.raises(ClientError, match="moto, which is ec2 here, broke: KeyError"):
        client(world.twin, "ec2", world.vendor).describe_volumes()
    monkeypatch.undo()
    client(world.twin, "ec2", world.vendor).describe_volumes()


def test_an_instance_of_ec2_is_a_record_and_boots_nothing(world):
    before = world.twin.instances
    ec2 = client(world.twin, "ec2", world.customer)
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)["Instances"][0]
    described = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]
    assert described["OwnerId"] == CUSTOMER
    assert world.twin.instances == before


def test_a_reply_invites_no_other_page(world):
    seen = client(world.twin, "ec2", world.vendor).describe_volumes()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in seen if name.startswith(("access-control-", "x-moto-"))]


def test_a_second_twin_of_the_process_does_not_get_the_books_of_the_first(world):
    client(world.twin, "ec2", world.vendor).describe_volumes()
    with Twin() as other:
        account = other.create_account(VENDOR, name="vendor")
        key = other.create_user(account, "u", policies=[FULL_ACCESS])
        with pytest.raises(ClientError, match="another twin"):
            client(other, "ec2", key).describe_volumes()


def test_an_environment_that_makes_everybody_one_account_is_refused(monkeypatch):
    monkeypatch.setenv("MOTO_ACCOUNT_ID", VENDOR)
    with pytest.raises(LocalFault) as caught:
        Twin()
    assert caught.value.code == "twin.moto-account"
