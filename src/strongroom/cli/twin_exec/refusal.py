# SPDX-License-Identifier: Apache-2.0
"""What KMS does not tell and the twin knows: who refused, by which statement, and which PCR is another."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.cli.twin_exec.plan import Plan
from strongroom.errors import KeyRefused
from strongroom.formats.pcrs import ALWAYS_GATED, PcrIndex
from strongroom.formats.uki import parse_uki
from strongroom.measure.predict import payload_digests
from strongroom.twin.kms.decisions import DecisionRecord
from strongroom.twin.machine import Instance

_ON_PURPOSE = "This is --change-a-byte at work: without it, the image boots as it is."
_NONE_OF_YOURS = (
    "A stand-in booted, which the key does not open for: name the image that was measured with --image FILE."
)
_ANOTHER_IMAGE = (
    "The key does not open for what booted. If the change is meant, measure the image again and admit that: "
    "`strongroom measure IMAGE -o FILE`, then --measurements FILE."
)


def explained(refusal: KeyRefused, plan: Plan, instance: Instance, record: DecisionRecord) -> KeyRefused:
    """Return the refusal with the reason that the twin's KMS wrote down, and what to do about it."""
    moved = tuple(_moved(plan, instance))
    remedy = _remedy(plan) if moved else refusal.remedy
    told = KeyRefused(refusal.code, refusal.message, statement=record.statement, remedy=remedy)
    told.add_note(f"The twin knows why: {record.reason or record.error_message}")
    for line in moved:
        told.add_note(line)
    for line in _other_sections(plan):
        told.add_note(line)
    return told


def _remedy(plan: Plan) -> str:
    """Return what to do about another image than the admitted ones."""
    if plan.changed:
        return _ON_PURPOSE
    return _NONE_OF_YOURS if plan.image.stands_in else _ANOTHER_IMAGE


def _moved(plan: Plan, instance: Instance) -> Iterator[str]:
    """Yield the gated PCRs that are none of the admitted ones, with what was expected and seen."""
    for index in map(PcrIndex, sorted(ALWAYS_GATED)):
        seen = instance.pcrs[index]
        if all(seen != measurements.pcrs[index] for measurements in plan.admitted.values()):
            for name, measurements in plan.admitted.items():
                yield f"PCR {index}: expected {measurements.pcrs[index].hex()} ({name})"
            yield f"PCR {index}: found    {seen.hex()}"


def _other_sections(plan: Plan) -> Iterator[str]:
    """Yield which sections of the image differ from the only one admitted, if its file says what they were."""
    facts = [measurements.strongroom for measurements in plan.admitted.values()]
    if len(facts) != 1 or facts[0] is None or not facts[0].sections:
        return
    expected = dict(facts[0].sections)
    found = {name: digest.hex() for name, digest in payload_digests(parse_uki(plan.image.data)).items()}
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    yield f"Sections of the image that are others: {', '.join(names) or 'none; it is the stub or a header'}"
