# SPDX-License-Identifier: Apache-2.0
"""EC2's answers, over HTTP: the shapes from moto, the refusals that moto does not know from a server of ours."""

from contextlib import contextmanager

import pytest
from tests.moto_server import ACCOUNT, moto_server
from werkzeug.wrappers import Response

from strongroom.aws.ec2_errors import translate
from strongroom.aws.sdk.ec2 import SdkInstanceDirectory
from strongroom.aws.sdk.session import AccessKey, AwsSession
from strongroom.errors import KeyRefused, ServiceFault, UsageError
from strongroom.ports import Ec2Instance
from strongroom.twin.listener import Listener

REGION = "eu-west-1"
INSTANCE = "i-0123456789abcdef0"
KEY = AccessKey("AKIAANYBODY", "any")


def directory(url, region=REGION, key=KEY):
    return SdkInstanceDirectory(AwsSession(access_key=key, endpoint_url=url).ec2(region=region))


def refused(code, error, ec2, instance=INSTANCE):
    with pytest.raises(error) as caught:
        ec2.describe_instance(instance)
    assert caught.value.code == code
    return caught.value


@contextmanager
def answering(body, status=200):
    """A server that answers every request with this XML."""
    listener = Listener(lambda _: Response(body, status=status, mimetype="text/xml"), threads=1)
    listener.start()
    try:
        yield directory(listener.url)
    finally:
        listener.stop()


def reservations(*instances):
    items = "".join(f"<item><instancesSet>{i}</instancesSet></item>" for i in instances)
    return f"<DescribeInstancesResponse><reservationSet>{items}</reservationSet></DescribeInstancesResponse>"


def error(code, message="no"):
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"


def test_no_reservation_is_no_instance():
    with answering(reservations()) as ec2:
        assert ec2.describe_instance(INSTANCE) is None


def test_what_ec2_does_not_say_is_empty_and_equals_nothing():
    with answering(reservations(f"<item><instanceId>{INSTANCE}</instanceId></item>")) as ec2:
        assert ec2.describe_instance(INSTANCE) == Ec2Instance("", INSTANCE, "", "", "", "", "")


def test_two_instances_of_one_id_are_no_answer():
    item = f"<item><instanceId>{INSTANCE}</instanceId></item>"
    for answer in (reservations(item, item), reservations(item + item)):
        with answering(answer) as ec2:
            refused("ec2.unexpected", ServiceFault, ec2)


def test_a_caller_who_may_not_ask_is_refused():
    with answering(error("UnauthorizedOperation", "You are not authorized"), 403) as ec2:
        assert "ec2:DescribeInstances" in refused("ec2.access-denied", KeyRefused, ec2).remedy


@pytest.mark.parametrize("name", ["AuthFailure", "RequestExpired"])
def test_credentials_that_ec2_does_not_know_are_a_question_to_the_user(name):
    with answering(error(name), 401) as ec2:
        refused("aws.credentials", UsageError, ec2)


def test_an_error_that_nobody_expects_is_told_with_its_name():
    with answering(error("OptInRequired", "subscribe first"), 401) as ec2:
        assert "OptInRequired: subscribe first" in refused("ec2.unexpected", ServiceFault, ec2).message


@pytest.mark.parametrize(
    ("name", "status"), [("RequestLimitExceeded", 503), ("Throttling", 400), ("InternalError", 500)]
)
def test_what_may_pass_is_said_to_be_worth_another_try(name, status):
    fault = translate(name, "later", status=status)
    assert isinstance(fault, ServiceFault)
    assert (fault.code, fault.retryable) == ("ec2.unavailable", True)


def test_nobody_there_is_a_service_fault():
    refused("aws.unavailable", ServiceFault, directory("http://127.0.0.1:9"))


@pytest.fixture(scope="module")
def moto():
    with moto_server() as server:
        yield server


@pytest.mark.slow
def test_an_instance_is_told_as_ec2_tells_it(moto):
    launched = moto.launch(REGION)
    assert directory(moto.url).describe_instance(launched["InstanceId"]) == Ec2Instance(
        account_id=ACCOUNT,
        instance_id=launched["InstanceId"],
        image_id="ami-0123456789abcdef0",
        instance_type="m7i.large",
        availability_zone="eu-west-1a",
        architecture="x86_64",
        state="running",
    )


@pytest.mark.slow
def test_only_the_instance_that_was_asked_for_is_told(moto):
    first, second = (moto.launch(REGION)["InstanceId"] for _ in range(2))
    ec2 = directory(moto.url)
    assert [ec2.describe_instance(each).instance_id for each in (first, second)] == [first, second]
    assert ec2.describe_instance(INSTANCE) is None


@pytest.mark.slow
def test_an_instance_of_another_region_is_not_found(moto):
    launched = moto.launch("eu-west-2")["InstanceId"]
    assert directory(moto.url).describe_instance(launched) is None
    assert directory(moto.url, "eu-west-2").describe_instance(launched) is not None


@pytest.mark.slow
def test_a_stopped_instance_is_told_to_be_that(moto):
    launched = moto.launch(REGION)["InstanceId"]
    moto.client("ec2", REGION).stop_instances(InstanceIds=[launched])
    assert directory(moto.url).describe_instance(launched).state == "stopped"


@pytest.mark.slow
def test_keys_and_policies_count(moto):
    iam = moto.client("iam", REGION)
    iam.create_user(UserName="reader")
    pair = iam.create_access_key(UserName="reader")["AccessKey"]
    moto.enforce_iam()
    try:
        refused("aws.credentials", UsageError, directory(moto.url))
        reader = directory(moto.url, key=AccessKey(pair["AccessKeyId"], pair["SecretAccessKey"]))
        refused("ec2.access-denied", KeyRefused, reader)
    finally:
        moto.trust_everybody()
