# SPDX-License-Identifier: Apache-2.0
"""A command and a response as they travel (Part 1, section 18).

::

    command    tag  size  code  | handles | [authorization size | authorizations] | parameters
    response   tag  size  rc    | handle  | [parameter size] parameters [| authorizations]

With the tag SESSIONS the parts in brackets are there.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from strongroom.formats.tpm.attributes import SessionAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u8, u32

HEADER = struct.Struct(">HII")
"""Tag, size, and command or response code."""
HEADER_BYTES = HEADER.size
SIZE_AT, CODE_AT = slice(2, 6), slice(6, 10)
"""Where a command or response has its size, and its command or response code."""
MAX_FRAME_BYTES = 4096
"""MAX_COMMAND_SIZE and MAX_RESPONSE_SIZE of a PC client's TPM, and what Linux's driver takes (TPM_BUFSIZE)."""


class Tag(enum.IntEnum):
    """TPM_ST of commands and responses (Part 2, section 6.9)."""

    NO_SESSIONS = 0x8001
    SESSIONS = 0x8002


class CommandAuthorization(NamedTuple):
    """TPMS_AUTH_COMMAND: the session, its nonce, its attributes and the HMAC, or the password."""

    session: int
    nonce: bytes
    attributes: int
    hmac: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u32(self.session) + sized(self.nonce) + u8(self.attributes) + sized(self.hmac)


WITH_EMPTY_PASSWORD = CommandAuthorization(Rh.PASSWORD, b"", SessionAttributes.CONTINUE, b"")
"""What authorizes an entity that has no authorization value (Part 1, section 19.4)."""


class ResponseAuthorization(NamedTuple):
    """TPMS_AUTH_RESPONSE: the TPM's new nonce, the session's attributes, the HMAC."""

    nonce: bytes
    attributes: int
    hmac: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return sized(self.nonce) + u8(self.attributes) + sized(self.hmac)


@dataclass(frozen=True, slots=True)
class Response:
    """A response, taken apart. Nothing in it is authentic before its HMACs were verified."""

    rc: int
    handle: int | None
    parameters: bytes
    authorizations: tuple[ResponseAuthorization, ...]


def encode_command(
    code: int, handles: Sequence[int], authorizations: Sequence[CommandAuthorization], parameters: bytes
) -> bytes:
    """Return the bytes of a command. Whether it has sessions follows from its authorizations."""
    area = b"".join(authorization.encode() for authorization in authorizations)
    body = b"".join(map(u32, handles)) + (u32(len(area)) + area if area else b"") + parameters
    tag = Tag.SESSIONS if area else Tag.NO_SESSIONS
    return HEADER.pack(tag, HEADER_BYTES + len(body), code) + body


def encode_response(rc: int, body: bytes = b"", *, tag: Tag = Tag.NO_SESSIONS) -> bytes:
    """Return the bytes of a response whose body is made already."""
    return HEADER.pack(tag, HEADER_BYTES + len(body), rc) + body


def parse_response(data: bytes, *, has_handle: bool, sessions: int) -> Response:
    """Take a response apart; `has_handle` and `sessions` follow from the command that was sent.

    Raises TpmFormatError for anything but the shape that such a response has.
    """
    reader = Reader(data)
    tag, size_bytes, rc = reader.u16("a tag"), reader.u32("a size"), reader.u32("a response code")
    if size_bytes != len(data):
        raise reader.refused(Rc.SIZE, f"expected a response of {size_bytes} bytes, as it says, found {len(data)}")
    if rc != Rc.SUCCESS:
        reader.expect_end("the response")
        return Response(rc, None, b"", ())
    expected = Tag.SESSIONS if sessions else Tag.NO_SESSIONS
    if tag != expected:
        raise reader.refused(Rc.TAG, f"expected a response with the tag {expected:#06x}, found {tag:#06x}")
    handle = reader.u32("a handle") if has_handle else None
    if not sessions:
        return Response(rc, handle, reader.rest(), ())
    parameters = reader.take(reader.u32("the size of the parameters"), "the parameters")
    authorizations = tuple(_read_authorization(reader) for _ in range(sessions))
    reader.expect_end("the response")
    return Response(rc, handle, parameters, authorizations)


def _read_authorization(reader: Reader) -> ResponseAuthorization:
    return ResponseAuthorization(reader.sized("a nonce"), reader.u8("session attributes"), reader.sized("an HMAC"))
