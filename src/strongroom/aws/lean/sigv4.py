# SPDX-License-Identifier: Apache-2.0
"""Signs requests with AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request")."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, and the token and the end that temporary ones have."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is for."""

    region: str
    service: str


def sign_post(
    headers: Mapping[str, str], body: bytes, *, credentials: Credentials, scope: Scope, now: datetime
) -> dict[str, str]:
    """Return the headers of a POST to `/` with X-Amz-Date, the token and Authorization added; all are signed.

    `headers` needs Host. Raises RuntimeError when it is missing.
    """
    return _sign("POST", "/", headers, body, credentials=credentials, scope=scope, now=now)


def sign_get(
    path: str, headers: Mapping[str, str], *, credentials: Credentials, scope: Scope, now: datetime
) -> dict[str, str]:
    """Return the headers of a GET without a body, as `sign_post` does; `path` is encoded as it goes over the wire.

    X-Amz-Content-Sha256, which S3 wants, is added. Raises RuntimeError for a path that could be read in two ways.
    """
    if not _PLAIN_PATH.fullmatch(path):
        raise RuntimeError("a signed path holds characters that no two parties encode differently")
    empty = {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()}
    return _sign("GET", path, {**headers, **empty}, b"", credentials=credentials, scope=scope, now=now)


def _sign(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    scope: Scope,
    now: datetime,
) -> dict[str, str]:
    at = f"{now:%Y%m%dT%H%M%SZ}"
    complete = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"x-amz-date": at}
    if "host" not in complete:
        raise RuntimeError("a signed request needs its Host header")
    if credentials.session_token is not None:
        complete["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(complete))
    lines = "".join(f"{name}:{complete[name]}\n" for name in sorted(complete))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    where = f"{at[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{at}\n{where}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(credentials, where), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{credentials.access_key_id}/{where}"
    complete["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return complete


def _signing_key(credentials: Credentials, where: str) -> bytes:
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in where.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
