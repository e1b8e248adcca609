# SPDX-License-Identifier: Apache-2.0
"""Bundles from S3: GetObject with the instance's role, and no other call (S3 API Reference, GetObject).

The bucket is in the path, not in the host's name: it comes from user data, and the name that TLS verifies stays the one
of the trust file. What comes back is hostile until its signature is verified, whoever owns the bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from strongroom.aws.lean.https import HttpReply, HttpsEndpoint, Limits
from strongroom.aws.lean.sigv4 import Credentials, Scope, sign_get
from strongroom.errors import ServiceFault
from strongroom.formats.bundle import MAX_BUNDLE_BYTES
from strongroom.formats.bundle_location import S3Place
from strongroom.formats.image_paths import BUNDLE_SUFFIX
from strongroom.ids import Region
from strongroom.ports import Clock

LIMITS = Limits(timeout=timedelta(minutes=10), maximum_bytes=MAX_BUNDLE_BYTES)
_OK = 200
_LEAST_SERVER_ERROR = 500
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
"""Of an error reply (S3 API Reference, "Error responses"). It serves a message, not a decision."""
_REMEDIES: Mapping[str, str] = {
    "AccessDenied": "The instance's role and the bucket's policy must both allow s3:GetObject on it. S3 says the same "
    "of a key that does not exist to a role without s3:ListBucket.",
    "NoSuchBucket": "User data names the bucket.",
    "NoSuchKey": "User data names the place; the file there is called as the bundle, with .bundle at its end.",
    "PermanentRedirect": "The bucket is in another Region: name it in user data as `region`.",
    "AuthorizationHeaderMalformed": "The bucket is in another Region: name it in user data as `region`.",
}


class S3Bundles:
    """A `BundleSource`: objects of one place. `credentials` is asked for each call: temporary ones end."""

    def __init__(
        self,
        endpoint: HttpsEndpoint,
        place: S3Place,
        *,
        region: Region,
        credentials: Callable[[], Credentials],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._place = place
        self._scope = Scope(region, "s3")
        self._credentials = credentials
        self._clock = clock

    def fetch(self, name: str) -> bytes:
        """Return the object `NAME.bundle` at the place, at most a bundle's size. Raises NotAuthentic, ServiceFault."""
        key = self._place.key_of(f"{name}{BUNDLE_SUFFIX}")
        path = f"/{self._place.bucket}/{key}"
        headers = sign_get(
            path,
            {"Host": self._endpoint.host_header},
            credentials=self._credentials(),
            scope=self._scope,
            now=self._clock.now(),
        )
        reply = self._endpoint.get(path, headers=headers, limits=LIMITS)
        if reply.status != _OK:
            raise _refusal(reply, f"s3://{self._place.bucket}/{key}")
        return reply.body


def _refusal(reply: HttpReply, where: str) -> ServiceFault:
    found = _CODE.search(reply.body[:4096])
    name = found[1].decode() if found else "an error without a name"
    return ServiceFault(
        "s3.refused",
        f"expected {where}, found HTTP status {reply.status}: {name}",
        retryable=reply.status >= _LEAST_SERVER_ERROR,
        remedy=_REMEDIES.get(name, ""),
    )
