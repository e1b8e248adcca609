# SPDX-License-Identifier: Apache-2.0
"""Bundles from S3: what is asked, with whose name TLS is satisfied, and what becomes of every other answer."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from werkzeug.wrappers import Response

from strongroom.aws.lean import s3
from strongroom.aws.lean.https import HttpsEndpoint
from strongroom.aws.lean.s3 import S3Bundles
from strongroom.aws.lean.sigv4 import Credentials, Scope, sign_get
from strongroom.errors import NotAuthentic, ServiceFault
from strongroom.formats.bundle_location import S3Place
from strongroom.ids import Region
from strongroom.twin.clock import SystemClock
from strongroom.twin.listener import Listener
from strongroom.twin.tls import create_tls_authority

TLS = create_tls_authority(datetime.now(UTC))
REGION = Region("eu-central-1")
PLACE = S3Place("acme.releases", "globex/v1/")


@contextmanager
def serving(handler, roots=(TLS.der,)):
    listener = Listener(handler, threads=1, tls=TLS.server(datetime.now(UTC)))
    listener.start()
    try:
        yield S3Bundles(
            HttpsEndpoint(listener.url, roots=roots),
            PLACE,
            region=REGION,
            credentials=lambda: Credentials("ASIA1", "secret", "token", None),
            clock=SystemClock(),
        )
    finally:
        listener.stop()


def refused(kind, bundles):
    with pytest.raises(kind) as caught:
        bundles.fetch("db-password")
    return caught.value


def test_a_bundle_is_an_object_that_is_asked_for_with_a_signature():
    asked = []
    with serving(lambda request: asked.append(request) or Response(b"sealed")) as bundles:
        assert bundles.fetch("db-password") == b"sealed"
    (request,) = asked
    assert (request.method, request.environ["REQUEST_URI"]) == ("GET", "/acme.releases/globex/v1/db-password.bundle")
    assert re.search(r"Credential=ASIA1/\d{8}/eu-central-1/s3/aws4_request", request.headers["Authorization"])
    assert request.headers["X-Amz-Security-Token"] == "token"
    assert "x-amz-content-sha256" in request.headers["Authorization"]


@pytest.mark.attack("K12")
def test_a_server_that_another_authority_vouches_for_is_not_asked():
    asked = []
    other = create_tls_authority(datetime.now(UTC)).der
    with serving(asked.append, roots=(other,)) as bundles:
        assert refused(NotAuthentic, bundles).code == "https.untrusted-server"
    assert asked == []


@pytest.mark.parametrize(
    ("status", "name", "remedy", "retryable"),
    [
        (403, "AccessDenied", "s3:GetObject", False),
        (404, "NoSuchKey", "place", False),
        (404, "NoSuchBucket", "bucket", False),
        (301, "PermanentRedirect", "Region", False),
        (400, "AuthorizationHeaderMalformed", "Region", False),
        (503, "SlowDown", "", True),
        (500, "InternalError", "", True),
    ],
)
def test_a_refusal_says_what_s3_said_and_what_to_do(status, name, remedy, retryable):
    body = f'<?xml version="1.0"?><Error><Code>{name}</Code><Message>no</Message></Error>'
    with serving(lambda _: Response(body, status=status)) as bundles:
        fault = refused(ServiceFault, bundles)
    assert (fault.code, fault.retryable) == ("s3.refused", retryable)
    assert name in fault.message
    assert "s3://acme.releases/globex/v1/db-password.bundle" in fault.message
    assert remedy in fault.remedy
    assert bool(remedy) == bool(fault.remedy)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff" * 9000, b"<Code>" + b"x" * 65 + b"</Code>", b"<Code>\x1b[2J</Code>"]
)
def test_a_refusal_without_a_name_is_one(body):
    with serving(lambda _: Response(body, status=403)) as bundles:
        assert refused(ServiceFault, bundles).message.endswith("HTTP status 403: an error without a name")


def test_a_redirect_is_not_followed():
    asked = []

    def redirect(request):
        asked.append(request)
        return Response(status=307, headers={"Location": "https://127.0.0.1:1/"})

    with serving(redirect) as bundles:
        assert refused(ServiceFault, bundles).code == "s3.refused"
    assert len(asked) == 1


@pytest.mark.attack("B14")
def test_what_is_larger_than_a_bundle_is_cut(monkeypatch):
    monkeypatch.setattr(s3, "LIMITS", replace(s3.LIMITS, maximum_bytes=1000))
    with serving(lambda _: Response(b"x" * 1001)) as bundles:
        assert refused(ServiceFault, bundles).code == "https.too-large"
    with serving(lambda _: Response(b"x" * 1000)) as bundles:
        assert len(bundles.fetch("db-password")) == 1000


@pytest.mark.parametrize("path", ["", "x", "/", "//x", "/a b", "/a%20b", "/a?b", "/ä", "/a/"])
def test_a_path_that_two_readers_could_encode_differently_is_not_signed(path):
    with pytest.raises(RuntimeError, match="path"):
        sign_get(
            path,
            {"Host": "h"},
            credentials=Credentials("a", "b", None, None),
            scope=Scope("r", "s3"),
            now=datetime.now(UTC),
        )
