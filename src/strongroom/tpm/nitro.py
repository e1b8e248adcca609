# SPDX-License-Identifier: Apache-2.0
"""AWS's vendor command: a NitroTPM passes a message to the Nitro Security Module, which signs documents.

`NitroTpm` is an `EvidenceSource`. It sends what AWS's `nitro-tpm-attest` sends, in that order, over one connection; the
one difference is argued in docs/adr/0008-endorsement-key-stays-transient.md:

 1. make the endorsement key; sessions are salted with it
 2. in an encrypted session: define an NV index, write the request into it, and look at the index again
 3. in a second session: the vendor command, which replaces the request by the answer
 4. in a third, encrypted one: read the answer
 5. remove the index; flush the key

Source: AWS NitroTPM-Tools, nitro-tpm-attest 1.0.2.
"""

from __future__ import annotations

from pathlib import Path

from strongroom.errors import FormatError, TpmFault
from strongroom.formats.nsm import AttestationRequest, NsmError, encode_attestation_request, parse_attestation_response
from strongroom.ids import EvidenceBytes, SpkiDer
from strongroom.ports import TpmTransport
from strongroom.tpm.command import Key
from strongroom.tpm.commands import aws_nsm_request
from strongroom.tpm.connection import Connection
from strongroom.tpm.device import open_tpm
from strongroom.tpm.nv_buffer import MESSAGE_BYTES, MessageBuffer, message_buffer
from strongroom.tpm.primary import salt_key
from strongroom.tpm.session import VENDOR_SESSION, Session, salted_session

_TRUNCATED = "cbor.truncated"


class NitroTpm:
    """The NitroTPM behind a transport. `message_bytes` is the size of the NV index; AWS's tool makes it 8,192."""

    def __init__(self, transport: TpmTransport, *, message_bytes: int = MESSAGE_BYTES) -> None:
        self._connection = Connection(transport)
        self._message_bytes = message_bytes

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document, as it came: nobody has verified it.

        Raises UsageError for a field of more than 1,024 bytes, TpmFault for everything that the TPM or the NSM refuses.
        """
        request = encode_attestation_request(
            AttestationRequest(user_data=user_data, nonce=nonce, public_key=public_key)
        )
        with salt_key(self._connection) as key:  # step 1
            return ask_for_document(self._connection, key, request, message_bytes=self._message_bytes)


class NitroTpmDevice:
    """The NitroTPM of this machine, opened for each document: between them other programs can have it.

    `path` is as for `open_tpm`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document, as it came. Raises as `open_tpm` and as `NitroTpm.attest`."""
        with open_tpm(self._path) as tpm:
            return NitroTpm(tpm).attest(public_key=public_key, nonce=nonce, user_data=user_data)


def ask_for_document(
    connection: Connection, key: Key, request: bytes, *, message_bytes: int = MESSAGE_BYTES
) -> EvidenceBytes:
    """Take steps 2 to 5 with a key for sessions that is there already. Raises TpmFault."""
    with message_buffer(connection, key, request, size_bytes=message_bytes) as buffer:  # steps 2, 5
        with salted_session(connection, key, VENDOR_SESSION) as session:  # step 3
            connection.run(aws_nsm_request(buffer.entity), session)
        with salted_session(connection, key) as session:  # step 4
            answer = _read(buffer, session)
    if isinstance(answer, NsmError):
        raise TpmFault(
            "nsm.refused",
            f"the Nitro Security Module refused the request: {answer}",
            remedy="InvalidArgument: a field is longer than 1,024 bytes. Otherwise try again.",
        )
    return EvidenceBytes(answer)


def _read(buffer: MessageBuffer, session: Session) -> bytes | NsmError:
    """Read until the answer is whole: it says how long it is, and the rest of the index is left over."""
    data = b""
    while piece := buffer.read(session, len(data)):
        data += piece
        try:
            return parse_attestation_response(data)
        except FormatError as error:
            if error.code != _TRUNCATED:
                raise _nonsense(str(error)) from error
    raise _nonsense(f"it does not end within {len(data)} bytes")


def _nonsense(why: str) -> TpmFault:
    return TpmFault(
        "nsm.answer",
        f"expected a document or an error from the Nitro Security Module, found something malformed: {why}",
        remedy="Somebody may sit between this program and the TPM. Nothing of the answer was used.",
    )
