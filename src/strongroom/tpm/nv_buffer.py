# SPDX-License-Identifier: Apache-2.0
"""An NV index as a mailbox: how messages reach the Nitro Security Module, and its answers come back.

It is made as AWS's tool makes it, for one message, under an authorization of 64 random bytes. Its name, with its size
and attributes, goes into every HMAC: an index that somebody else put in its place does not answer to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from strongroom.crypto.tpm import nv_name
from strongroom.errors import TpmFault
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.capabilities import Property
from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.nv_public import NvPublic, read_sized_nv_public
from strongroom.formats.tpm.wire import Reader
from strongroom.tpm.capabilities import fixed_property, free_handles
from strongroom.tpm.cleanup import Released
from strongroom.tpm.command import Entity, Key
from strongroom.tpm.commands import nv_define_space, nv_read, nv_read_public, nv_undefine_space, nv_write
from strongroom.tpm.connection import EMPTY_PASSWORD, Connection, read_answer
from strongroom.tpm.faults import nonsense
from strongroom.tpm.session import Session, salted_session

MESSAGE_BYTES = 8192
"""Room for a document of almost 5 KiB and three fields of 1 KiB (AWS NitroTPM-Tools)."""
MOST_AT_ONCE_BYTES = 2048
"""Of what one command moves: less than Linux and QEMU have room for in a command, 3,968 bytes (tpm-crb)."""
LEAST_AT_ONCE_BYTES = 64
_AUTH_BYTES = 64
_ATTRIBUTES = NvAttributes.AUTH_READ | NvAttributes.AUTH_WRITE
_MOST_ATTEMPTS = 3


@dataclass(slots=True)
class MessageBuffer:
    """The index. `public` follows what was done to it."""

    connection: Connection = field(repr=False)
    public: NvPublic
    auth: bytes = field(repr=False)
    piece_bytes: int

    @property
    def entity(self) -> Entity:
        """The index as commands name it. Its name changes when it is written first."""
        return Entity(self.public.index, nv_name(self.public), self.auth)

    def write(self, session: Session, message: bytes) -> None:
        """Write a message at the start, and make sure that the index is still the one that was made."""
        for offset in range(0, len(message), self.piece_bytes):
            piece = message[offset : offset + self.piece_bytes]
            self.connection.run(nv_write(self.entity, piece, offset), session)
            self.public = replace(self.public, attributes=self.public.attributes | NvAttributes.WRITTEN)
        self._expect_unchanged()

    def read(self, session: Session, offset: int) -> bytes:
        """Return the next piece from `offset` on; nothing at the end."""
        size_bytes = min(self.piece_bytes, self.public.size_bytes - offset)
        if not size_bytes:
            return b""
        command = nv_read(self.entity, size_bytes, offset)
        data = read_answer(command, self.connection.run(command, session).parameters, lambda r: r.sized("data"))
        if len(data) != size_bytes:
            raise nonsense(command, f"{len(data)} bytes where {size_bytes} were asked for")
        return data

    def _expect_unchanged(self) -> None:
        """Raise TpmFault where somebody redefined the index meanwhile: its HMACs would fail next, and say less."""
        command = nv_read_public(self.entity)
        public, name = read_answer(command, self.connection.run(command).parameters, _read_public)
        if public != self.public or name != nv_name(self.public):
            raise TpmFault(
                "tpm.index-changed",
                f"the NV index {self.public.index:#010x} is not the one that was made: somebody redefined it",
                remedy="Another program with the owner's rights uses the TPM at the same time. End it, and try again.",
            )


@contextmanager
def message_buffer(
    connection: Connection, salt_key: Key, message: bytes, *, size_bytes: int = MESSAGE_BYTES
) -> Iterator[MessageBuffer]:
    """Make an index that holds a message, and remove it at the end of the block. Raises TpmFault."""
    piece_bytes = _piece_bytes(connection)
    with ExitStack() as stack:
        with salted_session(connection, salt_key) as session:
            auth = secrets.token_bytes(_AUTH_BYTES)
            buffer = MessageBuffer(connection, _defined(connection, session, auth, size_bytes), auth, piece_bytes)
            stack.enter_context(Released(lambda: connection.run(nv_undefine_space(buffer.entity), EMPTY_PASSWORD)))
            buffer.write(session, message)
        yield buffer


def _piece_bytes(connection: Connection) -> int:
    most = fixed_property(connection, Property.NV_BUFFER_MAX)
    if most < LEAST_AT_ONCE_BYTES:
        raise TpmFault(
            "tpm.nv-buffer",
            f"expected a TPM that moves {LEAST_AT_ONCE_BYTES} bytes at once, found {most}",
            remedy="Somebody may sit between this program and the TPM: no TPM moves so little.",
        )
    return min(most, MOST_AT_ONCE_BYTES)


def _defined(connection: Connection, session: Session, auth: bytes, size_bytes: int) -> NvPublic:
    """Define an index under the first handle that is free, or the next if somebody was faster."""
    free = free_handles(connection, HandleType.NV_INDEX)
    public = NvPublic(next(free), Alg.SHA512, int(_ATTRIBUTES), b"", size_bytes)
    for _ in range(_MOST_ATTEMPTS - 1):
        try:
            connection.run(nv_define_space(public, auth), session)
        except TpmFault as fault:
            if fault.code != "tpm.index-taken":
                raise
            public = replace(public, index=next(free))
        else:
            return public
    connection.run(nv_define_space(public, auth), session)
    return public


def _read_public(reader: Reader) -> tuple[NvPublic, bytes]:
    return read_sized_nv_public(reader), reader.sized("a name")
