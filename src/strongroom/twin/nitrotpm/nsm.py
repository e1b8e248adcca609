# SPDX-License-Identifier: Apache-2.0
"""The Nitro Security Module behind a NitroTPM: it signs documents over the TPM's PCRs.

AWS publishes the messages (aws-nitro-enclaves-nsm-api, src/api/mod.rs), and that a NitroTPM passes them on; of the
answers, only those to Attestation are known of a NitroTPM. docs/twin.md says what is assumed of the others.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from strongroom.errors import FormatError
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.formats.cbor import Profile, decode_first
from strongroom.formats.nsm import (
    AttestationRequest,
    NsmDescription,
    NsmError,
    PcrRequest,
    PlainRequest,
    encode_attestation_response,
    encode_description,
    encode_error,
    encode_random_response,
    parse_request,
)
from strongroom.formats.pcrs import PCR_COUNT, PcrDigests

MAX_REQUEST_BYTES = 4096
"""NSM_REQUEST_MAX_SIZE of Linux's driver for the module (drivers/misc/nsm.c). Assumed of a NitroTPM's."""
RANDOM_BYTES = 256
"""As many as the module of an enclave gives at a time."""
_VERSION = (1, 0, 0)


class SecurityModule(Protocol):
    """Answers requests. Both are one CBOR item; what follows a request's is not looked at."""

    def answer(self, request: bytes, pcrs: PcrDigests) -> bytes:
        """Return the answer to a request, `pcrs` being the TPM's as they are. An error is an answer too."""


class AbsentModule:
    """What a TPM has that stands by itself: a module that is out of order."""

    def answer(self, _request: bytes, _pcrs: PcrDigests) -> bytes:
        """Return InternalError."""
        return encode_error(NsmError.INTERNAL_ERROR)


Signer = Callable[[AttestationRequest, PcrDigests], bytes]
"""Makes an attestation document that carries what was asked for, and these PCRs."""


class NitroSecurityModule:
    """The module of one TPM. `sign` makes its documents."""

    def __init__(self, module_id: str, sign: Signer) -> None:
        self._module_id = module_id
        self._sign = sign

    def answer(self, request: bytes, pcrs: PcrDigests) -> bytes:
        """Return the answer to a request; InvalidArgument to what is none, InputTooLarge to one that is too long."""
        try:
            _, size_bytes = decode_first(request, Profile.AWS)
            if size_bytes > MAX_REQUEST_BYTES:
                return encode_error(NsmError.INPUT_TOO_LARGE)
            asked = parse_request(request)
        except FormatError:
            return encode_error(NsmError.INVALID_ARGUMENT)
        if isinstance(asked, PcrRequest):  # PCRs are the TPM's business: the module has none to show or to change
            return encode_error(NsmError.INVALID_OPERATION)
        if isinstance(asked, PlainRequest):
            return self._plain(asked)
        return self._attest(asked, pcrs)

    def _attest(self, request: AttestationRequest, pcrs: PcrDigests) -> bytes:
        fields = (request.user_data, request.nonce, request.public_key)
        if any(field is not None and len(field) > MAX_FIELD_BYTES for field in fields):
            return encode_error(NsmError.INVALID_ARGUMENT)
        return encode_attestation_response(self._sign(request, pcrs))

    def _plain(self, request: PlainRequest) -> bytes:
        if request is PlainRequest.GET_RANDOM:
            return encode_random_response(secrets.token_bytes(RANDOM_BYTES))
        return encode_description(NsmDescription(_VERSION, self._module_id, PCR_COUNT, (), "SHA384"))
