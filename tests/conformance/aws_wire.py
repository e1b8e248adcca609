# SPDX-License-Identifier: Apache-2.0
"""What AWS's client of a NitroTPM sends, as far as it is bytes: nitro-tpm-attest 1.0.3, src/raw and ciborium 0.2.

It shares nothing with our own client and nothing with the emulated TPM.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from tests.tpm_commands import NONE, NULL, SHA512, Command, Response, area, sized, u16, u32

NSM_REQUEST = 0x20000001
NV_BUFFER = 1024
CONTINUE = 0x01
START_AUTH_SESSION, CREATE_PRIMARY, EVICT_CONTROL, FLUSH_CONTEXT = 0x176, 0x131, 0x120, 0x165
NV_DEFINE_SPACE, NV_WRITE, NV_READ, NV_UNDEFINE_SPACE = 0x12A, 0x137, 0x14E, 0x122
_LOOK = {0x169, 0x173, 0x17A, 0x17B}
"""NV_ReadPublic, ReadPublic, GetCapability, GetRandom: how often a TSS looks differs between its versions."""

ORDER = (
    *(START_AUTH_SESSION, CREATE_PRIMARY, EVICT_CONTROL, FLUSH_CONTEXT),  # the endorsement key becomes persistent
    *(START_AUTH_SESSION, NV_DEFINE_SPACE, NV_WRITE, FLUSH_CONTEXT),  # the request lies in an index
    FLUSH_CONTEXT,  # the endorsement key that was not persistent
    *(START_AUTH_SESSION, NSM_REQUEST, FLUSH_CONTEXT),
    *(START_AUTH_SESSION, NV_READ, FLUSH_CONTEXT),
    *(START_AUTH_SESSION, NV_UNDEFINE_SPACE, FLUSH_CONTEXT),
    *(START_AUTH_SESSION, EVICT_CONTROL, FLUSH_CONTEXT),
)
"""The commands that change something or read the answer; NV_Write and NV_Read stand for as many as it takes."""


def order(commands: list[bytes]) -> tuple[int, ...]:
    """What was sent, to compare with ORDER."""
    found: list[int] = []
    for command in commands:
        code = int.from_bytes(command[6:10])
        if code not in _LOOK and not (found[-1:] == [code] and code in (NV_WRITE, NV_READ)):
            found.append(code)
    return tuple(found)


def nv_sizes(commands: list[bytes], code: int) -> list[int]:
    """How many bytes each NV_Write or NV_Read is for, in a row: its first parameter says it."""
    ours = [command for command in commands if command[6:10] == u32(code)]
    starts = [22 + int.from_bytes(command[18:22]) for command in ours]
    return [int.from_bytes(command[start : start + 2]) for command, start in zip(ours, starts, strict=True)]


def request_pieces(**fields: bytes | None) -> Iterator[bytes]:
    """A request for a document, in the pieces that ciborium writes: of a head one byte, then the rest; the content."""
    yield from _head(5, 1)
    yield from _text("Attestation")
    yield from _head(5, 3)
    for name in ("user_data", "nonce", "public_key"):
        yield from _text(name)
        content = fields.get(name)
        if content is None:
            yield b"\xf6"
        else:
            yield from (*_head(2, len(content)), *([content] if content else []))


def _text(value: str) -> list[bytes]:
    return [*_head(3, len(value)), value.encode()]


def _head(major: int, number: int) -> list[bytes]:
    if number < 24:
        return [bytes([major << 5 | number])]
    size = 1 if number < 1 << 8 else 2
    return [bytes([major << 5 | 23 + size]), number.to_bytes(size)]


def read_item(take: Callable[[int], bytes]) -> object:
    """A CBOR item, read from where it lies as ciborium does: never a byte more than it has."""
    major, information = divmod(take(1)[0], 32)
    number = information if information < 24 else int.from_bytes(take(1 << (information - 24)))
    match major:
        case 2:
            return _taken(take, number)
        case 3:
            return _taken(take, number).decode()
        case 5:
            return {read_item(take): read_item(take) for _ in range(number)}
        case 7:
            return None
    raise AssertionError(f"an item of the major type {major}")


def _taken(take: Callable[[int], bytes], size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += take(min(NV_BUFFER, size - len(content)))
    return content


class VendorSession:
    """The session of the vendor command: HMAC with SHA-512, salted with the endorsement key, no encryption."""

    def __init__(self, transmit: Callable[[bytes], bytes], key: int, public: RSAPublicKey) -> None:
        nonce_caller, salt = os.urandom(64), os.urandom(32)
        secret = public.encrypt(salt, OAEP(MGF1(SHA256()), SHA256(), b"SECRET\0"))
        parameters = sized(nonce_caller) + sized(secret) + b"\0" + u16(NONE) + u16(SHA512)
        response = Response(transmit(Command("StartAuthSession", (key, NULL), parameters).content))
        assert response.code == 0
        self._transmit = transmit
        self.handle = response.handle
        self.nonce_tpm = response.sized(handles=1)
        info = b"ATH\0" + self.nonce_tpm + nonce_caller + u32(512)
        self.key = hmac.digest(salt, u32(1) + info, hashlib.sha512)  # KDFa: SHA-512 gives all 512 bits at once

    def command(self, index: int, name: bytes, auth: bytes) -> bytes:
        """The vendor command for an NV index, with its name and its authorization as given."""
        nonce_caller = os.urandom(64)
        cp_hash = hashlib.sha512(u32(NSM_REQUEST) + name + name).digest()
        proof = hmac.digest(self.key + auth, cp_hash + nonce_caller + self.nonce_tpm + bytes([CONTINUE]), "sha512")
        session = area(self.handle, nonce=nonce_caller, proof=proof)
        return Command("", (index, index), areas=(session,), code=NSM_REQUEST).content

    def flush(self) -> None:
        assert Response(self._transmit(Command("FlushContext", (), u32(self.handle)).content)).code == 0
