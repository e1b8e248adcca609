# SPDX-License-Identifier: Apache-2.0
"""REST-JSON as the EBS direct APIs speak it: where each parameter and each member of a reply stands.

Paths, places and limits come from the API model. A value is looked at before any of the twin's own rules.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from botocore.model import OperationModel, Shape, StructureShape
from werkzeug.wrappers import Response

from strongroom.twin.api_model import input_of, output_of, service_model, violations
from strongroom.twin.ebs.fault import invalid_parameter
from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import SignedCall

MIMETYPE = "application/json"
_FEWEST_RESULTS = 100
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def find_operation(call: SignedCall) -> tuple[OperationModel, Mapping[str, str]]:
    """Return the operation that method and path name, with the parameters in the path. Raises AwsFault."""
    for method, pattern, operation in _routes():
        found = pattern.fullmatch(call.path) if method == call.method else None
        if found:
            return operation, found.groupdict()
    raise AwsFault(
        "UnknownOperationException", f"The EBS direct APIs have no {call.method} {call.path[:64]}.", status=404
    )


@functools.cache
def _routes() -> tuple[tuple[str, re.Pattern[str], OperationModel], ...]:
    model = service_model("ebs")
    operations = [model.operation_model(name) for name in model.operation_names]
    return tuple((each.http["method"], _pattern(each.http["requestUri"]), each) for each in operations)


def _pattern(uri: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", uri))


def read_parameters(operation: OperationModel, path: Mapping[str, str], call: SignedCall) -> dict[str, object]:
    """Return the parameters by their names in the API model. Raises AwsFault for what the model does not allow."""
    shape = input_of(operation)
    query = dict(parse_qsl(call.query, keep_blank_values=True))
    places = {"uri": path, "querystring": query, "header": call.headers}
    found: dict[str, object] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location is not None:
            wire_name = member.serialization["name"]
            text = places[location].get(wire_name.lower() if location == "header" else wire_name)
            found[name] = None if text is None else _value(member, text)
    payload = shape.serialization.get("payload")
    found |= {payload: call.body} if payload else _body(shape, call.body)
    broken = list(violations(shape, _with_enough_results(found)))
    if broken:
        word = "error" if len(broken) == 1 else "errors"
        raise invalid_parameter(f"{len(broken)} validation {word} detected: {'; '.join(broken)}")
    return {name: value for name, value in found.items() if value is not None}


def _value(shape: Shape, text: str) -> object:
    """Return what a text stands for; one that stands for nothing stays, for the model to refuse."""
    return int(text) if shape.type_name in {"integer", "long"} and _WHOLE.fullmatch(text) else text


def _body(shape: StructureShape, body: bytes) -> dict[str, object]:
    members = {name for name, member in shape.members.items() if "location" not in member.serialization}
    if not members:
        return {}
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AwsFault("SerializationException", "expected a JSON object") from error
    if not isinstance(found, dict):
        raise AwsFault("SerializationException", "expected a JSON object")
    return {name: found.get(name) for name in members}


def _with_enough_results(found: dict[str, object]) -> dict[str, object]:
    """Take fewer than a hundred results for a hundred (EBS User Guide, "EBS direct APIs FAQ"), against the model."""
    asked = found.get("MaxResults")
    if isinstance(asked, int):
        found["MaxResults"] = max(asked, _FEWEST_RESULTS)
    return found


def write_reply(operation: OperationModel, reply: Mapping[str, object]) -> Response:
    """Return a reply's members where the API model wants them."""
    shape = output_of(operation)
    payload = shape.serialization.get("payload")
    headers, members = {"x-amzn-RequestId": str(uuid.uuid4())}, {}
    for name, value in reply.items():
        member = shape.members[name]
        if member.serialization.get("location") == "header":
            headers[member.serialization["name"]] = str(value)
        elif name != payload:
            members[name] = _written(value)
    status = operation.http.get("responseCode", 200)
    if payload:
        return Response(_bytes(reply[payload]), status=status, headers=headers, mimetype="application/octet-stream")
    return Response(json.dumps(members), status=status, headers=headers, mimetype=MIMETYPE)


def _written(value: object) -> object:
    return round(value.timestamp(), 3) if isinstance(value, datetime) else value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes for the body, found {type(value)}")
    return value
