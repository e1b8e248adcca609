# SPDX-License-Identifier: Apache-2.0
"""How services answer with an error: each protocol has its own shape, and its own names for a bad signature.

Shapes: Smithy's AWS protocols, "awsJson1_1", "awsQuery", "ec2Query", "restXml" and "restJson1"; names and
statuses: "Common Errors" of the KMS and STS API References, EC2 API Reference, "Error codes", S3 API Reference, "Error
responses".
"""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from strongroom.twin.fault import AwsFault, SignatureFault, Unsigned
from strongroom.twin.xml_text import sayable

JSON_MIMETYPE = "application/x-amz-json-1.1"
_QUERY_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Wire(enum.Enum):
    """The protocols of AWS's services."""

    JSON = enum.auto()
    QUERY = enum.auto()
    EC2 = enum.auto()
    REST_XML = enum.auto()
    REST_JSON = enum.auto()


_QUERY_NAMES = {
    Unsigned.MISSING: ("MissingAuthenticationToken", 403),
    Unsigned.INCOMPLETE: ("IncompleteSignature", 400),
    Unsigned.MISMATCH: ("SignatureDoesNotMatch", 403),
    Unsigned.PAYLOAD: ("SignatureDoesNotMatch", 403),
    Unsigned.SKEWED: ("SignatureDoesNotMatch", 403),
    Unsigned.UNKNOWN_KEY: ("InvalidClientTokenId", 403),
    Unsigned.EXPIRED_TOKEN: ("ExpiredToken", 403),
}
_EC2_NAMES = {
    Unsigned.MISSING: ("MissingAuthenticationToken", 403),
    Unsigned.INCOMPLETE: ("IncompleteSignature", 400),
    Unsigned.MISMATCH: ("AuthFailure", 401),
    Unsigned.PAYLOAD: ("AuthFailure", 401),
    Unsigned.SKEWED: ("RequestExpired", 400),
    Unsigned.UNKNOWN_KEY: ("AuthFailure", 401),
    Unsigned.EXPIRED_TOKEN: ("RequestExpired", 400),
}
_S3_NAMES = {
    Unsigned.MISSING: ("AccessDenied", 403),
    Unsigned.INCOMPLETE: ("AuthorizationHeaderMalformed", 400),
    Unsigned.MISMATCH: ("SignatureDoesNotMatch", 403),
    Unsigned.PAYLOAD: ("XAmzContentSHA256Mismatch", 400),
    Unsigned.SKEWED: ("RequestTimeTooSkewed", 403),
    Unsigned.UNKNOWN_KEY: ("InvalidAccessKeyId", 403),
    Unsigned.EXPIRED_TOKEN: ("ExpiredToken", 400),
}
_NAMES: Mapping[Wire, Mapping[Unsigned, tuple[str, int]]] = {
    Wire.QUERY: _QUERY_NAMES,
    Wire.EC2: _EC2_NAMES,
    Wire.REST_XML: _S3_NAMES,
    Wire.REST_JSON: {reason: (reason.value.partition(",")[0], 403) for reason in Unsigned},
}


def refuse(wire: Wire, fault: AwsFault) -> Response:
    """Turn a fault into the error reply of a protocol."""
    name, status = fault.name, fault.status
    if isinstance(fault, SignatureFault):
        name, status = _NAMES.get(wire, {}).get(fault.reason, (name, status))
    if wire is Wire.REST_JSON:
        return _rest_json(name, {"Message": fault.message, **fault.members}, status)
    return _SHAPES[wire](name, fault.message, status)


def _json(name: str, message: str, status: int) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": name}
    body = json.dumps({"__type": name, "message": message})
    return Response(body, status=status, mimetype=JSON_MIMETYPE, headers=headers)


def _rest_json(name: str, members: Mapping[str, str], status: int) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": name}
    return Response(json.dumps(members), status=status, mimetype="application/json", headers=headers)


def _query(name: str, message: str, status: int) -> Response:
    return _xml(
        f'<ErrorResponse xmlns="{_QUERY_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(name)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>",
        status,
    )


def _ec2(name: str, message: str, status: int) -> Response:
    return _xml(
        f"<Response><Errors><Error><Code>{escape(name)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>",
        status,
    )


def _rest_xml(name: str, message: str, status: int) -> Response:
    return _xml(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(name)}</Code>'
        f"<Message>{escape(message)}</Message><RequestId>{uuid.uuid4()}</RequestId></Error>",
        status,
    )


def _xml(body: str, status: int) -> Response:
    return Response(sayable(body), status=status, mimetype="text/xml")


_SHAPES: Mapping[Wire, Callable[[str, str, int], Response]] = {
    Wire.JSON: _json,
    Wire.QUERY: _query,
    Wire.EC2: _ec2,
    Wire.REST_XML: _rest_xml,
}
