# SPDX-License-Identifier: Apache-2.0
"""AWS's client of a NitroTPM, told again with the same library: nitro-tpm-attest 1.0.3 on tpm2-tss's ESYS.

Each step is what its src/tss and src/raw do:

1. The endorsement key, from the TCG's template for RSA 2048, is made and becomes persistent at the first free handle,
   so that it outlives this connection. Both in one HMAC session: SHA-256, AES-128-CFB, no salt.
2. In a session with SHA-512, AES-128-CFB both ways, salted with that key: an NV index of 8,192 bytes is defined at the
   first free handle, with 64 random bytes as its authorization, which reading and writing need; its name has SHA-512.
3. The request is written piece by piece, as it is encoded.
4. The index has another name now, which is asked for. The key's first copy is flushed, and the connection closed.
5. On a connection of its own: a salted session, the vendor command, the end of the session.
6. On a third one: the answer is read in a salted session, no byte more than it has.
7. The index is removed, and the key.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from tests.conformance.aws_wire import NV_BUFFER, VendorSession, read_item
from tests.tpm_commands import Response, sized
from tests.tpm_templates import EK_RSA
from tpm2_pytss import ESAPI, TCTILdr
from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_CAP, TPM2_SE, TPMA_NV, TPMA_SESSION
from tpm2_pytss.types import TPM2B_NV_PUBLIC, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE, TPMS_NV_PUBLIC, TPMT_SYM_DEF

FIRST_PERSISTENT, FIRST_INDEX, RANGE = 0x81000000, 0x01000000, 0x01000000
MESSAGE_BYTES = 8192
AUTH_BYTES = 64
ENCRYPTED_BOTH_WAYS = TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT


@dataclass
class Key:
    handle: int
    public: RSAPublicKey


@dataclass
class Buffer:
    """An NV index with a message in it. `stale` is the name that it had before it was written."""

    key: Key
    index: int
    auth: bytes
    stale: bytes
    name: bytes


class Wire:
    """A connection below ESYS, for a command that it does not know."""

    def __init__(self, tcti: str) -> None:
        self._tcti = TCTILdr.parse(tcti)

    def transmit(self, command: bytes) -> bytes:
        self._tcti.transmit(command)
        return bytes(self._tcti.receive())

    def close(self) -> None:
        self._tcti.close()


@contextlib.contextmanager
def message_buffer(tcti: str, pieces: Iterable[bytes]) -> Iterator[Buffer]:
    """Steps 1 to 4, and 7."""
    with ESAPI(tcti) as esys:
        key, transient = _persistent_key(esys)
        buffer = _written_buffer(esys, key, pieces)
        esys.flush_context(transient)
    yield buffer
    with ESAPI(tcti) as esys:
        with plain_session(esys) as session:
            esys.nv_undefine_space(esys.tr_from_tpmpublic(buffer.index, session), ESYS_TR.OWNER, session1=session)
        with plain_session(esys) as session:
            persistent = esys.tr_from_tpmpublic(key.handle, session)
            esys.evict_control(ESYS_TR.OWNER, persistent, key.handle, session1=session)


def _persistent_key(esys: ESAPI) -> tuple[Key, ESYS_TR]:
    handle = free_handle(esys, FIRST_PERSISTENT)
    template, _ = TPM2B_PUBLIC.unmarshal(sized(EK_RSA))
    with plain_session(esys) as session:
        made, public, *_ = esys.create_primary(
            TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.ENDORSEMENT, session1=session
        )
        esys.evict_control(ESYS_TR.OWNER, made, handle, session1=session)
    modulus = int.from_bytes(bytes(public.publicArea.unique.rsa))
    return Key(handle, RSAPublicNumbers(65537, modulus).public_key()), made


def _written_buffer(esys: ESAPI, key: Key, pieces: Iterable[bytes]) -> Buffer:
    index, auth = free_handle(esys, FIRST_INDEX), os.urandom(AUTH_BYTES)
    with salted_session(esys, key) as session:
        defined = esys.nv_define_space(auth, _index(index), ESYS_TR.OWNER, session1=session)
        stale = bytes(esys.tr_get_name(defined))
        _write(esys, defined, pieces, session)
        _, name = esys.nv_read_public(esys.tr_from_tpmpublic(index, session), session1=session)
    return Buffer(key, index, auth, stale, bytes(name))


def _index(index: int) -> TPM2B_NV_PUBLIC:
    return TPM2B_NV_PUBLIC(
        nvPublic=TPMS_NV_PUBLIC(
            nvIndex=index,
            nameAlg=TPM2_ALG.SHA512,
            attributes=TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE,
            dataSize=MESSAGE_BYTES,
        )
    )


def _write(esys: ESAPI, index: ESYS_TR, pieces: Iterable[bytes], session: ESYS_TR) -> None:
    offset = 0
    for piece in pieces:
        for start in range(0, len(piece), NV_BUFFER):
            part = piece[start : start + NV_BUFFER]
            esys.nv_write(index, part, offset, auth_handle=index, session1=session)
            offset += len(part)


def send(tcti: str, buffer: Buffer) -> None:
    """Step 5."""
    with contextlib.closing(Wire(tcti)) as wire:
        session = VendorSession(wire.transmit, buffer.key.handle, buffer.key.public)
        response = Response(wire.transmit(session.command(buffer.index, buffer.name, buffer.auth)))
        session.flush()
    assert response.code == 0, f"the vendor command was refused: {response.code:#x}"


def read(tcti: str, buffer: Buffer) -> object:
    """Step 6."""
    offset = 0
    with ESAPI(tcti) as esys, salted_session(esys, buffer.key) as session:
        index = esys.tr_from_tpmpublic(buffer.index, session)
        esys.tr_set_auth(index, buffer.auth)

        def take(size: int) -> bytes:
            nonlocal offset
            piece = bytes(esys.nv_read(index, size, offset, auth_handle=index, session1=session))
            offset += size
            return piece

        return read_item(take)


def ask(tcti: str, pieces: Iterable[bytes]) -> object:
    """All of it: what the security module answers to a request."""
    with message_buffer(tcti, pieces) as buffer:
        send(tcti, buffer)
        return read(tcti, buffer)


def free_handle(esys: ESAPI, first: int) -> int:
    _, capability = esys.get_capability(TPM2_CAP.HANDLES, first, RANGE)
    taken = {int(handle) for handle in capability.data.handles}
    return next(handle for handle in range(first, first + RANGE) if handle not in taken)


@contextlib.contextmanager
def plain_session(esys: ESAPI) -> Iterator[ESYS_TR]:
    with _session(esys, ESYS_TR.NONE, TPM2_ALG.SHA256) as session:
        yield session


@contextlib.contextmanager
def salted_session(esys: ESAPI, key: Key) -> Iterator[ESYS_TR]:
    with _session(esys, esys.tr_from_tpmpublic(key.handle), TPM2_ALG.SHA512) as session:
        yield session


@contextlib.contextmanager
def _session(esys: ESAPI, salt_key: ESYS_TR, algorithm: TPM2_ALG) -> Iterator[ESYS_TR]:
    symmetric = TPMT_SYM_DEF.parse("aes128cfb")
    session = esys.start_auth_session(salt_key, ESYS_TR.NONE, TPM2_SE.HMAC, symmetric, algorithm)
    esys.trsess_set_attributes(session, ENCRYPTED_BOTH_WAYS, mask=ENCRYPTED_BOTH_WAYS)
    yield session
    esys.flush_context(session)
