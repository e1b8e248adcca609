# SPDX-License-Identifier: Apache-2.0
"""Reads PCRs. A TPM gives eight at a time; together they are one moment, or they are read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from strongroom.errors import TpmFault, UsageError
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.pcr_selection import PcrSelection, read_pcr_selections
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.tpm.capabilities import active_banks
from strongroom.tpm.commands import pcr_read
from strongroom.tpm.connection import Connection, read_answer
from strongroom.tpm.faults import nonsense

EVERY_PCR = tuple(range(PCR_COUNT))
_MOST_AT_ONCE = 8
"""TPML_DIGEST has room for eight (Part 2, section 10.9.4)."""
_MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Piece:
    """One answer: the TPM's count of changes to PCRs, and the values of those that it chose to give."""

    counter: int
    values: Mapping[int, bytes]


def read_pcrs(connection: Connection, bank: Alg, indices: Collection[int] = EVERY_PCR) -> PcrDigests:
    """Return the values of PCRs as they were at one moment.

    Raises UsageError for a bank that is not active, TpmFault where PCRs change faster than they can be read.
    """
    active = active_banks(connection)
    if bank not in active:
        known = ", ".join(each.name for each in active) or "none"
        raise UsageError(
            "tpm.bank",
            f"expected a PCR bank that is active ({known}), found {bank.name}",
            remedy="Ask for one of those; which are active, the firmware decides.",
        )
    for _ in range(_MOST_ATTEMPTS):
        pieces = _read_all(connection, bank, frozenset(indices))
        if len({piece.counter for piece in pieces}) <= 1:
            values = {index: value for piece in pieces for index, value in piece.values.items()}
            return PcrDigests.of(values, size_bytes=HASH_BYTES[bank])
    raise TpmFault(
        "tpm.pcrs-moving",
        f"PCRs changed while they were read, {_MOST_ATTEMPTS} times",
        remedy="Something measures into them all the time. Try again when it has ended.",
    )


def _read_all(connection: Connection, bank: Alg, wanted: frozenset[int]) -> list[_Piece]:
    pieces = []
    while wanted:
        piece = _read_some(connection, bank, wanted)
        pieces.append(piece)
        wanted -= piece.values.keys()
    return pieces


def _read_some(connection: Connection, bank: Alg, wanted: frozenset[int]) -> _Piece:
    command = pcr_read((PcrSelection.of(bank, sorted(wanted)),))

    def read(reader: Reader) -> _Piece:
        counter = reader.u32("a counter")
        given = [index for each in read_pcr_selections(reader) if each.bank is bank for index in each.indices]
        count = reader.count(_MOST_AT_ONCE, "digests")
        if count != len(given):
            raise reader.refused(Rc.SIZE, f"expected as many digests as PCRs, {len(given)}, found {count}")
        return _Piece(counter, {index: _digest(reader, bank) for index in given})

    piece = read_answer(command, connection.run(command).parameters, read)
    if not piece.values or not piece.values.keys() <= wanted:
        raise nonsense(command, f"PCRs {sorted(piece.values)} where {sorted(wanted)} were asked for")
    return piece


def _digest(reader: Reader, bank: Alg) -> bytes:
    value = reader.sized("a digest")
    if len(value) != HASH_BYTES[bank]:
        raise reader.refused(Rc.SIZE, f"expected a digest of {HASH_BYTES[bank]} bytes, found {len(value)}")
    return value
