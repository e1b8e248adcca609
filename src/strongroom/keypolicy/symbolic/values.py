# SPDX-License-Identifier: Apache-2.0
"""Values of one condition key that stand for all its values: any other behaves like one of them.

Texts: see `words`. Numbers, moments and addresses lie on a line that the values of the policies cut into pieces: each
cut, and one value from each piece between two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import count

from strongroom.keypolicy.operators import ValueKind, read_date, read_number
from strongroom.keypolicy.symbolic.patterns import (
    ANYTHING,
    ARN,
    HEX,
    Letters,
    Pattern,
    Token,
    repeated,
)
from strongroom.keypolicy.symbolic.reading import Reading
from strongroom.keypolicy.symbolic.words import words

DIGESTS: tuple[Pattern, ...] = tuple(repeated(HEX, 2 * size) for size in (48, 32, 64))
"""PCRs of an attestation document as KMS shows them: SHA-384, or another hash, in lower-case hex."""
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND = tuple(sign * step for step in (timedelta(seconds=1), timedelta(microseconds=1)) for sign in (0, -1, 1))
_SMALLEST = Decimal("1e-18")
"""A number has 18 decimals at most (operators.read_number)."""
_BEYOND = Decimal(10**18)
"""Nor more than 18 digits before them."""
_MICRO = Decimal("1e-6")
_PRECISION = 60
"""Digits for sums of numbers of 18 + 18 digits."""
_MOST_SECONDS = Decimal(99_999_999_999)
"""Of a timestamp that date operators read (operators.read_date)."""
_NONE, _LONGEST = timedelta(0), timedelta(seconds=int(_MOST_SECONDS))
_ORDINARY = (IPv4Address("203.0.113.7"), IPv6Address("2001:db8::7"))
"""Addresses for documentation (RFC 5737, RFC 3849)."""


def texts(patterns: Sequence[Pattern], kind: ValueKind, ordinary: str) -> list[str]:
    """Return texts for a key of strings or ARNs; `ordinary` comes first. Raises Unreadable."""
    if kind is ValueKind.ARN:
        return [ordinary, *words(patterns, [ARN])]
    named = [_plain(pattern) for pattern in patterns]
    if None not in named:
        known = [text for text in named if text is not None]
        other = ordinary
        while other in known:
            other += "x"
        return [ordinary, other, *known, ""]
    return [ordinary, *words(patterns, [ANYTHING])]


def digests(patterns: Sequence[Pattern]) -> list[str]:
    """Return values for a PCR of a document: lower-case hex of a digest's length. Raises Unreadable."""
    lowered = [found for found in map(_in_hex, patterns) if found is not None]
    named = [_plain(pattern) for pattern in lowered]
    if None in named:
        return words(lowered, DIGESTS)
    lengths = {len(pattern) for pattern in DIGESTS}
    known = [text for text in named if text is not None and len(text) in lengths]
    other = next(text for text in _other_digests() if text not in known)
    return [other, *known]


def _other_digests() -> Iterator[str]:
    yield "ee" * 48
    yield from (f"{number:096x}" for number in count(0xEE))


def _in_hex(pattern: Pattern) -> Pattern | None:
    """Return a pattern with nothing but lower-case hex; None when it asks for something else."""
    found = tuple(map(_token_in_hex, pattern))
    return None if any(not token.letters.chars and not token.star for token in found) else found


@cache
def _token_in_hex(token: Token) -> Token:
    return Token(Letters(frozenset(filter(token.letters.has, HEX.chars))), token.star)


def _plain(pattern: Pattern) -> str | None:
    """Return the only text that a pattern matches, or None when there may be several."""
    if any(token.star or token.letters.others or len(token.letters.chars) != 1 for token in pattern):
        return None
    return "".join(char for token in pattern for char in token.letters.chars)


def numbers(readings: Iterable[Reading], *, seconds: bool = False) -> list[str]:
    """Return numbers; with `seconds`, such that date operators read them too: not negative, to the microsecond."""
    cuts = {_seconds(text) if "Date" in each.operator.name else read_number(text) for each, text in _pairs(readings)}
    step, found = (_MICRO if seconds else _SMALLEST), [Decimal(1)]
    with localcontext() as context:
        context.prec = _PRECISION
        for cut in sorted(cuts):
            found += [cut, cut - 1, cut + 1, cut - step, cut + step]
    if seconds:
        found = [max(Decimal(0), min(each, _MOST_SECONDS)).quantize(_MICRO, ROUND_FLOOR) for each in found]
    return [f"{each:f}" for each in found if abs(each) < _BEYOND]


def _seconds(text: str) -> Decimal:
    return Decimal((read_date(text) - _1970) // timedelta(microseconds=1)) * _MICRO


def moments(readings: Iterable[Reading], ordinary: datetime) -> list[datetime]:
    """Return moments from 1970 to 5138, the ordinary one first and whole seconds before others."""
    found = [ordinary, _1970]
    for each, text in _pairs(readings):
        cut = read_date(text) if "Date" in each.operator.name else _moment(read_number(text))
        found += [_1970 + since for since in (cut - _1970 + step for step in _AROUND) if _NONE <= since <= _LONGEST]
    return sorted(found, key=lambda moment: (moment != ordinary, moment.microsecond != 0))


def _moment(seconds: Decimal) -> datetime:
    limited = max(Decimal(0), min(seconds, _MOST_SECONDS))
    return _1970 + timedelta(microseconds=int(limited * 1_000_000))


def addresses(readings: Iterable[Reading]) -> list[str]:
    """Return IPv4 and IPv6 addresses: where each network begins, and where each one has ended."""
    found: list[IPv4Address | IPv6Address] = [*_ORDINARY, IPv4Address(0), IPv6Address(0)]
    for _, text in _pairs(readings):
        network = ip_network(text)
        found.append(network.network_address)
        if int(network.broadcast_address) + 1 < 1 << network.max_prefixlen:
            found.append(network.broadcast_address + 1)
    return list(map(str, found))


def _pairs(readings: Iterable[Reading]) -> Iterator[tuple[Reading, str]]:
    for each in readings:
        for text in each.texts:
            yield each, text
