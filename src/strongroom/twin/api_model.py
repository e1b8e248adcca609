# SPDX-License-Identifier: Apache-2.0
"""AWS's own description of a service, as botocore carries it: its operations, their shapes and their limits.

What a request may hold is read from there and written down nowhere else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""What a JSON escape such as `\\ud800` leaves behind without its other half (RFC 8259, section 8.2)."""

NOT_NULL = "not be null"
"""What is said of a required member that is not there."""


@functools.cache
def service_model(name: str) -> ServiceModel:
    """Return the description of a service, such as `ebs`. EC2's takes half a second, once."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def input_of(operation: OperationModel) -> StructureShape:
    """Return the shape of an operation's parameters."""
    return operation.input_shape or StructureShape("None", {"type": "structure", "members": {}})


def output_of(operation: OperationModel) -> StructureShape:
    """Return the shape of an operation's reply; one without members where it replies nothing."""
    return operation.output_shape or StructureShape("None", {"type": "structure", "members": {}})


def violations(shape: Shape, value: object, at: str = "") -> Iterator[str]:
    """Yield what is wrong with a value of a request, in the words of AWS's own validation. `at` is where it stands."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from _violations_of_members(shape, value, at)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for position, each in enumerate(value, start=1):
            yield from violations(shape.member, each, f"{at}.{position}.member")
    else:
        constraint = _broken(shape, value)
        if constraint:
            yield f"Value '{_shown(value)}' at '{at}' failed to satisfy constraint: Member must {constraint}"


def _violations_of_members(shape: StructureShape, members: dict[str, object], at: str) -> Iterator[str]:
    for name in shape.required_members:
        if members.get(name) is None:
            yield f"Value null at '{_step(at, name)}' failed to satisfy constraint: Member must {NOT_NULL}"
    for name, each in members.items():
        if each is not None and name in shape.members:
            yield from violations(shape.members[name], each, _step(at, name))


def _step(at: str, name: str) -> str:
    step = name[:1].lower() + name[1:]
    return f"{at}.{step}" if at else step


def _shown(value: object) -> str:
    return str(value)[:64]


def _broken(shape: Shape, value: object) -> str:
    if shape.type_name in {"integer", "long"}:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return _out_of_range(shape, value) if whole and isinstance(value, int) else "be a whole number"
    if shape.type_name == "boolean":
        return "" if isinstance(value, bool) else "be a boolean"
    if shape.type_name == "string":
        return _misshapen(shape, value) if isinstance(value, str) else "be a string"
    return "" if shape.type_name in {"blob", "timestamp"} else f"be a {shape.type_name}"


def _out_of_range(shape: Shape, value: int) -> str:
    if "min" in shape.metadata and value < shape.metadata["min"]:
        return f"have value greater than or equal to {shape.metadata['min']}"
    if "max" in shape.metadata and value > shape.metadata["max"]:
        return f"have value less than or equal to {shape.metadata['max']}"
    return ""


def _misshapen(shape: Shape, value: str) -> str:
    rules = shape.metadata
    if _SURROGATE.search(value):
        return "be whole characters"
    if len(value) < rules.get("min", 0):
        return f"have length greater than or equal to {rules['min']}"
    if "max" in rules and len(value) > rules["max"]:
        return f"have length less than or equal to {rules['max']}"
    if "enum" in rules and value not in rules["enum"]:
        return f"satisfy enum value set: [{', '.join(rules['enum'])}]"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        return f"satisfy regular expression pattern: {rules['pattern']}"
    return ""
