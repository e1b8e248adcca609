# SPDX-License-Identifier: Apache-2.0
"""The condition operators, in ONE table, with what IAM does when the key is missing.

IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys". With
the key missing from the request: a positive operator is false, a negated one is true, any `...IfExists` is true,
`ForAllValues:` is true, `ForAnyValue:` is false, and `Null` is about nothing else. An operator that is not in the
table is an error when a policy is parsed; it is never just false. To add one, add a row.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import TypeAlias, TypeVar

from strongroom.keypolicy.patterns import Pieces, any_of, arn_parts, arn_pattern, plain_text, wildcard

Test: TypeAlias = Callable[[str], bool]
"""Does this one value of the request match any value of the policy?"""
_T = TypeVar("_T", datetime, Decimal)

_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)
"""W3C profile of ISO 8601 (https://www.w3.org/TR/NOTE-datetime); a time needs its zone."""
_EPOCH = re.compile(r"\d{1,11}(\.\d{1,6})?", re.ASCII)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


class ValueKind(enum.StrEnum):
    """What the values of a condition key are."""

    STRING = "String"
    ARN = "ARN"
    DATE = "Date"
    BOOL = "Boolean"
    NUMERIC = "Numeric"
    TIMESTAMP = "Timestamp"
    """Seconds since 1970: for date operators and for numeric ones (IAM User Guide, aws:EpochTime; KMS, kms:ValidTo)."""
    IP = "IPAddress"
    BINARY = "Binary"


class Quantifier(enum.StrEnum):
    """The set operators. Keys with several values need one."""

    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


def read_date(text: str) -> datetime:
    """Read an ISO 8601 date or seconds since 1970. Raises ValueError."""
    if _EPOCH.fullmatch(text):
        return _1970 + timedelta(microseconds=int(Decimal(text) * 1_000_000))
    if _DATE.fullmatch(text):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise ValueError(f"expected an ISO 8601 date with a zone or seconds since 1970, found {text!r}")


def read_number(text: str) -> Decimal:
    """Read a decimal number. Raises ValueError."""
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    raise ValueError(f"expected a decimal number, found {text!r}")


def read_boolean(text: str) -> bool:
    """Read true or false, in any case. Raises ValueError."""
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"expected true or false, found {text!r}")
    return text.lower() == "true"


def read_base64(text: str) -> bytes:
    """Read base64 (RFC 4648 section 4). Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"expected base64, found {text!r}") from error


READERS: dict[ValueKind, Callable[[str], object]] = {
    ValueKind.STRING: str,
    ValueKind.ARN: arn_parts,
    ValueKind.DATE: read_date,
    ValueKind.BOOL: read_boolean,
    ValueKind.NUMERIC: read_number,
    ValueKind.TIMESTAMP: read_number,
    ValueKind.IP: ip_address,
    ValueKind.BINARY: read_base64,
}
"""How a value of a request is read, by the kind of its key. Each raises ValueError."""


def _equals(values: tuple[Pieces, ...]) -> Test:
    return frozenset(map(plain_text, values)).__contains__


def _equals_ignore_case(values: tuple[Pieces, ...]) -> Test:
    wanted = frozenset(plain_text(value).lower() for value in values)
    return lambda value: value.lower() in wanted


def _arn_like(values: tuple[Pieces, ...]) -> Test:
    """Each of the six parts is matched by itself, so a star never reaches over a colon into the next part."""
    patterns = [tuple(wildcard(*part).fullmatch for part in arn_pattern(value)) for value in values if value != ("*",)]
    anything = ("*",) in values

    def matches(arn: str) -> bool:
        parts = arn_parts(arn)
        return anything or any(all(m(p) for m, p in zip(match, parts, strict=True)) for match in patterns)

    return matches


def _comparison(read: Callable[[str], _T], holds: Callable[[_T, _T], bool]) -> Callable[[tuple[Pieces, ...]], Test]:
    def compiled(values: tuple[Pieces, ...]) -> Test:
        bounds = tuple(read(plain_text(value)) for value in values)

        def matches(value: str) -> bool:
            seen = read(value)
            return any(holds(seen, bound) for bound in bounds)

        return matches

    return compiled


def _bool(values: tuple[Pieces, ...]) -> Test:
    wanted = frozenset(read_boolean(plain_text(value)) for value in values)
    return lambda value: read_boolean(value) in wanted


def _binary(values: tuple[Pieces, ...]) -> Test:
    wanted = frozenset(read_base64(plain_text(value)) for value in values)
    return lambda value: read_base64(value) in wanted


def _ip_address(values: tuple[Pieces, ...]) -> Test:
    networks = tuple(ip_network(plain_text(value)) for value in values)
    return lambda value: any(ip_address(value) in network for network in networks)


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: which kinds of key it is for, how its values compile (ValueError when they cannot), and its sense."""

    name: str
    kinds: frozenset[ValueKind]
    compile: Callable[[tuple[Pieces, ...]], Test]
    negated: bool = False

    @property
    def takes_variables(self) -> bool:
        """Tell whether policy variables may stand in its values: in strings and ARNs only (IAM User Guide)."""
        return ValueKind.ARN in self.kinds and self is not NULL


_TEXT = frozenset({ValueKind.STRING, ValueKind.ARN})
_ARN = frozenset({ValueKind.ARN})
_DATES = frozenset({ValueKind.DATE, ValueKind.TIMESTAMP})
_NUMBERS = frozenset({ValueKind.NUMERIC, ValueKind.TIMESTAMP})
_IP = frozenset({ValueKind.IP})
NULL = Operator("Null", frozenset(ValueKind), _bool)
"""True asks for the key to be absent, false for it to be there."""

OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        Operator("StringEquals", _TEXT, _equals),
        Operator("StringNotEquals", _TEXT, _equals, negated=True),
        Operator("StringEqualsIgnoreCase", _TEXT, _equals_ignore_case),
        Operator("StringNotEqualsIgnoreCase", _TEXT, _equals_ignore_case, negated=True),
        Operator("StringLike", _TEXT, any_of),
        Operator("StringNotLike", _TEXT, any_of, negated=True),
        # IAM documents ArnEquals and ArnLike as the same operator.
        Operator("ArnEquals", _ARN, _arn_like),
        Operator("ArnLike", _ARN, _arn_like),
        Operator("ArnNotEquals", _ARN, _arn_like, negated=True),
        Operator("ArnNotLike", _ARN, _arn_like, negated=True),
        Operator("DateEquals", _DATES, _comparison(read_date, datetime.__eq__)),
        Operator("DateNotEquals", _DATES, _comparison(read_date, datetime.__eq__), negated=True),
        Operator("DateLessThan", _DATES, _comparison(read_date, datetime.__lt__)),
        Operator("DateLessThanEquals", _DATES, _comparison(read_date, datetime.__le__)),
        Operator("DateGreaterThan", _DATES, _comparison(read_date, datetime.__gt__)),
        Operator("DateGreaterThanEquals", _DATES, _comparison(read_date, datetime.__ge__)),
        Operator("NumericEquals", _NUMBERS, _comparison(read_number, Decimal.__eq__)),
        Operator("NumericNotEquals", _NUMBERS, _comparison(read_number, Decimal.__eq__), negated=True),
        Operator("NumericLessThan", _NUMBERS, _comparison(read_number, Decimal.__lt__)),
        Operator("NumericLessThanEquals", _NUMBERS, _comparison(read_number, Decimal.__le__)),
        Operator("NumericGreaterThan", _NUMBERS, _comparison(read_number, Decimal.__gt__)),
        Operator("NumericGreaterThanEquals", _NUMBERS, _comparison(read_number, Decimal.__ge__)),
        Operator("Bool", frozenset({ValueKind.BOOL}), _bool),
        Operator("BinaryEquals", frozenset({ValueKind.BINARY}), _binary),
        Operator("IpAddress", _IP, _ip_address),
        Operator("NotIpAddress", _IP, _ip_address, negated=True),
        NULL,
    )
}
