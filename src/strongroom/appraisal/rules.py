# SPDX-License-Identifier: Apache-2.0
"""The conditions that an appraisal policy is made of. Each is data: it holds what is acceptable, and compares.

A `Rule` answers with what keeps evidence from fitting; nothing means that it fits. Three more answers let
`strength` judge a whole policy before any document is there: which PCRs a rule pins, how old it lets a document be, and
which rules are inside. `AllOf` and `AnyOf` (composition.py) put rules together.

These rules are about NitroTPM evidence. PCRs of Nitro Enclaves have the same numbers and mean other things, so no rule
here ever looks at one (ATTACKS A11).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.errors import Finding, UsageError
from strongroom.formats.durations import say_duration
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import (
    ALWAYS_MEASURED,
    PCR_COUNT,
    RESETTABLE,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrDigests,
    PcrIndex,
)
from strongroom.ids import InstanceId, Region

_MOST_LISTED = 8
"""Names in a message; the finding itself carries all of them."""


class Rule(ABC):
    """One condition. Only subclasses count as rules, so that nothing else with the same methods becomes one."""

    __slots__ = ()

    @abstractmethod
    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:
        """Return what keeps `evidence` from fitting at `now` (with a zone); nothing when it fits."""

    def pins(self) -> frozenset[PcrIndex]:
        """Return the PCRs that are compared in every document that fits."""
        return frozenset()

    def age_limit(self) -> timedelta | None:
        """Return how old a document that fits can be; None when this rule does not limit it."""
        return None

    def inside(self) -> tuple[Rule, ...]:
        """Return the rules that this one is made of."""
        return ()

    def matched(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the alternatives inside that fit; nothing where there are none to choose from."""
        return ()


@dataclass(frozen=True, slots=True)
class PcrRule(Rule):
    """PCR `index` has one of `digests`, each of 48 bytes (SHA-384).

    Raises UsageError for an index or a length that cannot be, and for a reference of zeros where every boot measures
    (ATTACKS A12, A13). PCR 16 and 23 are compared and pin nothing: software can set them (A17).
    """

    index: PcrIndex
    digests: frozenset[bytes]

    def __post_init__(self) -> None:
        # A copy nobody else holds: what was looked at here is what will be compared later.
        object.__setattr__(self, "digests", frozenset(self.digests))
        expect_digests(self.index, self.digests, never_zero=ALWAYS_MEASURED)

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:  # noqa: ARG002
        """Return `pcr.absent` or `pcr.mismatch`, unless the PCR has one of the digests."""
        found = misfit(evidence.pcrs, self.index, self.digests)
        if found is None:
            return ()
        if found.found is None:
            return (found,)
        return (replace(found, meaning=pcr_sentence(self.index, evidence.pcrs[self.index])),)

    def pins(self) -> frozenset[PcrIndex]:
        """Return this PCR, unless software can set it."""
        return frozenset({self.index}) - RESETTABLE


@dataclass(frozen=True, slots=True)
class MaximumAge(Rule):
    """The document's timestamp is at most `limit` before now. Raises UsageError unless `limit` is positive."""

    limit: timedelta

    def __post_init__(self) -> None:
        if self.limit <= timedelta(0):
            raise UsageError("policy.age", f"expected an age above zero, found {self.limit}")

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:
        """Return `age.too-old` for an older document."""
        return too_old(evidence.timestamp, now, self.limit)

    def age_limit(self) -> timedelta:
        """Return the limit."""
        return self.limit


@dataclass(frozen=True, slots=True)
class Regions(Rule):
    """The instance runs in one of `regions`, by the name of the leaf certificate. Raises UsageError for none."""

    regions: frozenset[Region]

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", frozenset(self.regions))
        _expect_some(self.regions, "region")

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:  # noqa: ARG002
        """Return `region.mismatch` for another region."""
        if evidence.region in self.regions:
            return ()
        expected, found = tuple(sorted(self.regions)), evidence.region
        return (
            Finding(
                "region.mismatch",
                f"expected the region {_listed(expected)}, found {found}",
                expected=expected,
                found=found,
            ),
        )


@dataclass(frozen=True, slots=True)
class Instances(Rule):
    """The instance is one of `ids`, by the name of the leaf certificate. Raises UsageError for none."""

    ids: frozenset[InstanceId]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", frozenset(self.ids))
        _expect_some(self.ids, "instance id")

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:  # noqa: ARG002
        """Return `instance.mismatch` for another instance."""
        if evidence.instance_id in self.ids:
            return ()
        expected, found = tuple(sorted(self.ids)), evidence.instance_id
        return (
            Finding(
                "instance.mismatch",
                f"expected the instance {_listed(expected)}, found {found}",
                expected=expected,
                found=found,
            ),
        )


def expect_digests(index: PcrIndex, digests: Collection[bytes], *, never_zero: Collection[PcrIndex]) -> None:
    """Raise UsageError unless these can be reference values of PCR `index`, in a bank of SHA-384."""
    if not 0 <= index < PCR_COUNT:
        raise UsageError("policy.pcr-index", f"expected a PCR index from 0 to {PCR_COUNT - 1}, found {index}")
    _expect_some(digests, f"digest for PCR{index}")
    for digest in digests:
        if len(digest) != SHA384_BYTES:
            raise UsageError(
                "policy.digest-length", f"expected {SHA384_BYTES} bytes for PCR{index}, found {len(digest)}"
            )
    if index in never_zero and ZERO_SHA384 in digests:
        raise UsageError(
            "policy.zero-reference",
            f"expected a measured value for PCR{index}, found all zeros: nothing was measured",
            remedy="Firmware that measures a boot leaves no zeros there, so zeros would admit what was not measured.",
        )


def _expect_some(values: Collection[object], what: str) -> None:
    if not values:
        raise UsageError("policy.empty", f"expected at least one {what}, found none")


def _listed(values: tuple[str, ...]) -> str:
    more = len(values) - _MOST_LISTED
    return " or ".join(values[:_MOST_LISTED]) + (f" or one of {more} more" if more > 0 else "")


def misfit(pcrs: PcrDigests, index: PcrIndex, digests: Collection[bytes]) -> Finding | None:
    """Return why PCR `index` is not one of `digests`, or None when it is. An absent PCR is none (ATTACKS A13)."""
    found = pcrs.get(index)
    expected = tuple(sorted(digest.hex() for digest in digests))
    if found is None:
        return Finding("pcr.absent", f"expected PCR{index} in the document, found none", pcr=index, expected=expected)
    if found in digests:
        return None
    return Finding(
        "pcr.mismatch",
        f"expected PCR{index} = {' or '.join(expected)}, found {found.hex()}",
        pcr=index,
        expected=expected,
        found=found.hex(),
    )


def too_old(timestamp: datetime, now: datetime, limit: timedelta) -> tuple[Finding, ...]:
    """Return `age.too-old` when `timestamp` lies more than `limit` before `now`."""
    age = now - timestamp
    if age <= limit:
        return ()
    return (
        Finding(
            "age.too-old",
            f"expected a document no older than {say_duration(limit)}, found one of {say_duration(age)}",
            expected=(say_duration(limit),),
            found=say_duration(age),
        ),
    )
