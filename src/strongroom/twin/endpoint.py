# SPDX-License-Identifier: Apache-2.0
"""One address for many services: a call is authenticated first, then handed to the service that its signature is for.

Which service that is stands in the credential scope and nowhere else: not in the host, the path or a header that
nobody signed. The reply to a call that is not authenticated has the shape of the service that it claims to be for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from strongroom.ports import Clock
from strongroom.twin.accounts import Credentials
from strongroom.twin.fault import AwsFault
from strongroom.twin.refusals import Wire, refuse
from strongroom.twin.sigv4 import AuthenticCall, SignedCall, verify_signature

MAX_BODY_BYTES = 1 << 20
"""KMS takes documents of up to 262,144 bytes, a third more in base64; what takes more says so."""
_CLAIM = re.compile(r"Credential=[^,\s]+/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Service:
    """What hangs behind the endpoint under one name: `answer` raises AwsFault, `wire` is how that is told."""

    answer: Callable[[AuthenticCall], Response]
    wire: Wire
    maximum_body_bytes: int = MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Answered:
    """One call and its end. `caller` is None for a call that nobody was believed to have signed.

    `fault` is what our own services refused with; others, such as moto's, tell it in the reply.
    """

    call: SignedCall | None
    service: str
    caller: Credentials | None
    status: int
    fault: AwsFault | None = None


class Endpoint:
    """The handler of both listeners. `services` are found by the name that signatures have for them: `kms`, `ec2`.

    `heard` is told each call after it was carried out and before the reply is sent, in the thread of the call.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        find: Callable[[str], Credentials | None],
        clock: Clock,
        heard: Callable[[Answered], None],
    ) -> None:
        self._services = services
        self._find = find
        self._clock = clock
        self._heard = heard

    def answer(self, request: Request) -> Response:
        """Authenticate a call and have it answered."""
        name = _claimed_service(request)
        claimed = self._services.get(name)
        wire = claimed.wire if claimed else _likely_wire(request)
        call: SignedCall | None = None
        caller: Credentials | None = None
        fault: AwsFault | None = None
        try:
            call = _read(request, claimed.maximum_body_bytes if claimed else MAX_BODY_BYTES)
            authentic = verify_signature(call, find=self._find, now=self._clock.now())
            caller = authentic.caller
            response = self._service(authentic.scope.service).answer(authentic)
        except AwsFault as refusal:
            fault = refusal
            response = refuse(wire, refusal)
        except HTTPException as error:  # werkzeug's own refusals, such as a body that is too large
            response = Response(error.description, status=error.code)
        self._heard(Answered(call, name, caller, response.status_code, fault))
        return response

    def _service(self, name: str) -> Service:
        if name not in self._services:
            known = ", ".join(sorted(self._services))
            raise AwsFault("UnknownOperationException", f"The twin knows the services {known}, not {name[:64]!r}.")
        return self._services[name]


def _claimed_service(request: Request) -> str:
    found = _CLAIM.search(request.headers.get("Authorization", ""))
    return found[1] if found else ""


def _likely_wire(request: Request) -> Wire:
    """Guess how the sender of a call that names no service of ours reads errors."""
    if request.mimetype.startswith("application/x-amz-json-"):
        return Wire.JSON
    return Wire.QUERY if request.method == "POST" else Wire.REST_XML


def _read(request: Request, maximum_bytes: int) -> SignedCall:
    """Take the call as it was sent: its path before anybody decoded it, for that is what was signed."""
    request.max_content_length = maximum_bytes
    body = request.get_data()
    if request.content_length is None and len(body) >= maximum_bytes:
        raise RequestEntityTooLarge  # a chunked body was cut off there, which werkzeug does not say
    return SignedCall(
        method=request.method,
        path=request.environ["REQUEST_URI"].partition("?")[0],
        query=request.query_string.decode("latin-1"),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
