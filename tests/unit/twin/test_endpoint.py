# SPDX-License-Identifier: Apache-2.0
"""One address, many services: each refuses a bad call in its own protocol and under its own names."""

import json
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError
from tests.twin_world import client

from strongroom.twin import status_page

CALLS = {
    "kms": lambda c: c.list_keys(),
    "ssm": lambda c: c.describe_parameters(),
    "sts": lambda c: c.get_caller_identity(),
    "iam": lambda c: c.list_roles(),
    "ec2": lambda c: c.describe_volumes(),
    "s3": lambda c: c.list_buckets(),
}
UNKNOWN_KEY = {
    "kms": ("UnrecognizedClientException", 400),
    "ssm": ("UnrecognizedClientException", 400),
    "sts": ("InvalidClientTokenId", 403),
    "iam": ("InvalidClientTokenId", 403),
    "ec2": ("AuthFailure", 401),
    "s3": ("InvalidAccessKeyId", 403),
}
WRONG_SECRET = {
    "kms": ("InvalidSignatureException", 400),
    "ssm": ("InvalidSignatureException", 400),
    "sts": ("SignatureDoesNotMatch", 403),
    "iam": ("SignatureDoesNotMatch", 403),
    "ec2": ("AuthFailure", 401),
    "s3": ("SignatureDoesNotMatch", 403),
}
SKEWED = {
    "kms": ("InvalidSignatureException", 400),
    "sts": ("SignatureDoesNotMatch", 403),
    "ec2": ("RequestExpired", 400),
    "s3": ("RequestTimeTooSkewed", 403),
}
EXPIRED_TOKEN = {
    "kms": ("ExpiredTokenException", 400),
    "sts": ("ExpiredToken", 403),
    "ec2": ("RequestExpired", 400),
    "s3": ("ExpiredToken", 400),
}


def refusal(world, service, who):
    with pytest.raises(ClientError) as caught:
        CALLS[service](client(world.twin, service, who))
    response = caught.value.response
    assert response["Error"]["Message"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", CALLS)
def test_whoever_signs_is_answered(world, service):
    CALLS[service](client(world.twin, service, world.customer))


@pytest.mark.parametrize("service", CALLS)
def test_an_unknown_key_is_refused_as_by_the_service(world, service):
    stranger = replace(world.customer, access_key_id="AKIA" + "A" * 16)
    assert refusal(world, service, stranger) == UNKNOWN_KEY[service]


@pytest.mark.parametrize("service", CALLS)
def test_a_wrong_secret_is_refused_as_by_the_service(world, service):
    assert refusal(world, service, replace(world.customer, secret_access_key="wrong")) == WRONG_SECRET[service]


@pytest.mark.parametrize("service", EXPIRED_TOKEN)
def test_an_expired_session_is_refused_as_by_the_service(world, service):
    role = world.twin.directory.role(world.customer.principal.account_id, "app")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    session = world.twin.directory.open_session(role, session_name="s", now=long_ago)
    with pytest.raises(ClientError) as caught:
        CALLS[service](session_client(world.twin, service, session))
    found = caught.value.response
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == EXPIRED_TOKEN[service]


def session_client(twin, service, credentials):
    session = boto3.Session(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, region_name=twin.region
    )
    return session.client(service, endpoint_url=twin.endpoint_url, config=Config(retries={"max_attempts": 1}))


def signed(world, service, *, late=timedelta(0), body=b"Action=GetCallerIdentity", method="POST", **headers):
    """A request as botocore signs it, `late` after now."""
    who, url = world.customer, world.twin.endpoint_url + "/"
    request = AWSRequest(method, url, headers=headers, data=body)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        BotocoreCredentials(who.access_key_id, who.secret_access_key), service, world.twin.region
    )
    request.context["timestamp"] = (datetime.now(UTC) + late).strftime("%Y%m%dT%H%M%SZ")
    at = datetime.now(UTC).replace(tzinfo=None) + late
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        signer.add_auth(request)
    return request.prepare()


def send(request, body=None):
    data = request.body if body is None else body
    headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
    made = urllib.request.Request(request.url, data=data, headers=headers, method=request.method)
    try:
        with urllib.request.urlopen(made) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("service", SKEWED)
@pytest.mark.parametrize("late", [timedelta(hours=-1), timedelta(hours=1)], ids=["past", "future"])
def test_a_clock_that_is_off_is_refused_as_by_the_service(world, service, late):
    status, body = send(signed(world, service, late=late))
    name, expected = SKEWED[service]
    assert status == expected
    if service != "kms":
        assert f"<Code>{name}</Code>".encode() in body
    else:
        assert json.loads(body)["__type"] == name


def test_s3_lets_clocks_be_off_by_fifteen_minutes_and_others_by_five(world):
    ten = timedelta(minutes=-10)
    assert send(signed(world, "s3", late=ten, method="GET", body=b""))[0] == 200
    assert send(signed(world, "sts", late=ten))[0] == 403


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("sts", b"<Code>SignatureDoesNotMatch<"),
        ("ec2", b"<Code>AuthFailure<"),
        ("s3", b"<Code>XAmzContentSHA256Mismatch<"),
    ],
)
def test_a_body_that_was_changed_on_its_way_is_refused(world, service, code):
    request = signed(world, service)
    assert code in send(request, body=request.body + b"&x=y")[1]


@pytest.mark.parametrize(
    ("headers", "start"),
    [
        ({"Content-Type": "application/x-amz-json-1.1"}, b'{"__type": "MissingAuthenticationTokenException"'),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"<ErrorResponse"),
    ],
)
def test_an_unsigned_post_is_refused_in_the_protocol_of_its_body(world, headers, start):
    request = urllib.request.Request(world.twin.endpoint_url, data=b"{}", headers=headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.read().startswith(start)


def test_an_unsigned_get_is_refused_as_by_s3(world):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(world.twin.endpoint_url + "/bucket/key")
    assert caught.value.code == 403
    assert b"<Error><Code>AccessDenied</Code>" in caught.value.read()


@pytest.mark.parametrize(
    ("service", "start"),
    [("ec2", b"<Response><Errors><Error>"), ("iam", b"<ErrorResponse"), ("sts", b"<ErrorResponse")],
)
def test_unknown_operations_are_told_in_the_shape_of_the_service(world, service, start):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=NoSuchThing&Version=2016-11-15"
    status, reply = send(signed(world, service, body=body, **form))
    assert status == 400
    assert reply.startswith(start)
    assert b"<Code>InvalidAction</Code>" in reply


def test_chunks_that_are_signed_one_by_one_are_refused_in_words(world):
    request = signed(world, "s3", body=b"", method="PUT")
    request.headers["x-amz-content-sha256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    status, reply = send(request, body=b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n")
    assert (status, b"<Code>NotImplemented</Code>" in reply) == (501, True)


def test_unknown_operations_of_json_services_are_told_in_json(world):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.NoSuchThing"}
    status, reply = send(signed(world, "ssm", body=b"{}", **headers))
    assert (status, json.loads(reply)["__type"]) == (400, "UnknownOperationException")


def test_a_service_that_the_twin_has_not_names_those_it_has(world):
    with pytest.raises(ClientError, match="ec2, iam, kms, s3, ssm, sts") as caught:
        client(world.twin, "dynamodb", world.customer).list_tables()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_a_header_of_the_sender_does_not_choose_the_service(world):
    """Only the signature's scope does: a KMS target under an STS signature is a call to STS."""
    request = signed(world, "sts", **{"X-Amz-Target": "TrentService.ListKeys"})
    assert b"<GetCallerIdentityResult>" in send(request)[1]


@pytest.mark.parametrize("token", ["", "guess"])
def test_what_a_twin_says_of_itself_is_for_those_with_its_token(world, token):
    def ask(given):
        url, headers = world.twin.endpoint_url + status_page.PATH, {status_page.HEADER: given}
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())

    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(token)
    assert (caught.value.code, b"keys" in caught.value.read()) == (403, False)
    counted = ask(world.twin.status.token)
    assert counted["keys"] == 1
    assert ask(world.twin.status.token) == counted, "asking is no call"
