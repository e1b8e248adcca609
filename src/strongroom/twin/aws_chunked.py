# SPDX-License-Identifier: Apache-2.0
"""Bodies in S3's encoding `aws-chunked`, with a checksum behind them.

Clients send it where they do not sign the body, with `STREAMING-UNSIGNED-PAYLOAD-TRAILER` in the place of its hash
(S3 API Reference, "Authenticating requests: using the Authorization header", transferring payload in chunks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import SignedCall

STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_LENGTH_HEADER = "x-amz-decoded-content-length"
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_TRAILER = re.compile(rb"(x-amz-checksum-[a-z0-9]+):([A-Za-z0-9+/=]+)")
_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
}


def unchunk(call: SignedCall) -> SignedCall:
    """Return the call with the body that its sender meant, and the trailing checksums among its headers.

    CRC32, SHA-1 and SHA-256 are checked, other checksums are handed on. Raises AwsFault for another encoding, a length
    or a checksum that is another.
    """
    stated = call.headers.get("x-amz-content-sha256", "")
    if stated != STREAMING:
        return call
    body, trailers = _decode(call.body)
    headers = {name: value for name, value in call.headers.items() if name != _LENGTH_HEADER} | trailers
    if call.headers.get(_LENGTH_HEADER, str(len(body))) != str(len(body)):
        raise AwsFault("IncompleteBody", "The request body terminated unexpectedly")
    for name in trailers.keys() & _CHECKSUMS.keys():
        expected = base64.b64encode(_CHECKSUMS[name](body)).decode()
        if not hmac.compare_digest(expected, trailers[name]):
            raise AwsFault("BadDigest", f"The {name} you specified did not match the calculated checksum.")
    headers["content-encoding"] = _without_chunks(headers.get("content-encoding", ""))
    headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    return replace(call, headers={name: value for name, value in headers.items() if value}, body=body)


def _decode(data: bytes) -> tuple[bytes, dict[str, str]]:
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = data.find(b"\r\n", at)
        size_text = data[at:line_end] if line_end >= 0 else b""
        if not _SIZE.fullmatch(size_text):
            raise _malformed()
        size, start = int(size_text, 16), line_end + 2
        if size == 0:
            return b"".join(parts), _trailers(data[start:])
        if data[start + size : start + size + 2] != b"\r\n":
            raise _malformed()
        parts.append(data[start : start + size])
        at = start + size + 2


def _trailers(data: bytes) -> dict[str, str]:
    """Return what stands behind the last chunk: lines of a name and a value, then an empty one."""
    if not data.endswith(b"\r\n"):
        raise _malformed()
    found = [_TRAILER.fullmatch(line) for line in data.removesuffix(b"\r\n").split(b"\r\n") if line]
    if not all(found):
        raise _malformed()
    return {match[1].decode(): match[2].decode() for match in found if match}


def _without_chunks(encoding: str) -> str:
    return ",".join(part for part in (each.strip() for each in encoding.split(",")) if part != "aws-chunked")


def _malformed() -> AwsFault:
    return AwsFault("InvalidChunkSizeError", "The body is not what the encoding aws-chunked makes.")
