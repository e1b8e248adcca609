# SPDX-License-Identifier: Apache-2.0
"""How strong a policy is, found out from its structure: before any document, and whatever a document says.

`AllOf` pins what its rules pin together, `AnyOf` what every alternative pins. Beside that, each *way to fit* is looked
at, one choice for every `AnyOf` in the policy: a laxer alternative cannot hide behind a strict one. Each weakness is a
finding of its own. `policy` refuses them, or carries them as flags where its caller said so by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import reduce
from typing import TypeAlias

from strongroom.appraisal.composition import AllOf, AnyOf
from strongroom.appraisal.rules import PcrRule, Rule
from strongroom.errors import Finding, Severity
from strongroom.formats.measurements import CONSTANTS
from strongroom.formats.pcrs import ALWAYS_GATED, RESETTABLE, SECURE_BOOT_OFF_PCR7_SHA384, PcrIndex

Marks: TypeAlias = frozenset[bool]
_NO_WAY, _MARKED, _UNMARKED = Marks(), Marks({True}), Marks({False})
_PCR4, _PCR7 = PcrIndex(4), PcrIndex(7)
_OF_THE_PLATFORM = frozenset(map(PcrIndex, (0, 1, 3, 5, 6, *range(17, 23))))
"""EC2's firmware and its settings, and dynamic launch, which EC2 does not offer. None speaks of an image (K22)."""
_OF_ANY_IMAGE = {PcrIndex(index): {digest} for index, digest in CONSTANTS.items()} | {
    _PCR7: {SECURE_BOOT_OFF_PCR7_SHA384}
}
"""Values that every image shows which is booted as it is, without Secure Boot."""


def weaknesses(rule: Rule) -> tuple[Finding, ...]:
    """Return each weakness of a policy that consists of `rule`.

    The severity of all is WARNING, but for a PCR 7 that says nothing beside the whole gate set: NOTE.
    """
    rules = tuple(_everything_in(rule))
    missing = frozenset(ALWAYS_GATED) - rule.pins()
    return (
        *_partial(missing),
        *_constants_only(rule),
        *_secure_boot_off(rules, missing),
        *_pcr7_without_pcr4(rule),
        *_resettable(rules),
    )


def _everything_in(rule: Rule) -> Iterator[Rule]:
    waiting = [rule]
    while waiting:
        yield (each := waiting.pop())
        waiting.extend(each.inside())


def _ways(rule: Rule, look: Callable[[PcrRule], Marks]) -> Marks:
    """Return the marks that ways to fit can have: True where one of the rules it takes is marked by `look`, else False.

    A way that takes a rule without marks counts for nothing. Descends as deep as rules nest (composition.MAX_DEPTH).
    """
    if isinstance(rule, AnyOf):
        return frozenset().union(*(_ways(each, look) for each in rule.rules))
    if isinstance(rule, AllOf):
        return reduce(_both, (_ways(each, look) for each in rule.rules))
    return look(rule) if isinstance(rule, PcrRule) and rule.pins() else _UNMARKED


def _both(one: Marks, other: Marks) -> Marks:
    return frozenset(first or second for first in one for second in other)


def _partial(missing: Collection[PcrIndex]) -> Iterator[Finding]:
    if missing:
        yield _weakness("policy.partial", f"expected the gate set {_names(ALWAYS_GATED)}, found no {_names(missing)}")


def _constants_only(rule: Rule) -> Iterator[Finding]:
    if True in _ways(rule, _constant):
        yield _weakness(
            "policy.constants-only",
            "expected a PCR that tells images apart, such as PCR4, in every alternative, found one with nothing but "
            "values that every instance shows",
        )


def _constant(rule: PcrRule) -> Marks:
    if rule.index not in _OF_THE_PLATFORM and rule.digests.isdisjoint(_OF_ANY_IMAGE.get(rule.index, ())):
        return _NO_WAY
    return _UNMARKED if rule.index == _PCR7 else _MARKED  # PCR 7 alone has a finding of its own


def _secure_boot_off(rules: tuple[Rule, ...], missing: Collection[PcrIndex]) -> Iterator[Finding]:
    if any(_accepts_secure_boot_off(rule) for rule in rules):
        yield Finding(
            "policy.secure-boot-off",
            "expected a value of PCR7 that names keys, found the one of every machine with Secure Boot off: it says "
            "nothing about what booted",
            severity=Severity.WARNING if missing else Severity.NOTE,
            pcr=_PCR7,
        )


def _accepts_secure_boot_off(rule: Rule) -> bool:
    return isinstance(rule, PcrRule) and rule.index == _PCR7 and SECURE_BOOT_OFF_PCR7_SHA384 in rule.digests


def _pcr7_without_pcr4(rule: Rule) -> Iterator[Finding]:
    if True in _ways(rule, _keys):
        yield _weakness(
            "policy.pcr7-without-pcr4",
            "expected PCR4 beside PCR7, found PCR7 without it: it names keys, and every image that they ever signed "
            "has it, an old one too (B7), and one of another signer in db (B6)",
        )


def _keys(rule: PcrRule) -> Marks:
    if rule.index == _PCR4:
        return _NO_WAY
    return _MARKED if rule.index == _PCR7 and rule.digests != {SECURE_BOOT_OFF_PCR7_SHA384} else _UNMARKED


def _resettable(rules: tuple[Rule, ...]) -> Iterator[Finding]:
    named = {rule.index for rule in rules if isinstance(rule, PcrRule)}
    if found := named & RESETTABLE:
        yield _weakness("policy.resettable", f"{_names(found)} can be set by software: expected no rule on it")


def _weakness(code: str, message: str) -> Finding:
    return Finding(code, message, severity=Severity.WARNING)


def _names(indices: Collection[PcrIndex]) -> str:
    return ", ".join(f"PCR{index}" for index in sorted(indices))
