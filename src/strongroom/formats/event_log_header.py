# SPDX-License-Identifier: Apache-2.0
"""The header of a crypto agile event log, TCG_EfiSpecIdEvent (PFP 1.06, section 10.4.5.1), and how a log is read."""

from __future__ import annotations

from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.fields import Fields
from strongroom.formats.pcrs import PcrBank

SPEC: Final = "TCG PC Client Platform Firmware Profile 1.06, section 10"
BANKS: Final = {bank.algorithm_id: bank for bank in PcrBank}
MAX_ALGORITHMS = 16
"""TPMs implement up to five; the table of the TCG Algorithm Registry has eight hash algorithms."""
MAX_DIGEST_BYTES = 64
"""The longest digest of a TPM 2.0 (TPMU_HA, TPM 2.0 part 2, section 10.3.1)."""

_SIGNATURE_BYTES = 16
_MAJOR = 2
_UINTN_SIZES = (1, 2)
"""32-bit and 64-bit firmware."""


class LogFields(Fields):
    """Fields of an event log; offsets count from the start of the log."""

    def __init__(self, data: bytes, *, spec: str, start: int = 0) -> None:
        super().__init__(data, spec=spec)
        self._start = start
        zeros, ones = (len(data.rstrip(filler)) for filler in (b"\0", b"\xff"))
        self._filler_from = min(zeros, ones)

    def truncated(self, message: str) -> FormatError:
        """Return the error for a log that ends too early."""
        return FormatError(
            "event-log.truncated",
            message,
            offset=self._start + self.offset,
            spec=self.spec,
            remedy="The log is not whole: read it again from where it came, and compare the sizes.",
        )

    def expect_no_filler(self) -> None:
        """Raise FormatError where nothing but zeros, or nothing but ones, is left."""
        if self.left_bytes and self.offset >= self._filler_from:
            raise FormatError(
                "event-log.filler",
                f"expected an event, found {self.left_bytes} bytes of filler",
                offset=self._start + self.offset,
                spec=self.spec,
                remedy="Cut off what follows the last event, as Linux does in binary_bios_measurements.",
            )


def parse_header(data: bytes, *, start: int) -> dict[int, int]:
    """Return the table of algorithms: TPM_ALG_ID to the size of its digests in bytes, in the order of the log.

    `data` is the header's event, which begins at byte `start` of the log. Raises FormatError.
    """
    fields = LogFields(data, spec=SPEC, start=start)
    fields.take(_SIGNATURE_BYTES, "the header's name")
    fields.number(4, "the platform class")
    fields.number(1, "the minor version")
    major = fields.number(1, "the major version")
    fields.number(1, "the errata version")
    uintn_size, count = fields.number(1, "the size of UINTN"), fields.number(4, "the number of algorithms")
    if major != _MAJOR or uintn_size not in _UINTN_SIZES or not 1 <= count <= MAX_ALGORITHMS:
        raise FormatError(
            "event-log.header",
            f"expected version {_MAJOR}, a UINTN of size 1 or 2 and 1 to {MAX_ALGORITHMS} algorithms, "
            f"found version {major}, size {uintn_size} and {count} algorithms",
            offset=start,
            spec=SPEC,
        )
    table = _table(fields, count, start)
    fields.sized(1, "the vendor's information")
    if fields.left_bytes:
        raise FormatError(
            "event-log.header",
            f"expected the end of the header, found {fields.left_bytes} more bytes",
            offset=start + fields.offset,
            spec=SPEC,
        )
    return table


def _table(fields: LogFields, count: int, start: int) -> dict[int, int]:
    table: dict[int, int] = {}
    for _ in range(count):
        offset = start + fields.offset
        algorithm, size = fields.number(2, "an algorithm"), fields.number(2, "the size of its digests")
        known = BANKS.get(algorithm)
        fits = 1 <= size <= MAX_DIGEST_BYTES if known is None else size == known.size_bytes
        if algorithm in table or not fits:
            raise FormatError(
                "event-log.algorithm",
                "expected each algorithm once, with the size of its digests, "
                f"found 0x{algorithm:04x} with {size} bytes",
                offset=offset,
                spec=SPEC,
            )
        table[algorithm] = size
    return table
