# SPDX-License-Identifier: Apache-2.0
"""Appraisal policies (RFC 9334, Appraisal Policy for Evidence): what a document has to fit, as one rule.

An `AppraisalPolicy` is a rule (rules.py, composition.py) that is strong as a whole: it pins the gate set, PCR 2, 4, 12
and 13 (docs/concepts.md says what each stops), in every alternative. Whoever has to do with less says so by name, with
`UnsafePartialPolicy`, which carries each weakness (strength.py) as a flag for whoever reads the verdict. PCR 16 and 23
can be set by software and never gate (ATTACKS A17); a reference of zeros for PCR 4 or 7, which would admit an
unmeasured machine, is refused in either (A12).

Images are kept apart, as alternatives: mixing the PCR 4 of one with the PCR 12 of another would admit machines that
nobody built.

Nitro Enclaves measure other things into the same numbers, so they have a policy type of their own (A11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Self

from strongroom.appraisal.composition import AnyOf, Image, image, measured_image
from strongroom.appraisal.evidence import VerifiedEnclaveEvidence, VerifiedEvidence
from strongroom.appraisal.rules import Rule, expect_digests, misfit
from strongroom.appraisal.strength import weaknesses
from strongroom.errors import Finding, Severity, UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import ALWAYS_MEASURED, PCR_COUNT, PcrIndex

_ENCLAVE_IMAGE = PcrIndex(0)
_EXTENDABLE_IN_ENCLAVE = frozenset(map(PcrIndex, range(16, PCR_COUNT)))


@dataclass(frozen=True, slots=True)
class AppraisalPolicy:
    """What documents of instances with NitroTPM have to fit. Raises UsageError for one that is weak."""

    rule: Rule
    flags: tuple[Finding, ...] = field(init=False, compare=False, repr=False)
    """What the reader of a verdict should know about this policy; none is a reason to refuse a document."""

    never_zero: ClassVar[tuple[PcrIndex, ...]] = ALWAYS_MEASURED

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule):
            raise TypeError(f"expected a rule, found {type(self.rule).__name__}")
        flags = weaknesses(self.rule)
        self._expect_strength([flag for flag in flags if flag.severity is Severity.WARNING])
        object.__setattr__(self, "flags", flags)

    @classmethod
    def of(cls, *images: Image) -> Self:
        """Build from one table per acceptable image. Raises UsageError for a table that could not protect anything."""
        return cls(AnyOf(tuple(map(image, images))))

    @classmethod
    def of_images(cls, *images: Measurements) -> Self:
        """Build from reference values, each with its own gates."""
        return cls(AnyOf(tuple(map(measured_image, images))))

    @property
    def max_age(self) -> timedelta | None:
        """How old a document that fits can be; None where the policy does not limit it in every alternative."""
        return self.rule.age_limit()

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:
        """Return what keeps `evidence` from fitting at `now`; nothing when it fits."""
        return self.rule.misfits(evidence, now=now)

    def matched(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[str, ...]:
        """Return the names of the alternatives that fit, for evidence that the policy accepts."""
        return self.rule.matched(evidence, now=now)

    def _expect_strength(self, weak: list[Finding]) -> None:
        if weak:
            raise UsageError(
                weak[0].code,
                "; ".join(flag.message for flag in weak),
                remedy="Each gate stops an attack that leaves the others as they are; `--allow-partial` does without.",
            )


@dataclass(frozen=True, slots=True)
class UnsafePartialPolicy(AppraisalPolicy):
    """Like `AppraisalPolicy`, and weak if its rule is: what it does not pin may be anything. `flags` says what."""

    def _expect_strength(self, weak: list[Finding]) -> None:
        """Accept every weakness; it stays among the flags."""


@dataclass(frozen=True, slots=True)
class EnclavePolicy:
    """Acceptable Nitro Enclaves images. PCR 0 covers the image file; PCR 16 and up belong to the enclave's user."""

    images: tuple[Mapping[PcrIndex, frozenset[bytes]], ...]

    never_zero: ClassVar[tuple[PcrIndex, ...]] = (_ENCLAVE_IMAGE,)
    max_age: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not self.images:
            raise UsageError("policy.empty", "expected at least one image that is acceptable, found none")
        # A copy nobody else holds: what was looked at here is what will be compared later.
        object.__setattr__(self, "images", tuple(map(_frozen, self.images)))
        for each in self.images:
            _expect_enclave_pcrs(each)

    @classmethod
    def of(cls, *images: Image) -> Self:
        """Build from one table per acceptable image. Raises UsageError for a table that could not protect anything."""
        return cls(tuple(map(_frozen, images)))

    def misfits(self, evidence: VerifiedEnclaveEvidence) -> tuple[Finding, ...]:
        """Return nothing if one image fits, else what keeps the nearest one from fitting."""
        each = (tuple(misfit(evidence.pcrs, *rule) for rule in table.items()) for table in self.images)
        return min((tuple(finding for finding in found if finding) for found in each), key=len)


def _frozen(table: Image) -> Mapping[PcrIndex, frozenset[bytes]]:
    return MappingProxyType({index: frozenset(digests) for index, digests in sorted(table.items())})


def _expect_enclave_pcrs(table: Mapping[PcrIndex, frozenset[bytes]]) -> None:
    if _ENCLAVE_IMAGE not in table:
        raise UsageError("policy.partial", "expected PCR0, the enclave's image, found no rule on it")
    if own := table.keys() & _EXTENDABLE_IN_ENCLAVE:
        names = ", ".join(f"PCR{index}" for index in sorted(own))
        raise UsageError("policy.resettable", f"{names} can be set in the enclave: expected no rule on it")
    for index, digests in table.items():
        expect_digests(index, digests, never_zero=(_ENCLAVE_IMAGE,))
