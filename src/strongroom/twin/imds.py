# SPDX-License-Identifier: Apache-2.0
"""The instance metadata service, version 2 only (EC2 User Guide, "Use the Instance Metadata Service").

A PUT with a time to live gives a token; a GET with the token reads; without one the answer is 401. Served are the
paths that an agent reads, no listings of folders and no other versions than `latest`; `pkcs7` (DSA) and `signature`
(RSA-1024) of the identity document are not, and answer 404.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import secrets
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from werkzeug.wrappers import Request, Response

from strongroom.ports import Clock
from strongroom.twin.accounts import Credentials

MAX_TOKEN_SECONDS = 21_600
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 -- the header's name
_TOKEN_PATH = "/latest/api/token"  # noqa: S105
_CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
_SECONDS = re.compile(r"[0-9]{1,9}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Profile:
    """The instance profile: a role's name, and credentials of it, new with each call."""

    role: str
    credentials: Callable[[], Credentials]


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What the service tells about one instance. One without a profile has no credentials."""

    instance_id: str
    image_id: str
    account_id: str
    region: str
    document: bytes
    document_rsa2048: Callable[[], bytes]
    """Signs the document; called when somebody asks for the signature."""
    profile: Profile | None
    user_data: bytes | None


class Imds:
    """The handler for one instance's listener."""

    def __init__(self, facts: InstanceFacts, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, datetime] = {}
        self._session: Credentials | None = None
        self._answers: dict[str, Callable[[], bytes | None]] = {
            "/latest/dynamic/instance-identity/document": lambda: facts.document,
            "/latest/dynamic/instance-identity/rsa2048": lambda: _base64_lines(facts.document_rsa2048()),
            "/latest/meta-data/instance-id": facts.instance_id.encode,
            "/latest/meta-data/ami-id": facts.image_id.encode,
            "/latest/meta-data/placement/region": facts.region.encode,
            "/latest/meta-data/placement/availability-zone": f"{facts.region}a".encode,
            "/latest/user-data": lambda: facts.user_data,
        }
        if facts.profile is not None:
            profile = facts.profile
            self._answers[_CREDENTIALS] = profile.role.encode
            self._answers[f"{_CREDENTIALS}{profile.role}"] = lambda: self._role_credentials(profile)

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        if not _is_address(request.host):
            return Response("403 - Forbidden\n", status=403)
        if request.path == _TOKEN_PATH:
            return self._token(request)
        if not self._knows(request.headers.get(_TOKEN_HEADER, "")):
            return Response("401 - Unauthorized\n", status=401)
        if request.method != "GET":
            return Response("405 - Method Not Allowed\n", status=405)
        found = self._answers.get(request.path)
        body = found() if found else None
        return Response("404 - Not Found\n", status=404) if body is None else Response(body, mimetype="text/plain")

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return Response("405 - Method Not Allowed\n", status=405)
        if "X-Forwarded-For" in request.headers:  # a proxy would hand the token to whoever is behind it
            return Response("403 - Forbidden\n", status=403)
        stated = request.headers.get(_TTL_HEADER, "")
        if not (_SECONDS.fullmatch(stated) and 1 <= int(stated) <= MAX_TOKEN_SECONDS):
            return Response("400 - Bad Request\n", status=400)
        token = secrets.token_urlsafe(40)
        with self._lock:
            now = self._clock.now()
            self._tokens = {each: expires for each, expires in self._tokens.items() if now < expires}
            self._tokens[token] = now + timedelta(seconds=int(stated))
        return Response(token, headers={_TTL_HEADER: stated}, mimetype="text/plain")

    def _knows(self, token: str) -> bool:
        with self._lock:
            expires = self._tokens.get(token)
        return expires is not None and self._clock.now() < expires

    def _role_credentials(self, profile: Profile) -> bytes:
        with self._lock:
            now = self._clock.now()
            if (
                self._session is None
                or self._session.expires is None
                or self._session.expires - now < timedelta(hours=1)
            ):
                self._session = profile.credentials()
            session = self._session
        expires = session.expires
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": f"{now:{_TIME}}",
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": f"{expires:{_TIME}}" if expires else None,
            },
            indent=2,
        ).encode()


def _is_address(host: str) -> bool:
    """Say whether a Host header names an address, or this machine.

    A browser that was told a foreign name for 127.0.0.1 (DNS rebinding) sends that name: its page must not get tokens.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    try:
        return name == "localhost" or bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def _base64_lines(data: bytes) -> bytes:
    """Encode as the service does: base64 in lines of 64 characters, without PEM armour."""
    return "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 64)).encode()
