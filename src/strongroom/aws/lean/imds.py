# SPDX-License-Identifier: Apache-2.0
"""The instance metadata service, version 2 (EC2 User Guide, "Use the Instance Metadata Service").

What it says is a location or a claim, never a reason to trust: the identity document comes with a signature that
somebody else verifies, and credentials are worth what KMS makes of them.
"""

from __future__ import annotations

import base64
import binascii
import json

from strongroom.aws.lean.https import HttpReply, MetadataEndpoint
from strongroom.aws.lean.sigv4 import Credentials
from strongroom.errors import FormatError, ServiceFault
from strongroom.formats.names import IAM_NAME, REGION
from strongroom.formats.times import parse_aws_time
from strongroom.ids import Region
from strongroom.ports import IdentityDocumentBytes

DEFAULT_URL = "http://169.254.169.254"
"""EC2 User Guide, "Use the Instance Metadata Service to access instance metadata"."""
_OK = 200
_NOT_FOUND = 404
_TOKEN_SECONDS = "60"  # noqa: S105 -- a time to live
_CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
_SPEC = "EC2 User Guide, instance metadata"


class LeanImds:
    """An `IdentitySource`, and where the role's credentials come from."""

    def __init__(self, endpoint: MetadataEndpoint) -> None:
        self._endpoint = endpoint

    def identity_document(self) -> IdentityDocumentBytes:
        """Return the identity document and its RSA-2048 PKCS#7, neither verified. Raises ServiceFault, FormatError."""
        token = self._token()
        document = self._get("/latest/dynamic/instance-identity/document", token)
        signature = self._get("/latest/dynamic/instance-identity/rsa2048", token)
        try:
            der = base64.b64decode(b"".join(signature.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise FormatError("imds.rsa2048", "expected a PKCS#7 signature in base64", spec=_SPEC) from error
        return IdentityDocumentBytes(document=document, rsa2048=der)

    def role_credentials(self) -> Credentials:
        """Return the temporary credentials of the instance's role. Raises ServiceFault, FormatError."""
        token = self._token()
        role = self._get(_CREDENTIALS, token).decode("ascii", "replace").strip()
        if not IAM_NAME.fullmatch(role):
            raise FormatError("imds.role", f"expected the name of one role, found {role[:80]!r}", spec=_SPEC)
        return _credentials(self._get(_CREDENTIALS + role, token))

    def user_data(self) -> bytes | None:
        """Return the instance's user data, None where it has none. Raises ServiceFault."""
        reply = self._endpoint.request("GET", "/latest/user-data", headers=self._token())
        return None if reply.status == _NOT_FOUND else _expect_ok(reply, "user data")

    def region(self) -> Region:
        """Return where the instance runs, unverified: for finding something, not for believing it.

        Raises ServiceFault, FormatError.
        """
        name = self._get("/latest/meta-data/placement/region", self._token()).decode("ascii", "replace")
        if not REGION.fullmatch(name):
            raise FormatError("imds.region", f"expected the name of a region, found {name[:80]!r}", spec=_SPEC)
        return Region(name)

    def _token(self) -> dict[str, str]:
        reply = self._endpoint.request(
            "PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
        )
        token = _expect_ok(reply, "a token").decode("ascii", "replace")
        if not _is_header_text(token):
            raise FormatError("imds.token", "expected a printable token", spec=_SPEC)
        return {"X-aws-ec2-metadata-token": token}

    def _get(self, path: str, token: dict[str, str]) -> bytes:
        return _expect_ok(self._endpoint.request("GET", path, headers=token), path)


def _expect_ok(reply: HttpReply, what: str) -> bytes:
    if reply.status != _OK:
        raise ServiceFault(
            "imds.refused",
            f"expected {what} from the metadata service, found HTTP status {reply.status}",
            retryable=reply.status >= 500,  # noqa: PLR2004 -- RFC 9110 section 15.6
            remedy="" if reply.status != _NOT_FOUND else "Does the instance have a role, and metadata switched on?",
        )
    return reply.body


def _credentials(body: bytes) -> Credentials:
    try:
        members = json.loads(body)
        expires = parse_aws_time(members["Expiration"])
        key_id, secret, token = members["AccessKeyId"], members["SecretAccessKey"], members["Token"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError("imds.credentials", "expected credentials of a role as JSON", spec=_SPEC) from error
    if not all(isinstance(text, str) and _is_header_text(text) for text in (key_id, secret, token)):
        raise FormatError("imds.credentials", "expected printable texts in the credentials", spec=_SPEC)
    return Credentials(key_id, secret, token, expires)


def _is_header_text(text: str) -> bool:
    """Say whether a text can go into an HTTP header as it is."""
    return bool(text) and text.isascii() and text.isprintable()
