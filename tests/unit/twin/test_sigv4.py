# SPDX-License-Identifier: Apache-2.0
"""Requests are signed by botocore and by the lean client; everything else is refused under AWS's names."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from strongroom.aws.lean.sigv4 import Credentials as LeanCredentials
from strongroom.aws.lean.sigv4 import Scope, sign_post
from strongroom.ids import AccountId
from strongroom.twin.accounts import Credentials, Principal, PrincipalKind
from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import SignedCall, verify_signature

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "127.0.0.1:4566"
PRINCIPAL = Principal(AccountId("1" * 12), PrincipalKind.USER, "u", "AIDAX", ())
LONG_TERM = Credentials(PRINCIPAL, "AKIDEXAMPLE", "secret")
SESSION = Credentials(
    Principal(AccountId("1" * 12), PrincipalKind.ROLE, "r", "AROAX", ()),
    "ASIAEXAMPLE",
    "secret",
    "i-1",
    "a token",
    NOW + timedelta(hours=1),
)
BODY = b'{"NumberOfBytes": 8}'


def signed(credentials=LONG_TERM, *, body=BODY, now=NOW, **headers):
    """What the lean client sends."""
    lean = LeanCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    plain = {"Host": HOST, "X-Amz-Target": "TrentService.GenerateRandom"} | headers
    return SignedCall(
        "POST", "/", "", sign_post(plain, body, credentials=lean, scope=Scope("eu-central-1", "kms"), now=now), body
    )


def find(access_key_id):
    return {c.access_key_id: c for c in (LONG_TERM, SESSION)}.get(access_key_id)


def verify(call, *, now=NOW):
    return verify_signature(call, find=find, now=now)


def without(call, name):
    return replace(call, headers={key: value for key, value in call.headers.items() if key != name})


def changed(call, **headers):
    return replace(call, headers={**call.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


def refused(name, call, *, now=NOW):
    with pytest.raises(AwsFault) as caught:
        verify(call, now=now)
    assert caught.value.name == name
    return caught.value.message


@pytest.mark.parametrize("credentials", [LONG_TERM, SESSION], ids=["user", "role"])
def test_the_lean_client_is_believed(credentials):
    found = verify(signed(credentials))
    assert found.caller is credentials
    assert (found.scope.region, found.scope.service) == ("eu-central-1", "kms")


@given(
    body=st.binary(max_size=200),
    token=st.none() | st.text("abcXYZ019+/=", min_size=1),
    target=st.text("aB.", min_size=1),
)
def test_botocore_makes_the_same_signature_as_the_lean_client(body, token, target):
    """Both sign the same headers at the same time, so the whole Authorization header is the same."""
    request = AWSRequest("POST", f"https://{HOST}/", headers={"X-Amz-Target": target, "Host": HOST}, data=body)
    SigV4Auth(BotocoreCredentials("AKID", "secret", token), "kms", "us-east-1").add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    lean = sign_post(
        {"Host": HOST, "X-Amz-Target": target},
        body,
        credentials=LeanCredentials("AKID", "secret", token),
        scope=Scope("us-east-1", "kms"),
        now=at,
    )
    assert lean["authorization"] == request.headers["Authorization"]


def test_a_signature_needs_its_host():
    with pytest.raises(RuntimeError, match="Host"):
        sign_post({}, b"", credentials=LeanCredentials("a", "b"), scope=Scope("r", "s"), now=NOW)


@pytest.mark.parametrize("region", ["", "eu", "a:b", "eu-central-1 ", "eu-central-1:", "\u00e9-central-1", "../x-1"])
def test_a_region_that_is_none_gets_into_no_arn(region):
    headers = sign_post(
        {"Host": HOST, "X-Amz-Target": "TrentService.CreateKey"},
        BODY,
        credentials=LeanCredentials(LONG_TERM.access_key_id, LONG_TERM.secret_access_key),
        scope=Scope(region, "kms"),
        now=NOW,
    )
    with pytest.raises(AwsFault):
        verify(SignedCall("POST", "/", "", headers, BODY))


def test_another_secret_is_refused():
    assert "does not match" in refused("InvalidSignatureException", signed(replace(LONG_TERM, secret_access_key="no")))


def test_a_changed_body_is_refused():
    refused("InvalidSignatureException", replace(signed(), body=BODY + b" "))


def test_a_changed_body_is_refused_even_when_its_old_hash_is_signed():
    call = signed(**{"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()})
    verify(call)
    assert "SHA-256" in refused("InvalidSignatureException", replace(call, body=b"{}"))


def test_an_unsigned_payload_is_refused():
    refused("InvalidSignatureException", signed(**{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}))


@pytest.mark.parametrize("part", [{"path": "/other"}, {"query": "a=b"}, {"method": "GET"}])
def test_another_path_query_or_method_is_refused(part):
    refused("InvalidSignatureException", replace(signed(), **part))


def test_a_changed_header_is_refused():
    refused("InvalidSignatureException", changed(signed(), x_amz_target="TrentService.Decrypt"))


def test_a_header_that_is_read_must_be_signed():
    assert "x-amz-new" in refused("InvalidSignatureException", changed(signed(), x_amz_new="value"))
    call = signed()
    unsigned_host = call.headers["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")
    assert "host" in refused("InvalidSignatureException", changed(call, authorization=unsigned_host))


def test_a_signed_header_must_be_there():
    call = signed(Accept="x")
    verify(call)
    assert "accept" in refused("InvalidSignatureException", without(call, "accept"))


def test_a_request_without_a_signature_is_refused():
    refused("MissingAuthenticationTokenException", without(signed(), "authorization"))


@pytest.mark.parametrize(
    "header",
    [
        "Basic abc",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/b/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws3_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
    ],
)
def test_an_authorization_of_another_form_is_incomplete(header):
    refused("IncompleteSignatureException", changed(signed(), authorization=header))


@pytest.mark.parametrize("date", ["", "Sun, 22 Nov 2026 01:00:00 GMT", "20261122"])
def test_a_date_of_another_form_is_incomplete(date):
    refused("IncompleteSignatureException", changed(signed(), x_amz_date=date))


def test_the_date_in_the_scope_is_the_date_of_the_request():
    call = signed()
    header = call.headers["authorization"].replace(f"/{NOW:%Y%m%d}/", "/20200101/")
    assert "20200101" in refused("InvalidSignatureException", changed(call, authorization=header))


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_five_minutes_of_skew_are_accepted(minutes):
    verify(signed(), now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(("seconds", "text"), [(301, "expired"), (-301, "not yet current")])
def test_more_than_five_minutes_of_skew_are_refused(seconds, text):
    assert text in refused("InvalidSignatureException", signed(), now=NOW + timedelta(seconds=seconds))


def test_an_unknown_key_is_unrecognized():
    refused("UnrecognizedClientException", signed(replace(LONG_TERM, access_key_id="AKIDNOBODY")))


@pytest.mark.parametrize("token", [None, "another token"])
def test_a_session_needs_its_token(token):
    refused("UnrecognizedClientException", signed(replace(SESSION, session_token=token)))


def test_a_user_has_no_token():
    refused("UnrecognizedClientException", signed(replace(LONG_TERM, session_token="x")))


def test_a_session_ends():
    late = NOW + timedelta(hours=1)
    verify(signed(SESSION, now=late), now=late - timedelta(seconds=1))
    refused("ExpiredTokenException", signed(SESSION, now=late), now=late)
