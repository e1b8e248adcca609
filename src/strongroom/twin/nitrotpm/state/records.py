# SPDX-License-Identifier: Apache-2.0
"""Dataclasses of numbers, bytes and further dataclasses as bytes, and back: how a session leaves the TPM and returns.

Short, as a context has to fit into a command; `values` writes the same kinds as JSON, for a file.

It follows the declarations, so a field that is added to a session travels too. Only this TPM reads what it wrote, and
only after the HMAC was found good; so a malformed record is a mistake of ours.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints

from strongroom.formats.tpm.wire import Reader, sized

_NUMBER_BYTES = 9
"""Any number of 64 bits, with or without a sign."""
_NOTHING, _FALSE, _TRUE, _NUMBER, _BYTES, _RECORD = range(6)
_CONSTANTS = {_NOTHING: None, _FALSE: False, _TRUE: True}


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=Record)


def encode_record(record: Record) -> bytes:
    """Return the bytes of a dataclass. Raises TypeError for fields that are neither numbers, bytes nor dataclasses."""
    return b"".join(_encode(getattr(record, field.name)) for field in fields(record))


def _encode(value: object) -> bytes:
    if value is None:
        return bytes([_NOTHING])
    if isinstance(value, bool):
        return bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        return bytes([_NUMBER]) + value.to_bytes(_NUMBER_BYTES, signed=True)
    if isinstance(value, bytes):
        return bytes([_BYTES]) + sized(value)
    if is_dataclass(value) and not isinstance(value, type):
        return bytes([_RECORD]) + encode_record(value)
    raise TypeError(f"a {type(value).__name__} does not travel")


def read_record(reader: Reader, kind: type[R]) -> R:
    """Take a dataclass of a kind off. Raises TpmFormatError where the bytes end too early."""
    make: Callable[..., R] = kind
    return make(*(_read(reader, field_kind) for field_kind in _kinds(make)))


@functools.cache
def _kinds(kind: Callable[..., Record]) -> tuple[type[Any], ...]:
    """Return the type of each field; of one that may be None, the other."""
    hints = get_type_hints(kind)
    return tuple(_other_than_none(hint) for hint in hints.values())


def _other_than_none(hint: type[Any]) -> type[Any]:
    named: list[type[Any]] = [each for each in get_args(hint) if each is not types.NoneType] or [hint]
    (found,) = named
    return found


def _read(reader: Reader, kind: type[Any]) -> object:
    tag = reader.u8("the kind of a field")
    if tag == _NUMBER:
        number = int.from_bytes(reader.take(_NUMBER_BYTES, "a number"), signed=True)
        return kind(number) if issubclass(kind, enum.Enum) else number
    if tag == _BYTES:
        return reader.sized("a field")
    if tag == _RECORD:
        return read_record(reader, kind)
    return _CONSTANTS[tag]
