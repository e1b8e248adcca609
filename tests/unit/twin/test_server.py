# SPDX-License-Identifier: Apache-2.0
"""The endpoint itself: limits, both ways in, errors of both protocols, and a stop that leaves nothing behind."""

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from tests.twin_world import client, small_uki

from strongroom.aws.lean.https import HttpsEndpoint
from strongroom.errors import ServiceFault, UsageError
from strongroom.ids import AccountId
from strongroom.twin import endpoint
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.accounts_file import read_accounts
from strongroom.twin.clock import OffsetClock
from strongroom.twin.server import Twin

QUERY = {"Content-Type": "application/x-www-form-urlencoded"}


def post(url, body=b"", **headers):
    request = urllib.request.Request(url, data=body, headers=QUERY | headers, method="POST")
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_an_unsigned_call_is_refused_in_its_own_protocol(world):
    status, body = post(world.twin.endpoint_url, b"Action=GetCallerIdentity")
    assert (status, b"<Code>MissingAuthenticationToken</Code>" in body) == (403, True)
    status, body = post(world.twin.endpoint_url, b"{}", **{"Content-Type": "application/x-amz-json-1.1"})
    assert (status, b'"MissingAuthenticationTokenException"' in body) == (400, True)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"access_key_id": "AKIANOBODY"}, "InvalidClientTokenId"),
        ({"secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
def test_sts_uses_the_names_of_the_query_protocol(world, keys, code):
    from dataclasses import replace

    stranger = client(world.twin, "sts", replace(world.customer, **keys))
    with pytest.raises(ClientError) as caught:
        stranger.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == code


def test_sts_names_the_actions_it_does_not_know(world):
    with pytest.raises(ClientError) as caught:
        client(world.twin, "sts", world.customer).get_session_token()
    assert caught.value.response["Error"]["Code"] == "InvalidAction"
    assert "GetSessionToken" in str(caught.value)


def test_a_body_beyond_the_limit_is_cut_off(world):
    host = world.twin.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(endpoint.MAX_BODY_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_chunked_body_beyond_the_limit_is_not_taken(world):
    host = world.twin.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    chunks = (bytes(1 << 16) for _ in range(endpoint.MAX_BODY_BYTES // (1 << 16) + 2))
    try:
        connection.request("POST", "/", body=chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        status = connection.getresponse().status
    except OSError:
        status = 413  # the server hung up while we were still sending
    connection.close()
    assert status in {400, 413}


def test_the_same_service_answers_under_tls(world):
    endpoint = HttpsEndpoint(world.twin.tls_endpoint, roots=[world.twin.tls_root])
    assert endpoint.post(b"Action=GetCallerIdentity", headers=QUERY).status == 403


def test_a_stop_ends_every_listener_and_may_come_twice():
    before = threading.active_count()
    twin = Twin()
    twin.start()
    account = twin.create_account("1" * 12, name="one")
    twin.create_role(account, "app", policies=[])
    instance = twin.launch(small_uki(), account=account, role="app")
    assert twin.instances == (instance,)
    tls = HttpsEndpoint(twin.tls_endpoint, roots=[twin.tls_root])
    twin.stop()
    twin.stop()
    assert threading.active_count() == before
    with pytest.raises(ServiceFault):
        tls.post(b"", headers={})
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(instance.imds_endpoint)


def test_two_twins_trust_nothing_of_each_other():
    one, two = Twin(), Twin()
    assert one.nitro_root != two.nitro_root
    assert one.tls_root != two.tls_root
    assert one.nitro_roots.sha256s.isdisjoint(two.nitro_roots.sha256s)


def test_accounts_come_from_a_file():
    text = '[[account]]\nid = "111111111111"\n[[account.role]]\nname = "app"\n'
    with Twin(directory=read_accounts(text.encode())) as twin:
        instance = twin.launch(
            small_uki(), account=twin.directory.role(AccountId("1" * 12), "app").account_id, role="app"
        )
        assert instance.role == "app"
        with pytest.raises(UsageError, match="role/other"):
            twin.launch(small_uki(), account=instance.account_id, role="other")


def test_the_twins_clock_rules_signatures_too():
    clock = OffsetClock(timedelta(hours=1))
    with Twin(clock=clock) as twin:
        account = twin.create_account("1" * 12, name="one")
        user = twin.create_user(account, "u", policies=[FULL_ACCESS])
        with pytest.raises(ClientError, match="expired"):
            client(twin, "sts", user).get_caller_identity()
        clock.offset = timedelta(0)
        assert client(twin, "sts", user).get_caller_identity()["Account"] == account


def test_the_certificate_is_for_names_of_aws_and_for_the_address_where_guests_see_this_machine():
    with Twin() as twin:
        trusted = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(twin.tls_root))
        port = int(twin.tls_endpoint.rpartition(":")[2])
        names = ("10.0.2.2", "127.0.0.1", "kms.eu-central-1.amazonaws.com", "bucket.s3.us-east-1.amazonaws.com")
        for name in (*names, "sts.amazonaws.com"):
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                trusted.wrap_socket(plain, server_hostname=name) as secure,
            ):
                assert secure.version() == "TLSv1.3"
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            trusted.wrap_socket(plain, server_hostname="example.com")
