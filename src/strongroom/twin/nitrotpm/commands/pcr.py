# SPDX-License-Identifier: Apache-2.0
"""PCRs: read, extended, reset, and which of them each bank has (Part 3, section 22)."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import DIGESTS
from strongroom.formats.tpm.wire import Reader, listed, sized, u8, u16, u32
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import BUFFER, PCR_SELECTIONS
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, PCR, PCR_OR_NULL, Parameter, Reply, Trait, command, permanent
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.pcrs import ALL_PCRS, SAVED

MOST_DIGESTS = 8
"""TPML_DIGEST has room for as many: who wants more PCRs asks again for the rest."""
_ROOT_OF_TRUST_PCRS = (0, 17)
"""Some bank must have the PCRs that H-CRTM and a dynamic launch extend."""
Digests = tuple[tuple[Alg, bytes], ...]


def _digests(reader: Reader) -> Digests:
    """Take TPML_DIGEST_VALUES off."""
    return tuple([reader.tagged(DIGESTS, Rc.HASH, "a digest") for _ in range(reader.count(len(DIGESTS), "digests"))])


def encode_digests(digests: Iterable[tuple[Alg, bytes]]) -> bytes:
    """Return TPML_DIGEST_VALUES."""
    return listed(u16(algorithm) + value for algorithm, value in digests)


@command(Cc.PCR_READ, PCR_SELECTIONS)
def pcr_read(chip: Chip, _call: Call, selections: tuple[PcrSelection, ...]) -> Reply:
    """Return the update counter, and the first MOST_DIGESTS of the PCRs with what they are."""
    left = MOST_DIGESTS
    read: list[PcrSelection] = []
    values: list[bytes] = []
    for each in chip.pcrs.present(selections):
        indices = each.indices[:left]
        left -= len(indices)
        read.append(PcrSelection.of(each.bank, indices))
        values += [sized(chip.pcrs.values[each.bank, index]) for index in indices]
    return Reply(u32(chip.pcrs.counter) + encode_pcr_selections(read) + listed(values))


@command(Cc.PCR_EXTEND, Parameter(_digests), handles=(PCR_OR_NULL.authorized(),), traits=Trait.NV)
def pcr_extend(chip: Chip, call: Call, digests: Digests) -> Reply:
    """Extend a PCR by a digest for each of some banks; the others stay."""
    extend(chip, call, digests)
    return DONE


@command(Cc.PCR_EVENT, BUFFER, handles=(PCR_OR_NULL.authorized(),), traits=Trait.NV)
def pcr_event(chip: Chip, call: Call, data: bytes) -> Reply:
    """Extend a PCR by the digest of some data, in every bank; return the digests."""
    digests = tuple((bank, digest(bank, data)) for bank in chip.pcrs.allocation)
    extend(chip, call, digests)
    return Reply(encode_digests(digests))


@command(Cc.PCR_RESET, handles=(PCR.authorized(),), traits=Trait.NV)
def pcr_reset(chip: Chip, call: Call) -> Reply:
    """Set a PCR to zeros in every bank, where that is allowed at all."""
    index = call.handles[0]
    if not chip.pcrs.may_reset(index, call.locality):
        raise Refused(Rc.LOCALITY)
    _begin_change(chip, index)
    chip.pcrs.reset(index)
    return DONE


def extend(chip: Chip, call: Call, digests: Iterable[tuple[Alg, bytes]]) -> None:
    """Extend the PCR under the first handle of a command; the NULL handle stands for none. Raises as `check_extend`."""
    check_extend(chip, call)
    index = call.handles[0]
    if index != Rh.NULL:
        _begin_change(chip, index)
        chip.volatile.pcrs.extend(index, digests)


def check_extend(chip: Chip, call: Call) -> None:
    """Raise Refused (LOCALITY) where the PCR under the first handle may not be extended from this locality."""
    index = call.handles[0]
    if index != Rh.NULL and not chip.volatile.pcrs.may_extend(index, call.locality):
        raise Refused(Rc.LOCALITY)


def _begin_change(chip: Chip, index: int) -> None:
    if index in SAVED:
        chip.void_shutdown()


@command(Cc.PCR_ALLOCATE, PCR_SELECTIONS, handles=(permanent(Rh.PLATFORM).authorized(),), traits=Trait.NV)
def pcr_allocate(chip: Chip, _call: Call, selections: tuple[PcrSelection, ...]) -> Reply:
    """Say which PCRs each bank has after the next start. Banks that are not named stay as they are."""
    wanted = dict(chip.next_banks)
    for selection in selections:
        wanted[selection.bank] = selection.mask
    if not all(any(mask >> index & 1 for mask in wanted.values()) for index in _ROOT_OF_TRUST_PCRS):
        raise Refused(Rc.PCR)
    chip.permanent.banks = wanted
    chip.volatile.reallocated = chip.changed = True
    needed_bytes = sum(HASH_BYTES[bank] * mask.bit_count() for bank, mask in wanted.items())
    return Reply(u8(1) + u32(ALL_PCRS.bit_count()) + u32(needed_bytes) + u32(_available_bytes()))


def _available_bytes() -> int:
    return sum(HASH_BYTES.values()) * ALL_PCRS.bit_count()
