# SPDX-License-Identifier: Apache-2.0
"""Appraisal policies (RFC 9334): which measurements are acceptable.

A `MeasurementsPolicy` is a list of images, each a table from PCR to acceptable digests: a document fits when it fits
one image in every PCR of that image's table. Images are kept apart, because mixing the PCR 4 of one with the PCR 12 of
another would admit machines that nobody built.

Every image must name the gate set, PCR 2, 4, 12 and 13 (DESIGN 5.4 says what each of them stops). Whoever has to do
without says so by name, with `UnsafePartialMeasurementsPolicy`. PCR 16 and 23 can be set by software and are refused
(ATTACKS A17), and so is a reference of zeros for PCR 4 or 7, which would admit an unmeasured machine (A12).

Nitro Enclaves measure other things into the same numbers, so they have a policy type of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Self

from strongroom.errors import UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import ALWAYS_GATED, PCR_COUNT, RESETTABLE, SHA384_BYTES, ZERO_SHA384, PcrIndex

NEVER_ZERO = tuple(map(PcrIndex, (4, 7)))
"""A boot through UEFI measures into these, always."""

_ENCLAVE_IMAGE = PcrIndex(0)
_FIRST_EXTENDABLE_IN_ENCLAVE = 16

Image = Mapping[PcrIndex, Collection[bytes]]


@dataclass(frozen=True, slots=True)
class _PcrPolicy:
    """A list of images. `gates` must be named in each, `never` must not, `never_zero` have no reference of zeros."""

    images: tuple[Mapping[PcrIndex, frozenset[bytes]], ...]

    gates: ClassVar[frozenset[PcrIndex]] = frozenset()
    never: ClassVar[frozenset[PcrIndex]] = frozenset()
    never_zero: ClassVar[tuple[PcrIndex, ...]] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise UsageError("policy.empty", "expected at least one image that is acceptable, found none")
        # A copy nobody else holds: what was looked at here is what will be compared later.
        object.__setattr__(self, "images", tuple(map(_frozen, self.images)))
        for image in self.images:
            self._expect_gates(frozenset(image))
            for index, digests in image.items():
                self._expect_digests(index, digests)

    @classmethod
    def of(cls, *images: Image) -> Self:
        """Build from one table per acceptable image. Raises UsageError for a table that could not protect anything."""
        return cls(tuple(map(_frozen, images)))

    @classmethod
    def _expect_gates(cls, named: frozenset[PcrIndex]) -> None:
        if not named:
            raise UsageError("policy.empty", "expected at least one PCR in each image of the policy, found none")
        missing = cls.gates - named
        if missing:
            raise UsageError(
                "policy.partial",
                f"expected the gate set {_pcrs(cls.gates)}, found no {_pcrs(missing)}",
                remedy="Each stops an attack that leaves the others as they are; `--allow-partial` does without.",
            )
        resettable = cls.never & named
        if resettable:
            raise UsageError("policy.resettable", f"{_pcrs(resettable)} can be set by software: expected no rule on it")

    @classmethod
    def _expect_digests(cls, index: PcrIndex, digests: frozenset[bytes]) -> None:
        if not 0 <= index < PCR_COUNT:
            raise UsageError("policy.pcr-index", f"expected a PCR index from 0 to {PCR_COUNT - 1}, found {index}")
        if not digests:
            raise UsageError("policy.empty", f"expected at least one digest for PCR{index}, found none")
        for digest in digests:
            if len(digest) != SHA384_BYTES:
                raise UsageError(
                    "policy.digest-length", f"expected {SHA384_BYTES} bytes for PCR{index}, found {len(digest)}"
                )
        if index in cls.never_zero and ZERO_SHA384 in digests:
            raise UsageError(
                "policy.zero-reference",
                f"expected a measured value for PCR{index}, found all zeros: nothing was measured",
            )


@dataclass(frozen=True, slots=True)
class MeasurementsPolicy(_PcrPolicy):
    """Acceptable images of instances with NitroTPM, each with the whole gate set."""

    gates: ClassVar[frozenset[PcrIndex]] = frozenset(ALWAYS_GATED)
    never: ClassVar[frozenset[PcrIndex]] = RESETTABLE
    never_zero: ClassVar[tuple[PcrIndex, ...]] = NEVER_ZERO

    @classmethod
    def of_images(cls, *images: Measurements) -> Self:
        """Build from reference values, each with its own gates (DESIGN 5.4)."""
        return cls.of(*({index: (image.pcrs[index],) for index in image.gates} for image in images))


@dataclass(frozen=True, slots=True)
class UnsafePartialMeasurementsPolicy(MeasurementsPolicy):
    """Like `MeasurementsPolicy` without the demand for the gate set. What it leaves out, anybody may change."""

    gates: ClassVar[frozenset[PcrIndex]] = frozenset()


@dataclass(frozen=True, slots=True)
class EnclavePolicy(_PcrPolicy):
    """Acceptable Nitro Enclaves images. PCR 0 covers the image file; PCR 16 and up belong to the enclave's user."""

    gates: ClassVar[frozenset[PcrIndex]] = frozenset({_ENCLAVE_IMAGE})
    never: ClassVar[frozenset[PcrIndex]] = frozenset(map(PcrIndex, range(_FIRST_EXTENDABLE_IN_ENCLAVE, PCR_COUNT)))
    never_zero: ClassVar[tuple[PcrIndex, ...]] = (_ENCLAVE_IMAGE,)


def _frozen(image: Image) -> Mapping[PcrIndex, frozenset[bytes]]:
    return MappingProxyType({index: frozenset(digests) for index, digests in sorted(image.items())})


def _pcrs(indices: Collection[PcrIndex]) -> str:
    return ", ".join(f"PCR{index}" for index in sorted(indices))
