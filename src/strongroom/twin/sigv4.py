# SPDX-License-Identifier: Apache-2.0
"""Verifies AWS Signature Version 4 in the Authorization header, as AWS's services do.

The expected signature is computed by botocore's own signer, so that what the twin accepts is what AWS's clients make;
parsing, times and refusals are ours. (IAM User Guide, "AWS Signature Version 4 for API requests"; the names of the
errors: "Common Errors" of the KMS and STS API References.)
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotocoreCredentials

from strongroom.formats.names import REGION
from strongroom.twin.accounts import Credentials
from strongroom.twin.fault import AwsFault, SignatureFault, Unsigned

MAX_SKEW = timedelta(minutes=5)
_EBS, _S3 = "ebs", "s3"
S3_MAX_SKEW = timedelta(minutes=15)
"""S3's own limit, RequestTimeTooSkewed (S3 API Reference, "Error responses")."""
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
UNSIGNED_PAYLOADS = frozenset({_UNSIGNED_PAYLOAD, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
"""What S3's clients may sign in the place of the body's hash (S3 API Reference, "Signature calculations")."""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_TIME = "%Y%m%dT%H%M%SZ"
_BASIC_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_CREDENTIAL_PARTS = 5


@dataclass(frozen=True, slots=True)
class SignedCall:
    """An HTTP request as it came: the path as it was sent, encoded. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is for."""

    date: str
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class AuthenticCall:
    """A call whose signature holds: who made it, to which region and service."""

    caller: Credentials
    scope: Scope
    call: SignedCall


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str


class _ExactSigner(SigV4Auth):
    """Botocore's signer over exactly the headers that the client says it signed."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers: HTTPHeaders = request.headers
        return headers


class _ExactS3Signer(S3SigV4Auth, _ExactSigner):
    """The same with S3's path, which is taken as it is: `a//b` and `a/../b` are keys of their own."""


def verify_signature(call: SignedCall, *, find: Callable[[str], Credentials | None], now: datetime) -> AuthenticCall:
    """Return who signed the call. Raises SignatureFault."""
    authorization = _parse(call)
    signed_at = _expect_current(call, authorization.scope, now)
    _expect_signed(call, authorization)
    caller = find(authorization.access_key_id)
    if caller is None:
        raise _unrecognized()
    _expect_token(call, caller, now)
    expected = _expected_signature(call, authorization, caller, signed_at)
    if not hmac.compare_digest(expected, authorization.signature):
        raise SignatureFault(
            Unsigned.MISMATCH,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return AuthenticCall(caller, authorization.scope, call)


def _parse(call: SignedCall) -> _Authorization:
    header = call.headers.get("authorization")
    if not header:
        raise SignatureFault(Unsigned.MISSING, "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(header.strip())
    parts = found["credential"].rsplit("/", _CREDENTIAL_PARTS - 1) if found else []
    if not found or len(parts) != _CREDENTIAL_PARTS or parts[-1] != "aws4_request":
        raise SignatureFault(
            Unsigned.INCOMPLETE,
            "Authorization header requires 'AWS4-HMAC-SHA256', then 'Credential', 'SignedHeaders' and 'Signature' "
            "parameters, with a credential of the form KEY/DATE/REGION/SERVICE/aws4_request.",
        )
    access_key_id, date, region, service, _ = parts
    if not REGION.fullmatch(region):  # it becomes a part of ARNs
        raise SignatureFault(Unsigned.MISMATCH, "Credential should be scoped to a valid region.")
    return _Authorization(
        access_key_id, Scope(date, region, service), tuple(found["headers"].split(";")), found["signature"]
    )


def _expect_current(call: SignedCall, scope: Scope, now: datetime) -> str:
    stated = call.headers.get("x-amz-date", "")
    try:
        at = datetime.fromisoformat(stated if _BASIC_TIME.fullmatch(stated) else "")
    except ValueError as error:
        raise SignatureFault(
            Unsigned.INCOMPLETE,
            "Date must be in ISO-8601 'basic format' in the header X-Amz-Date. Got "
            f"'{stated[:64]}'. See http://en.wikipedia.org/wiki/ISO_8601",
        ) from error
    if stated[:8] != scope.date:
        raise SignatureFault(
            Unsigned.MISMATCH,
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope.date}' "
            f"!= '{stated[:8]}', from '{stated}'.",
        )
    skew = S3_MAX_SKEW if scope.service == _S3 else MAX_SKEW
    limit = f"({now:{_TIME}} {{}} {skew // timedelta(minutes=1)} min.)"
    if at < now - skew:
        raise SignatureFault(
            Unsigned.SKEWED,
            f"Signature expired: {stated} is now earlier than {now - skew:{_TIME}} {limit.format('-')}",
        )
    if at > now + skew:
        raise SignatureFault(
            Unsigned.SKEWED,
            f"Signature not yet current: {stated} is still later than {now + skew:{_TIME}} {limit.format('+')}",
        )
    return stated


def _expect_signed(call: SignedCall, authorization: _Authorization) -> None:
    """Refuse a header that AWS reads and the signature does not cover, or one that is signed and absent."""
    for name in ("host", *sorted(name for name in call.headers if name.startswith("x-amz-"))):
        if name not in authorization.signed_headers:
            raise SignatureFault(Unsigned.MISMATCH, f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    for name in authorization.signed_headers:
        if name not in call.headers:
            raise SignatureFault(Unsigned.MISMATCH, f"The signed header '{name}' is absent from the request.")


def _unrecognized() -> SignatureFault:
    return SignatureFault(Unsigned.UNKNOWN_KEY, "The security token included in the request is invalid.")


def _expect_token(call: SignedCall, caller: Credentials, now: datetime) -> None:
    token = call.headers.get("x-amz-security-token", "")
    if not hmac.compare_digest(token.encode(), (caller.session_token or "").encode()):
        raise _unrecognized()
    if caller.expires is not None and now >= caller.expires:
        raise SignatureFault(Unsigned.EXPIRED_TOKEN, "The security token included in the request is expired")


def _expected_signature(call: SignedCall, authorization: _Authorization, caller: Credentials, at: str) -> str:
    _expect_body(call, authorization.scope)
    signer_type = _ExactS3Signer if authorization.scope.service == _S3 else _ExactSigner
    credentials = BotocoreCredentials(caller.access_key_id, caller.secret_access_key)
    signer = signer_type(credentials, authorization.scope.service, authorization.scope.region)
    request = AWSRequest(
        method=call.method,
        url=f"http://{call.headers['host']}{call.path}" + (f"?{call.query}" if call.query else ""),
        headers={name: call.headers[name] for name in authorization.signed_headers},
        data=call.body,
    )
    request.context["timestamp"] = at
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


def _expect_body(call: SignedCall, scope: Scope) -> None:
    """Refuse a body that is not what its header says, where there are no words in the place of the hash.

    S3's calls need the header. Raises AwsFault.
    """
    stated = call.headers.get("x-amz-content-sha256")
    if stated in _unsigned_payloads(call, scope) or (stated is None and scope.service != _S3):
        return
    if scope.service == _S3 and stated is not None and stated.startswith("STREAMING-"):
        raise AwsFault("NotImplemented", f"The twin takes no bodies of the kind {stated[:64]}.", status=501)
    if stated != hashlib.sha256(call.body).hexdigest():
        raise SignatureFault(
            Unsigned.PAYLOAD, "The header x-amz-content-sha256 is not the SHA-256 of the request's body."
        )


def _unsigned_payloads(call: SignedCall, scope: Scope) -> frozenset[str]:
    """Return what may be signed in the place of the body's hash.

    EBS's PutSnapshotBlock leaves its body out: its checksum stands in a header, which is signed (EBS API Reference).
    """
    if scope.service == _EBS and call.method == "PUT":
        return frozenset({_UNSIGNED_PAYLOAD})
    return UNSIGNED_PAYLOADS if scope.service == _S3 else frozenset()
