# SPDX-License-Identifier: Apache-2.0
"""AWS's Query protocol, as STS and IAM speak it (Smithy, "AWS Query protocol")."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import AuthenticCall


def parameters(call: AuthenticCall) -> dict[str, str]:
    """Return the parameters of a call, of its body or, for GET, of its query. Raises AwsFault for a repeated one."""
    text = call.call.body.decode("utf-8", "replace") if call.call.body else call.call.query
    pairs = parse_qsl(text, keep_blank_values=True)
    found = dict(pairs)
    if len(found) != len(pairs):  # services differ in which one counts
        raise AwsFault("MalformedInput", "A parameter stands in the request twice.")
    return found


def reply(action: str, namespace: str, members: Mapping[str, str | Mapping[str, str]]) -> Response:
    """Return the answer of an operation with these members."""
    body = (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{_members(members)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Response(body, mimetype="text/xml")


def _members(members: Mapping[str, str | Mapping[str, str]]) -> str:
    return "".join(
        f"<{name}>{escape(value) if isinstance(value, str) else _members(value)}</{name}>"
        for name, value in members.items()
    )
