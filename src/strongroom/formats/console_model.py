# SPDX-License-Identifier: Apache-2.0
"""What a saved console holds (docs/formats/console.md). Nothing of it is authentic.

A receipt is an attestation document that nobody asked for: the instance printed it when it booted, and nobody
challenged it. A failure is a claim that anybody can print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from strongroom.errors import FormatError, StrongroomError
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import EvidenceBytes, InstanceId

VERSION = 1
MAX_REMEDY_CHARACTERS = 512

_SPEC = "docs/formats/console.md"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of which every line is there. What its document says is true only if somebody verifies it."""

    name: str
    """CRC-32 of the document, 8 hex digits."""
    total: int
    """How many lines it has."""
    document: EvidenceBytes


@dataclass(frozen=True, slots=True)
class DamagedReceipt:
    """A receipt that cannot be put together. `str` says why."""

    name: str
    total: int
    missing: tuple[int, ...]
    """The lines that are damaged in both copies, or lost. Empty: all lines are there and do not belong together."""

    def __str__(self) -> str:
        if not self.missing:
            return f"the {self.total} lines of receipt {self.name} do not belong together"
        lines, verb = ("line", "is") if len(self.missing) == 1 else ("lines", "are")
        return f"{lines} {_ranges(self.missing)} of {self.total} of receipt {self.name} {verb} damaged"


@dataclass(frozen=True, slots=True)
class ConsoleFailure:
    """What an agent said of a failure. It has room for no secret: an error's message stays inside the machine."""

    code: str
    remedy: str
    pcrs: PcrDigests

    @classmethod
    def of(cls, error: StrongroomError, pcrs: PcrDigests) -> ConsoleFailure:
        """Return what may be printed of an error: its code and its remedy, not its message (ATTACKS B13)."""
        return cls(error.code, error.remedy[:MAX_REMEDY_CHARACTERS], pcrs)


@dataclass(frozen=True, slots=True)
class Console:
    """The records of a saved console."""

    receipts: tuple[Receipt | DamagedReceipt, ...]
    """In the order in which they end."""
    failures: tuple[ConsoleFailure, ...]
    """Each once, in the order in which they first appear."""
    unreadable: int
    """Beginnings of records of this version that hold none. Their other copy may be among what was read."""
    other_versions: int
    """Records of versions that this reader does not know."""
    instance_id: InstanceId | None
    """Whose console it is, if the file says so."""

    @property
    def complete(self) -> tuple[Receipt, ...]:
        """The receipts that are whole."""
        return tuple(receipt for receipt in self.receipts if isinstance(receipt, Receipt))

    @property
    def damaged(self) -> tuple[DamagedReceipt, ...]:
        """The receipts that are not."""
        return tuple(receipt for receipt in self.receipts if isinstance(receipt, DamagedReceipt))

    def last_receipt(self) -> Receipt:
        """Return the last receipt that is complete. Raises FormatError, which says what is missing."""
        if self.complete:
            return self.complete[-1]
        if self.damaged:
            raise FormatError(
                "console.damaged-receipt",
                f"expected a complete receipt, found none: {'; '.join(map(str, self.damaged[-_SHOWN:]))}",
                spec=_SPEC,
                remedy="Save the console again, soon after a boot and with --latest. EC2 keeps the last 64 KB.",
            )
        if self.other_versions:
            raise FormatError(
                "console.version",
                f"expected records of version {VERSION}, found {self.other_versions} of other versions",
                spec=_SPEC,
                remedy="A newer Strongroom may read them.",
            )
        codes = ", ".join(failure.code for failure in self.failures[-_SHOWN:]) or "none"
        raise FormatError(
            "console.no-receipt",
            f"expected a receipt in this console, found none; damaged records: {self.unreadable}; failures: {codes}",
            spec=_SPEC,
            remedy="An agent prints one when it boots. Save the console soon after a boot and with --latest.",
        )


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words: `1 to 16, 40 and 7 more`."""
    pairs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in run] for _, run in pairs]
    words = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs[:_SHOWN]]
    rest = sum(map(len, runs[_SHOWN:]))
    return ", ".join(words) + (f" and {rest} more" if rest else "")
