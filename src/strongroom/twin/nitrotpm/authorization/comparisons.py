# SPDX-License-Identifier: Apache-2.0
"""TPM_EO: how PolicyNV and PolicyCounterTimer compare what is there with what should be (Part 2, section 6.8)."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Mapping

from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.registry import Parameter


class Comparison(enum.IntEnum):
    """TPM_EO. Operands have one length; they are big-endian numbers, in two's complement where SIGNED.

    Other TPMs, libtpms among them, compare two negative numbers the other way round; do not build a policy on that.
    """

    EQ = 0x0
    NEQ = 0x1
    SIGNED_GT = 0x2
    UNSIGNED_GT = 0x3
    SIGNED_LT = 0x4
    UNSIGNED_LT = 0x5
    SIGNED_GE = 0x6
    UNSIGNED_GE = 0x7
    SIGNED_LE = 0x8
    UNSIGNED_LE = 0x9
    BITSET = 0xA
    """Every bit of the second operand is set in the first."""
    BITCLEAR = 0xB
    """Every bit of the second operand is clear in the first."""

    def holds(self, there: bytes, wanted: bytes) -> bool:
        """Say whether what is there compares like this with what is wanted."""
        signed = self.name.startswith("SIGNED")
        numbers = (int.from_bytes(operand, signed=signed) for operand in (there, wanted))
        return _TESTS[self](*numbers)


_TESTS: Mapping[Comparison, Callable[[int, int], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.NEQ: operator.ne,
    Comparison.SIGNED_GT: operator.gt,
    Comparison.UNSIGNED_GT: operator.gt,
    Comparison.SIGNED_LT: operator.lt,
    Comparison.UNSIGNED_LT: operator.lt,
    Comparison.SIGNED_GE: operator.ge,
    Comparison.UNSIGNED_GE: operator.ge,
    Comparison.SIGNED_LE: operator.le,
    Comparison.UNSIGNED_LE: operator.le,
    Comparison.BITSET: lambda there, wanted: there & wanted == wanted,
    Comparison.BITCLEAR: lambda there, wanted: there & wanted == 0,
}


def _comparison(reader: Reader) -> Comparison:
    return Comparison(reader.choice(set(Comparison), Rc.VALUE, "comparison"))


COMPARISON = Parameter(_comparison)
