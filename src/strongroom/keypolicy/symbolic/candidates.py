# SPDX-License-Identifier: Apache-2.0
"""The cases of one condition key, or of a few that always go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.keypolicy.condition_key import ConditionKey
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.grants import GRANT_OPERATIONS
from strongroom.keypolicy.kms_keys import ENCLAVE_IMAGE, ENCLAVE_PCR, NITROTPM_PCR
from strongroom.keypolicy.operators import ValueKind
from strongroom.keypolicy.symbolic.callers import SESSION, SHAPES
from strongroom.keypolicy.symbolic.demands import GRANT_OPERATIONS_KEY, Demand
from strongroom.keypolicy.symbolic.patterns import Pattern, Unreadable
from strongroom.keypolicy.symbolic.reading import Reading
from strongroom.keypolicy.symbolic.values import addresses, digests, moments, numbers, texts
from strongroom.keypolicy.symbolic.variables import CaseTest, sets_of, told_apart
from strongroom.keypolicy.symbolic.words import words
from strongroom.keypolicy.variables import Context

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""When a request is made if it does not matter when."""
_PCR0, _IMAGE = f"{ENCLAVE_PCR}0".lower(), ENCLAVE_IMAGE.lower()
_DIGEST_KEYS = (ENCLAVE_PCR.lower(), _IMAGE, NITROTPM_PCR.lower())
_PRINCIPAL_KEYS = ("kms:granteeprincipal", "kms:retiringprincipal")
CLOCK = ("aws:currenttime", "aws:epochtime")
GROUPS: dict[str, tuple[str, ...]] = {
    key: group
    for group in (
        CLOCK,
        (_PCR0, _IMAGE),  # KMS shows PCR0 of an enclave under both names
        ("kms:keyspec", "kms:customermasterkeyspec"),
        ("kms:keyusage", "kms:customermasterkeyusage"),
    )
    for key in group
}
"""Condition keys that are one fact."""
_USUAL = frozenset({"aws:securetransport", "aws:requestedregion", "aws:viaawsservice", "kms:grantisforawsresource"})
"""Keys that a request has unless something else is asked: they are tried with a value first, as a document's are."""
_ORDINARY = {
    "aws:requestedregion": "eu-central-1",
    "aws:sourcevpce": "vpce-00000000000000000",
    "aws:sourcevpc": "vpc-00000000000000000",
    "aws:principalorgid": "o-0000000000",
    "kms:viaservice": "other.eu-central-1.amazonaws.com",
    "kms:keyspec": "SYMMETRIC_DEFAULT",
    "kms:keyusage": "ENCRYPT_DECRYPT",
    "kms:keyorigin": "AWS_KMS",
    "kms:encryptionalgorithm": "SYMMETRIC_DEFAULT",
}
_GRANT_OPERATIONS = sorted(GRANT_OPERATIONS, key=lambda name: (name != "Decrypt", name))
_OTHER_TEXT, _OTHER_ARN = "other", "arn:aws:iam::999999999999:role/other"


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is asked of a condition key, or of the keys of a group: conditions and other demands."""

    keys: tuple[str, ...]
    readings: Sequence[Reading]
    demands: Sequence[Demand]

    @property
    def tests(self) -> list[CaseTest]:
        """Return all of it as tests of a case, and what `relations` asks of every key: that it is there, or true."""
        asked = [*(each.condition.holds for each in self.readings), *(each.holds for each in self.demands)]
        return [*asked, bool, lambda facts: ("true",) in facts.values()]

    def patterns(self) -> list[Pattern]:
        """Return the texts that it tells from others. Raises Unreadable."""
        found = [pattern for each in self.readings for pattern in each.patterns()]
        return found + [pattern for each in self.demands for pattern in each.patterns()]


def cases_of(sketch: Sketch) -> tuple[Context, ...]:
    """Return the cases of a key, or of the keys of a group. Raises Unreadable."""
    if sketch.keys == CLOCK:
        return told_apart(map(_at, moments(sketch.readings, NOW)), sketch.tests)
    key = sketch.keys[0]
    row = find_condition_key(key)
    if row is None:
        raise Unreadable("no such condition key is known")
    present, absent = _present(sketch, row), tuple[Context, ...](({},))
    usual = key in _USUAL or key.startswith(_DIGEST_KEYS)
    return told_apart([*present, *absent] if usual else [*absent, *present], sketch.tests)


def _present(sketch: Sketch, row: ConditionKey) -> Iterable[Context]:
    values = _values(sketch, row)
    if not row.multivalued:
        return [dict.fromkeys(sketch.keys, (value,)) for value in values]
    found = sets_of(sketch.keys[0], values, sketch.tests)
    if found is None:
        raise Unreadable("too many of its values are told apart to list their sets")
    return found


def _values(sketch: Sketch, row: ConditionKey) -> Sequence[str]:
    key, listed = sketch.keys[0], _LISTED.get(row.kind)
    if key == GRANT_OPERATIONS_KEY:
        return _GRANT_OPERATIONS
    if listed is not None:
        return listed(sketch.readings)
    if key.startswith(_DIGEST_KEYS):
        return digests(sketch.patterns())
    if key in _PRINCIPAL_KEYS:
        return words(sketch.patterns(), [*SHAPES, SESSION])
    other = _OTHER_ARN if row.kind is ValueKind.ARN else _OTHER_TEXT
    return texts(sketch.patterns(), row.kind, _ORDINARY.get(key, other))


def _at(moment: datetime) -> Context:
    text = moment.isoformat().replace("+00:00", "Z")
    return {"aws:currenttime": (text,), "aws:epochtime": (str(int(moment.timestamp())),)}


_LISTED: dict[ValueKind, Callable[[Sequence[Reading]], Sequence[str]]] = {
    ValueKind.BOOL: lambda _: ("false", "true"),
    ValueKind.NUMERIC: numbers,
    ValueKind.TIMESTAMP: lambda readings: numbers(readings, seconds=True),
    ValueKind.DATE: lambda readings: [_at(each)["aws:currenttime"][0] for each in moments(readings, NOW)],
    ValueKind.IP: addresses,
}
