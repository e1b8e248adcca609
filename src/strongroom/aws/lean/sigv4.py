# SPDX-License-Identifier: Apache-2.0
"""Signs requests with AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request")."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"


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
    at = f"{now:%Y%m%dT%H%M%SZ}"
    complete = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"x-amz-date": at}
    if "host" not in complete:
        raise RuntimeError("a signed request needs its Host header")
    if credentials.session_token is not None:
        complete["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(complete))
    lines = "".join(f"{name}:{complete[name]}\n" for name in sorted(complete))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
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
