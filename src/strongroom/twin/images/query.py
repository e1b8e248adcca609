# SPDX-License-Identifier: Apache-2.0
"""EC2's Query protocol, by the API model: a form in, XML out (Smithy, "AWS EC2 Query protocol")."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeAlias
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from strongroom.twin.api_model import NOT_NULL, input_of, output_of, service_model, violations
from strongroom.twin.fault import AwsFault
from strongroom.twin.xml_text import sayable

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
MAX_FIELDS = 20_000
"""A request with 10,000 accounts has some more than that many fields."""
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_FLAGS = {"true": True, "false": False}

Tree: TypeAlias = "dict[str, Tree | str]"


def read_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises AwsFault."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise AwsFault("MalformedQueryString", "The query string is malformed.") from error


def operation_model(name: str) -> OperationModel:
    """Return the API model of an operation of EC2."""
    return service_model("ec2").operation_model(name)


def read_parameters(operation: OperationModel, form: Mapping[str, str]) -> dict[str, object]:
    """Return the parameters by their names in the API model. Raises AwsFault for what the model does not allow."""
    shape = input_of(operation)
    found = _structure(shape, _tree(form))
    for broken in violations(shape, found):
        raise AwsFault(_name_of(broken), broken)
    return found


def _name_of(broken: str) -> str:
    """Return EC2's name of an error (EC2 Developer Guide, "Error codes for the Amazon EC2 API")."""
    if broken.endswith(NOT_NULL):
        return "MissingParameter"
    return "InvalidAMIName.Malformed" if " at 'name' " in broken else "InvalidParameterValue"


def _tree(form: Mapping[str, str]) -> Tree:
    """Take names apart: `A.1.B=c` is c in B in 1 in A."""
    root: Tree = {}
    for name, value in form.items():
        *path, last = name.split(".")
        node = root
        for step in path:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                raise AwsFault("MalformedQueryString", f"{name[:64]} is said twice.")
            node = below
        node[last] = value
    return root


def _structure(shape: StructureShape, tree: Tree) -> dict[str, object]:
    found = {name: _value(member, tree.get(_wire_name(name, member))) for name, member in shape.members.items()}
    return {name: value for name, value in found.items() if value is not None}


def _wire_name(name: str, member: Shape) -> str:
    wire_name = str(member.serialization.get("name", name))
    return wire_name[:1].upper() + wire_name[1:]


def _value(shape: Shape, node: Tree | str | None) -> object:
    """Return what a field stands for; one that stands for nothing stays, for the model to refuse."""
    if isinstance(node, dict):
        if isinstance(shape, ListShape):
            return list(_items(shape, node))
        return _structure(shape, node) if isinstance(shape, StructureShape) else None
    if node is not None and shape.type_name in {"integer", "long"} and _WHOLE.fullmatch(node):
        return int(node)
    return _FLAGS.get(node, node) if node is not None and shape.type_name == "boolean" else node


def _items(shape: ListShape, node: Tree) -> Iterator[object]:
    numbered = sorted((int(key), value) for key, value in node.items() if _NUMBER.fullmatch(key))
    for _, value in numbered:
        yield _value(shape.member, value)


def write_reply(operation: OperationModel, reply: Mapping[str, object]) -> ET.Element:
    """Return a reply as XML. An operation without output says `return`, true."""
    root = ET.Element(f"{operation.name}Response", xmlns=NAMESPACE)
    _leaf(root, "requestId", str(uuid.uuid4()))
    if operation.output_shape is None:
        _leaf(root, "return", "true")
    else:
        fill(root, output_of(operation), reply)
    return root


def fill(parent: ET.Element, shape: StructureShape, members: Mapping[str, object]) -> None:
    """Write the members of a structure, in the order of the model."""
    for name, member in shape.members.items():
        if members.get(name) is not None:
            _write(parent, str(member.serialization.get("name", name)), member, members[name])


def _write(parent: ET.Element, tag: str, shape: Shape, value: object) -> None:
    if isinstance(shape, ListShape) and isinstance(value, list | tuple):
        below = ET.SubElement(parent, tag)
        for each in value:
            _write(below, "item", shape.member, each)
    elif isinstance(shape, StructureShape) and isinstance(value, Mapping):
        fill(ET.SubElement(parent, tag), shape, value)
    else:
        _leaf(parent, tag, _text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(at: datetime) -> str:
    """Return a time as EC2 writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _leaf(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = sayable(text)
