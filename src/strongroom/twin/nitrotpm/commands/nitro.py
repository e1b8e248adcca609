# SPDX-License-Identifier: Apache-2.0
"""AWS's vendor command: a message in an NV index goes to the Nitro Security Module, and its answer takes its place.

The command, its two handles, and that it takes an HMAC session for the index: AWS NitroTPM-Tools, nitro-tpm-attest.
What is refused, and with what, is not published; it is assumed to be as of NV_Read and NV_Write together.
"""

from __future__ import annotations

from strongroom.formats.nsm import NsmError, encode_error
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes, NvType
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.nv.access import check_read, check_write
from strongroom.twin.nitrotpm.nv.memory import store
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, NV_AUTH, NV_INDEX, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Access, NvIndex

_INDEX = 2


@command(Cc.AWS_NSM_REQUEST, handles=(NV_AUTH.authorized(), NV_INDEX), traits=Trait.NV, access=Access.WRITE)
def aws_nsm_request(chip: Chip, call: Call) -> Reply:
    """Replace the request in an NV index, which was written, by the security module's answer.

    The rest of the index is left as it was. Whether a NitroTPM takes an index that was never written is not known.
    """
    index = call.nv_index(_INDEX)
    _check_access(call, index)
    answer = _answer(chip, bytes(index.data))
    if len(answer) > len(index.data):
        answer = encode_error(NsmError.BUFFER_TOO_SMALL)
    if len(answer) > len(index.data):
        raise Refused(Rc.NV_RANGE)
    store(chip, index, answer)
    return DONE


def _check_access(call: Call, index: NvIndex) -> None:
    """Refuse whoever may not both read and write the index. That its own authorization may write was checked before."""
    if index.public.nv_type != NvType.ORDINARY:
        raise refusal.handle(Rc.ATTRIBUTES, _INDEX)
    if call.handles[0] == index.public.index:
        by_policy = call.authorizations.each[0].is_policy
        if not index.public.has(NvAttributes.POLICY_READ if by_policy else NvAttributes.AUTH_READ):
            raise Refused(Rc.AUTH_UNAVAILABLE)
    check_write(index, by=call.handles[0])
    check_read(index, by=call.handles[0])


def _answer(chip: Chip, request: bytes) -> bytes:
    values = {index: chip.pcrs.values.get((Alg.SHA384, index)) for index in range(PCR_COUNT)}
    known = {index: value for index, value in values.items() if value is not None}
    if len(known) != PCR_COUNT:  # no SHA-384 bank: there is nothing that a document could be about
        return encode_error(NsmError.INTERNAL_ERROR)
    return chip.security_module.answer(request, PcrDigests.of(known))
