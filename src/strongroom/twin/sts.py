# SPDX-License-Identifier: Apache-2.0
"""STS over the AWS Query protocol: GetCallerIdentity (AWS STS API Reference, version 2011-06-15)."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import AuthenticCall

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(call: AuthenticCall) -> Response:
    """Answer one call. Raises AwsFault for what the twin does not know."""
    form = parse_qs(call.call.body.decode("utf-8", "replace"))
    action = form.get("Action", [""])[0]
    if action != "GetCallerIdentity":
        raise AwsFault("InvalidAction", f"The twin's STS knows GetCallerIdentity, not {action!r}.")
    caller = call.caller
    body = (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(caller.caller_arn)}</Arn><UserId>{escape(caller.user_id)}</UserId>"
        f"<Account>{caller.principal.account_id}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return Response(body, mimetype="text/xml")
