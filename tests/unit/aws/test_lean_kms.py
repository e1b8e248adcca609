# SPDX-License-Identifier: Apache-2.0
"""The agent's client, against the twin over TLS and against servers that lie."""

import base64
import json
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.twin_world import CONTEXT, RECIPIENT, SECRET
from tests.twin_world import world as running_world
from werkzeug.wrappers import Response

from strongroom.aws.lean import https
from strongroom.aws.lean.https import HttpsEndpoint, MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.aws.lean.kms import LeanKms
from strongroom.aws.lean.sigv4 import Credentials, Scope, sign_post
from strongroom.errors import FormatError, KeyRefused, NotAuthentic, ServiceFault, UsageError
from strongroom.ids import EvidenceBytes, KeyArn, Region, WrappedKey
from strongroom.twin import tls
from strongroom.twin.clock import SystemClock
from strongroom.twin.firmware import Firmware
from strongroom.twin.listener import Listener
from strongroom.twin.tls import create_tls_authority

KEY = KeyArn("arn:aws:kms:eu-central-1:111111111111:key/6ba7b810-9dad-11d1-80b4-00c04fd430c8")
TLS = create_tls_authority(datetime.now(UTC))


@pytest.fixture(scope="module")
def world():
    with running_world() as running:
        yield running


def lean(world, instance=None, *, roots=None, region=None):
    imds = LeanImds(MetadataEndpoint((instance or world.instance).imds_endpoint))
    endpoint = HttpsEndpoint(world.twin.tls_endpoint, roots=roots or [world.twin.tls_root])
    region = region or world.twin.region
    return LeanKms(endpoint, region=region, credentials=imds.role_credentials, clock=world.twin.clock)


def decrypt(world, kms=None, **changes):
    call = {
        "wrapped_key": world.blob,
        "key_arn": world.key_arn,
        "context": CONTEXT,
        "recipient": world.instance.attest(public_key=RECIPIENT.public_key),
    } | changes
    return (kms or lean(world)).decrypt(call.pop("wrapped_key"), **call)


def refused(code, error, call, *arguments, **parameters):
    with pytest.raises(error) as caught:
        call(*arguments, **parameters)
    assert caught.value.code == code
    return caught.value


def test_an_instance_gets_its_secret_over_tls_with_its_roles_credentials(world):
    assert RECIPIENT.unwrap(decrypt(world)) == SECRET


@pytest.mark.attack("B1")
def test_an_instance_with_another_boot_state_is_refused(world):
    hostile = world.launch(firmware=Firmware(load_options="init=/bin/sh"))
    document = hostile.attest(public_key=RECIPIENT.public_key)
    refused("kms.access-denied", KeyRefused, decrypt, world, lean(world, hostile), recipient=document)


@pytest.mark.attack("A3")
def test_an_old_document_is_told_apart_so_that_it_can_be_made_anew(world):
    instance = world.launch()
    instance.document_age = timedelta(minutes=6)
    document = instance.attest(public_key=RECIPIENT.public_key)
    refused("kms.document-expired", KeyRefused, decrypt, world, recipient=document)


def test_what_kms_refuses_has_one_code_each(world):
    refused("kms.invalid-request", KeyRefused, decrypt, world, recipient=b"no document")
    refused("kms.invalid-ciphertext", KeyRefused, decrypt, world, wrapped_key=b"x" * 80)
    refused("kms.key-unusable", KeyRefused, decrypt, world, key_arn=world.key_arn[:-12] + "0" * 12)
    other = world.kms(world.vendor).create_key(Policy=open_policy())["KeyMetadata"]["Arn"]
    refused("kms.incorrect-key", KeyRefused, decrypt, world, key_arn=other)


def open_policy():
    principals = [f"arn:aws:iam::{account}:root" for account in ("1" * 12, "2" * 12)]
    statement = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_wrong_credentials_are_not_a_refusal_of_the_key(world):
    endpoint = HttpsEndpoint(world.twin.tls_endpoint, roots=[world.twin.tls_root])
    kms = LeanKms(
        endpoint, region=world.twin.region, credentials=lambda: Credentials("AKIANO", "x"), clock=SystemClock()
    )
    refused("aws.credentials", UsageError, decrypt, world, kms)


# --- who answers ------------------------------------------------------------------------------------------------------


@pytest.mark.attack("K12")
def test_a_server_with_a_certificate_of_another_ca_is_refused_before_it_hears_anything(world):
    impostor = lean(world, roots=[TLS.der])
    before = len(world.twin.kms.decisions)
    refused("https.untrusted-server", NotAuthentic, decrypt, world, impostor)
    assert len(world.twin.kms.decisions) == before


@pytest.mark.attack("K12")
def test_a_certificate_of_the_right_ca_for_another_name_is_refused():
    with serving(lambda _: Response("{}"), addresses=("10.9.9.9",)) as url:
        refused("https.untrusted-server", NotAuthentic, attested_call, url)


@pytest.mark.attack("K12")
def test_a_common_name_is_no_name_of_a_server(monkeypatch):
    """A CA may put any words into the common name; only the alternative names are what it vouches for."""
    monkeypatch.setattr(tls, "_name", lambda _: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
    monkeypatch.setattr(tls.x509, "SubjectAlternativeName", lambda _: x509.IssuerAlternativeName([x509.DNSName("x")]))
    with serving(lambda _: Response("{}")) as url:
        refused("https.untrusted-server", NotAuthentic, attested_call, url.replace("127.0.0.1", "localhost"))


@pytest.mark.attack("K12")
def test_only_the_given_roots_count_whatever_the_environment_says(world, tmp_path):
    """The trap: variables that make other clients trust another CA, use a proxy, or take other credentials."""
    pem = tmp_path / "ca.pem"
    pem.write_text(ssl.DER_cert_to_PEM_cert(world.twin.tls_root))
    hostile = {
        "SSL_CERT_FILE": str(pem),
        "SSL_CERT_DIR": str(tmp_path),
        "REQUESTS_CA_BUNDLE": str(pem),
        "AWS_CA_BUNDLE": str(pem),
        "SSLKEYLOGFILE": str(tmp_path / "keys.log"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
        "AWS_SECRET_ACCESS_KEY": "x",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9"),
    }
    program = """
import sys
from strongroom.aws.lean.https import HttpsEndpoint, MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.errors import NotAuthentic
good, other = (bytes.fromhex(text) for text in sys.argv[3:])
assert LeanImds(MetadataEndpoint(sys.argv[2])).role_credentials().access_key_id.startswith("ASIA")
assert HttpsEndpoint(sys.argv[1], roots=[good]).post(b"{}", headers={}).status == 403
try:
    HttpsEndpoint(sys.argv[1], roots=[other]).post(b"{}", headers={})
except NotAuthentic:
    print("refused")
"""
    arguments = [world.twin.tls_endpoint, world.instance.imds_endpoint, world.twin.tls_root.hex(), TLS.der.hex()]
    environment = {"PYTHONPATH": ":".join(sys.path), **hostile}
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout == "refused\n", run.stderr
    assert not (tmp_path / "keys.log").exists()


def test_the_lean_client_needs_no_package_but_our_own():
    program = "import sys, strongroom.aws.lean.kms, strongroom.aws.lean.imds\nprint(sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"boto3", "botocore", "urllib3", "requests", "cryptography", "werkzeug"} & set(eval(run.stdout))


@contextmanager
def serving(handler, **certificate):
    """An impostor that has our trust and answers as it likes."""
    listener = Listener(handler, threads=2, tls=TLS.server(datetime.now(UTC), **certificate))
    listener.start()
    try:
        yield listener.url
    finally:
        listener.stop()


def attested_call(url):
    endpoint = HttpsEndpoint(url, roots=[TLS.der], timeout=timedelta(seconds=1))
    credentials = Credentials("a", "b")
    kms = LeanKms(endpoint, region=Region("eu-central-1"), credentials=lambda: credentials, clock=SystemClock())
    return kms.decrypt(WrappedKey(b"blob"), key_arn=KEY, context={}, recipient=EvidenceBytes(b"document"))


def reply(status=200, **members):
    good = {"KeyId": KEY, "CiphertextForRecipient": base64.b64encode(b"cms").decode(), "Plaintext": ""}
    return lambda _: Response(json.dumps(good | members), status=status)


def test_a_proper_answer_is_taken():
    for members in ({}, {"Plaintext": None}):
        with serving(reply(**members)) as url:
            assert attested_call(url) == b"cms"


@pytest.mark.attack("K14")
@pytest.mark.attack("A15")
def test_an_answer_with_plaintext_is_refused():
    with serving(reply(Plaintext=base64.b64encode(b"secret").decode())) as url:
        refused("kms.plaintext-in-reply", NotAuthentic, attested_call, url)
    with serving(reply(Plaintext="x", CiphertextForRecipient=None)) as url:
        refused("kms.plaintext-in-reply", NotAuthentic, attested_call, url)


@pytest.mark.attack("K7")
@pytest.mark.parametrize("found", [KEY[:-1] + "9", KEY.rpartition("/")[2], None, 1])
def test_an_answer_from_another_key_is_refused(found):
    with serving(reply(KeyId=found)) as url:
        refused("kms.other-key", NotAuthentic, attested_call, url)


def test_an_answer_without_a_sealed_key_is_refused():
    with serving(reply(CiphertextForRecipient=None)) as url:
        refused("kms.no-ciphertext", NotAuthentic, attested_call, url)


@pytest.mark.parametrize("value", ["!", "", base64.b64encode(bytes(6145)).decode()])
def test_a_malformed_sealed_key_is_refused(value):
    with serving(reply(CiphertextForRecipient=value)) as url:
        refused("kms.reply", FormatError, attested_call, url)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_object_is_refused(body):
    with serving(lambda _: Response(body)) as url:
        refused("kms.reply", FormatError, attested_call, url)


@pytest.mark.parametrize(
    ("status", "members", "code", "retryable"),
    [
        (500, {"__type": "KMSInternalException"}, "kms.unavailable", True),
        (503, {}, "kms.unavailable", True),
        (400, {"__type": "ThrottlingException"}, "kms.unavailable", True),
        (400, {"__type": "com.amazonaws.kms#ThrottlingException"}, "kms.unavailable", True),
        (400, {"__type": "SomethingNewException"}, "kms.unexpected", False),
        (302, {}, "kms.unexpected", False),
    ],
)
def test_failures_say_whether_to_try_again(status, members, code, retryable):
    with serving(reply(status, **members)) as url:
        assert refused(code, ServiceFault, attested_call, url).retryable is retryable


def test_a_failure_in_html_is_a_failure():
    with serving(lambda _: Response("<html>", status=502)) as url:
        refused("kms.unavailable", ServiceFault, attested_call, url)


def test_a_redirect_is_not_followed(world):
    with serving(lambda _: Response("{}", status=307, headers={"Location": world.twin.tls_endpoint})) as url:
        refused("kms.unexpected", ServiceFault, attested_call, url)


def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr(https, "MAX_REPLY_BYTES", 1000)
    with serving(lambda _: Response(b"x" * 1001)) as url:
        refused("https.too-large", ServiceFault, attested_call, url)


def test_a_slow_answer_is_cut():
    def drip():
        for _ in range(15):
            time.sleep(0.2)
            yield b"x"

    with serving(lambda _: Response(drip())) as url:
        refused("https.too-slow", ServiceFault, attested_call, url)


def test_a_silent_server_is_given_up():
    release = threading.Event()
    with serving(lambda _: Response(str(release.wait(3)))) as url:
        refused("https.too-slow", ServiceFault, attested_call, url)
        release.set()


def test_nobody_there_is_a_service_fault():
    refused("https.unreachable", ServiceFault, attested_call, "https://127.0.0.1:9")


def test_clear_text_is_for_the_metadata_service_only():
    for url in ("http://kms.eu-central-1.amazonaws.com", "http://10.0.0.1", "http://metadata", "http://169.254.1.1"):
        refused("https.clear-text", UsageError, MetadataEndpoint, url)
    for url in ("http://169.254.169.254", "http://127.0.0.1:80", "http://[fd00:ec2::254]"):
        MetadataEndpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://",
        "h",
        "https://h/path",
        "https://u@h",
        "https://h?q",
        "https://h:x",
        "https://h:0",
        "https://[h",
    ],
)
def test_an_endpoint_is_a_host_and_a_port(url):
    refused("https.endpoint", UsageError, HttpsEndpoint, url, roots=[TLS.der])


def test_an_endpoint_needs_roots():
    refused("https.no-roots", UsageError, HttpsEndpoint, "https://h", roots=[])


def test_a_request_without_its_host_is_not_signed():
    with pytest.raises(RuntimeError, match="Host"):
        sign_post(
            {}, b"", credentials=Credentials("a", "b", None, None), scope=Scope("r", "kms"), now=datetime.now(UTC)
        )
