# SPDX-License-Identifier: Apache-2.0
"""What the TPM remembers, as JSON: its dataclasses are the schema, so nothing that is remembered can be left out.

bytes are in base64, structures of the TPM in their own encoding and base64, tables are lists of pairs, enumerations are
numbers. Reading is strict: a field too many, one that is missing, or one of another kind is refused.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping

from strongroom.errors import FormatError
from strongroom.formats.tpm.nv_public import NvPublic, parse_nv_public
from strongroom.formats.tpm.public_area import PublicArea, parse_public_area

_STRUCTURES: dict[type, Callable[[bytes], object]] = {NvPublic: parse_nv_public, PublicArea: parse_public_area}


def to_json(value: object) -> object:
    """Return a value as `json` can write it. Raises TypeError for what is no part of a state."""
    if value is None or isinstance(value, enum.Enum | bool | int | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, NvPublic | PublicArea):
        return to_json(value.encode())
    if isinstance(value, dict | tuple):
        return [to_json(each) for each in (value.items() if isinstance(value, dict) else value)]
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is not part of the state of a TPM")


def from_json(kind: object, data: object, where: str) -> object:
    """Return the value of a kind, a type hint, that `to_json` wrote. Raises FormatError; `where` is for its message."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        (kind,) = (each for each in arguments if each is not types.NoneType)
        return None if data is None else from_json(kind, data, where)
    if origin is dict:
        pairs = (_list(each, where, size=2) for each in _list(data, where))
        return {from_json(arguments[0], key, where): from_json(arguments[1], each, where) for key, each in pairs}
    if origin is tuple:
        entries = _list(data, where, size=len(arguments))
        return tuple(from_json(each, entry, where) for each, entry in zip(arguments, entries, strict=True))
    if not isinstance(kind, type):
        raise TypeError(f"{kind} is not the type of any part of a state")
    return _STRUCTURES[kind](_bytes(data, where)) if kind in _STRUCTURES else _plain(kind, data, where)


def _plain(kind: type, data: object, where: str) -> object:
    if kind in {bytes, bytearray}:
        return kind(_bytes(data, where))
    if issubclass(kind, enum.Enum):
        if type(data) is not int or data not in {member.value for member in kind}:
            raise _refuse(where, kind.__name__, data)
        return kind(data)
    if dataclasses.is_dataclass(kind):
        return _record(kind, data, where)
    if type(data) is not kind:
        raise _refuse(where, kind.__name__, data)
    return data


def _record(kind: type, data: object, where: str) -> object:
    hints = _hints(kind)
    if not isinstance(data, dict) or data.keys() != hints.keys():
        raise _refuse(where, f"exactly {', '.join(hints)}", data)
    return kind(**{name: from_json(hint, data[name], f"{where}.{name}") for name, hint in hints.items()})


@functools.cache
def _hints(kind: type) -> Mapping[str, object]:
    return typing.get_type_hints(kind)


def _list(data: object, where: str, *, size: int | None = None) -> list[object]:
    if not isinstance(data, list) or (size is not None and len(data) != size):
        raise _refuse(where, "a list" if size is None else f"a list of {size}", data)
    return data


def _bytes(data: object, where: str) -> bytes:
    if not isinstance(data, str):
        raise _refuse(where, "base64", data)
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise FormatError("twin.tpm-state", f"{where}: expected base64: {error}") from error


def _refuse(where: str, expected: str, data: object) -> FormatError:
    return FormatError("twin.tpm-state", f"{where}: expected {expected}, found {type(data).__name__}")
