# SPDX-License-Identifier: Apache-2.0
"""What a running twin tells about itself, at a path of the endpoint, to whoever has the token.

The token is a secret between the processes of one user: `twin up` writes it into its folder, `twin status` reads it
there. No bucket can have the path: names of buckets have no underscore.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request, Response

PATH = "/_strongroom/status"
HEADER = "X-Strongroom-Token"

_Handler = Callable[[Request], Response]


class StatusPage:
    """The page. `describe` gives what is on it."""

    def __init__(self, describe: Callable[[], Mapping[str, int]]) -> None:
        self.token = secrets.token_urlsafe(32)
        self._describe = describe

    def before(self, handler: _Handler) -> _Handler:
        """Return a handler that answers for this page, and leaves everything else to `handler`."""
        return lambda request: self._answer(request) if request.path == PATH else handler(request)

    def _answer(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), self.token.encode()):
            return Response("403 - Forbidden\n", status=403)
        return Response(json.dumps(self._describe()), mimetype="application/json")
