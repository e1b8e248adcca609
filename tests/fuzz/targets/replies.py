# SPDX-License-Identifier: Apache-2.0
"""What the agent is answered: by KMS, and by a metadata service that anybody on the host may stand in for."""

import base64
import json
from datetime import timedelta

from tests.fuzz.target import Target
from tests.nitro_pki import NOW

from strongroom.aws.lean.https import HttpReply
from strongroom.aws.lean.imds import LeanImds
from strongroom.aws.lean.kms import LeanKms
from strongroom.aws.lean.s3 import S3Bundles
from strongroom.aws.lean.sigv4 import Credentials
from strongroom.errors import FormatError, KeyRefused, NotAuthentic, ServiceFault
from strongroom.formats.bundle_location import S3Place
from strongroom.ids import KeyArn, Region

KEY = KeyArn("arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")


class Answering:
    """An endpoint that answers whatever it is asked with the same reply. The first byte says which status it has."""

    host_header = "kms.example"

    def __init__(self, data: bytes) -> None:
        self.reply = HttpReply({b"4": 400, b"5": 503}.get(data[:1], 200), data[1:])

    def post(self, body, *, headers):
        return self.reply

    def get(self, path, *, headers, limits):
        return self.reply

    def request(self, method, path, *, headers):
        return self.reply if method == "GET" else HttpReply(200, b"token")


class Role(Answering):
    """A metadata service that has a role, and the data for its credentials."""

    def request(self, method, path, *, headers):
        return HttpReply(200, b"role") if path.endswith("/") else super().request(method, path, headers=headers)


class Stopped:
    def now(self):
        return NOW


def kms(data: bytes) -> None:
    """Whatever opens has no plaintext beside it and names the key that was asked for."""
    client = LeanKms(
        Answering(data),
        region=Region("eu-central-1"),
        credentials=lambda: Credentials("id", "secret", "t", NOW),
        clock=Stopped(),
    )
    assert client.decrypt(b"wrapped", key_arn=KEY, context={}, recipient=b"document")
    members = json.loads(data[1:])
    assert (members["KeyId"], members.get("Plaintext") or None) == (KEY, None)


def imds(data: bytes) -> None:
    """As an identity document and its signature, user data, a region, a role's name, and a role's credentials."""
    refusals = 0
    asked = LeanImds(Answering(data))
    for ask in (asked.identity_document, asked.role_credentials, asked.user_data, asked.region):
        try:
            ask()
        except (FormatError, ServiceFault):
            refusals += 1
    assert LeanImds(Role(data)).role_credentials().access_key_id
    assert refusals


def s3(data: bytes) -> None:
    """What is returned is what came, whatever it is: a signature decides later."""
    client = S3Bundles(
        Answering(data),
        S3Place("acme", "globex/"),
        region=Region("eu-central-1"),
        credentials=lambda: Credentials("id", "secret", "t", NOW),
        clock=Stopped(),
    )
    assert client.fetch("db-password") == data[1:]


def s3_replies() -> list[bytes]:
    error = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    return [b"2sealed", b"4" + error, b"5<html>"]


def kms_replies() -> list[bytes]:
    good = {"KeyId": KEY, "CiphertextForRecipient": base64.b64encode(b"cms").decode()}
    refused = {"__type": "com.amazonaws#AccessDeniedException", "message": "no"}
    return [b"2" + json.dumps(good).encode(), b"4" + json.dumps(refused).encode(), b"5<html>"]


def imds_replies() -> list[bytes]:
    ends = (NOW + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    members = {"AccessKeyId": "id", "SecretAccessKey": "secret", "Token": "token", "Expiration": ends}
    return [b"2" + json.dumps(members).encode(), b"2role", b"4", b"2aGVsbG8="]


REFUSALS = (FormatError, NotAuthentic, KeyRefused, ServiceFault)
TARGETS = (
    Target("replies.kms", kms, kms_replies, REFUSALS, max_bytes=1_024),
    Target("replies.s3", s3, s3_replies, REFUSALS, max_bytes=1_024),
    Target("replies.imds", imds, imds_replies, REFUSALS, max_bytes=1_024),
)
