# SPDX-License-Identifier: Apache-2.0
"""A metadata service that says nonsense is refused by name."""

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from werkzeug.wrappers import Response

from strongroom.aws.lean.https import MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.errors import FormatError, ServiceFault
from strongroom.twin.listener import Listener

GOOD = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": "2026-11-22T07:18:05Z"}


@contextmanager
def imds(**answers):
    """A service whose answers are `token`, `role`, `credentials`, `rsa2048`, `region`, `user-data`."""
    bodies = {"token": "tok", "role": "app", "credentials": json.dumps(GOOD), "rsa2048": "AAEC\nAwQ="} | answers

    def handler(request):
        if request.method == "PUT":
            body = bodies["token"]
        elif request.path.endswith("/security-credentials/"):
            body = bodies["role"]
        elif request.path.endswith(("/region", "/user-data")):
            body = bodies[request.path.rpartition("/")[2]]
        elif request.path.endswith("/rsa2048"):
            body = bodies["rsa2048"]
        else:
            body = bodies["credentials"]
        return body if isinstance(body, Response) else Response(body)

    listener = Listener(handler, threads=1)
    listener.start()
    try:
        yield LeanImds(MetadataEndpoint(listener.url))
    finally:
        listener.stop()


def test_good_answers_are_read():
    with imds() as service:
        assert service.role_credentials().session_token == "t"
        assert service.identity_document().rsa2048 == bytes(range(5))


@pytest.mark.parametrize("token", ["", "to\nken", "\x00", "tök"])
def test_a_token_is_printable(token):
    with imds(token=token) as service, pytest.raises(FormatError) as caught:
        service.role_credentials()
    assert caught.value.code == "imds.token"


@pytest.mark.parametrize("role", ["", "two\nroles", "../x", "a" * 65])
def test_a_role_is_one_name(role):
    with imds(role=role) as service, pytest.raises(FormatError) as caught:
        service.role_credentials()
    assert caught.value.code == "imds.role"


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        "[]",
        "null",
        json.dumps(GOOD | {"Expiration": 1}),
        json.dumps(GOOD | {"Expiration": "tomorrow"}),
        json.dumps(GOOD | {"Token": None}),
        json.dumps(GOOD | {"Token": "a\r\nX-Evil: 1"}),
        json.dumps(GOOD | {"Token": "ö"}),
        json.dumps({name: value for name, value in GOOD.items() if name != "AccessKeyId"}),
    ],
)
def test_credentials_have_their_parts(credentials):
    with imds(credentials=credentials) as service, pytest.raises(FormatError) as caught:
        service.role_credentials()
    assert caught.value.code == "imds.credentials"


def test_a_signature_is_base64():
    with imds(rsa2048="no base64!") as service, pytest.raises(FormatError) as caught:
        service.identity_document()
    assert caught.value.code == "imds.rsa2048"


def test_user_data_come_as_they_are():
    with imds(**{"user-data": b"\x1f\x8b"}) as service:
        assert service.user_data() == b"\x1f\x8b"
    with imds(**{"user-data": Response("no", status=404)}) as service:
        assert service.user_data() is None
    with imds(**{"user-data": Response("no", status=500)}) as service, pytest.raises(ServiceFault) as caught:
        service.user_data()
    assert caught.value.code == "imds.refused"


@pytest.mark.attack("K12")
@pytest.mark.parametrize("region", ["", "eu-central-1.evil.com", "eu-central-1\n", "../x"])
def test_a_region_is_one_that_cannot_lead_a_hosts_name_elsewhere(region):
    with imds(region=region) as service, pytest.raises(FormatError) as caught:
        service.region()
    assert caught.value.code == "imds.region"
    with imds(region="eu-central-1") as service:
        assert service.region() == "eu-central-1"


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (401, False), (500, True)])
def test_refusals_say_whether_to_try_again(status, retryable):
    with imds(credentials=Response("no", status=status)) as service, pytest.raises(ServiceFault) as caught:
        service.role_credentials()
    assert caught.value.code == "imds.refused"
    assert caught.value.retryable is retryable
    assert ("role" in caught.value.remedy) is (status == 404)


@contextmanager
def raw_server(*parts, pause=0.0):
    """A server that answers one request with these bytes, and waits after each of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)

        thread = threading.Thread(target=answer)
        thread.start()
        yield MetadataEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=timedelta(seconds=0.5))
        thread.join()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x"),
        (b"", b"H"),
    ],
    ids=["header", "headers", "interim answers", "chunk size", "body", "status"],
)
def test_an_answer_that_drips_is_cut_in_every_part(first, again):
    with raw_server(first, *[again] * 12, pause=0.1) as service:
        begun = time.monotonic()
        with pytest.raises(ServiceFault) as caught:
            service.request("GET", "/", headers={})
        assert (caught.value.code, caught.value.retryable) == ("https.too-slow", True)
        assert time.monotonic() - begun < 1


def test_half_an_answer_is_none():
    with (
        raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhal") as service,
        pytest.raises(ServiceFault) as caught,
    ):
        service.request("GET", "/", headers={})
    assert caught.value.code == "https.truncated"
