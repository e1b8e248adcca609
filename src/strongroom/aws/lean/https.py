# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange: under TLS with exactly the roots that are given, or in the clear with the metadata service only.

The name in the certificate must be the host's own (RFC 9525). Replies have a size limit and a time limit. Nothing is
retried or redirected.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from strongroom.errors import NotAuthentic, ServiceFault, UsageError
from strongroom.ids import CertificateDer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_REPLY_BYTES = 1 << 20
TIMEOUT = timedelta(seconds=20)
"""To connect, and for a whole small answer."""
_CHUNK_BYTES: Final = 16_384
_SHORTEST_WAIT: Final = 0.001
"""Seconds. Zero would mean not to wait at all, and is no timeout."""
_METADATA_ADDRESSES = (ipaddress.ip_network("169.254.169.254/32"), ipaddress.ip_network("fd00:ec2::254/128"))


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Status and body of a reply."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one answer: it has ended after `timeout`, and holds at most that many bytes."""

    timeout: timedelta
    maximum_bytes: int


class HttpsEndpoint:
    """A server that must prove its name to one of `roots`. `url` is `https://HOST[:PORT]`."""

    def __init__(self, url: str, *, roots: Sequence[CertificateDer], timeout: timedelta = TIMEOUT) -> None:
        parts = _parts(url, "https")
        if not roots:
            raise UsageError("https.no-roots", f"expected at least one TLS root for {url}, found none")
        self._host, self._port = parts.hostname or "", parts.port
        self.host_header = parts.netloc
        self._timeout = timeout
        self._context = _context(roots)

    def post(self, body: bytes, *, headers: Mapping[str, str]) -> HttpReply:
        """POST to `/`. Raises NotAuthentic for a server that cannot prove its name, ServiceFault for a failure."""
        return _exchange(
            self._connection(), "POST", "/", body=body, headers=headers, limits=Limits(self._timeout, MAX_REPLY_BYTES)
        )

    def get(self, path: str, *, headers: Mapping[str, str], limits: Limits) -> HttpReply:
        """GET `path`, which is encoded already. Raises as `post`; how much may come, and for how long, is limited."""
        return _exchange(self._connection(), "GET", path, body=b"", headers=headers, limits=limits)

    def _connection(self) -> http.client.HTTPSConnection:
        seconds = self._timeout.total_seconds()
        return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._context)


class MetadataEndpoint:
    """The instance metadata service, in the clear: its address is link-local, or loopback for the twin's."""

    def __init__(self, url: str, *, timeout: timedelta = TIMEOUT) -> None:
        parts = _parts(url, "http")
        self._host, self._port = parts.hostname or "", parts.port
        if not _is_metadata_address(self._host):
            raise UsageError(
                "https.clear-text", f"expected http:// with a link-local or loopback address only, found {url!r}"
            )
        self._timeout = timeout

    def request(self, method: str, path: str, *, headers: Mapping[str, str]) -> HttpReply:
        """Make one request without a body. Raises ServiceFault."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout.total_seconds())
        return _exchange(
            connection, method, path, body=b"", headers=headers, limits=Limits(self._timeout, MAX_REPLY_BYTES)
        )


def _parts(url: str, scheme: str) -> SplitResult:
    """Split a URL that names a host, perhaps a port, and nothing else. Raises UsageError."""
    refused = UsageError("https.endpoint", f"expected an endpoint {scheme}://HOST[:PORT], found {url!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise refused from error
    if url.rstrip("/") != f"{scheme}://{parts.netloc}" or not parts.hostname or parts.username is not None or port == 0:
        raise refused
    return parts


def _is_metadata_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _METADATA_ADDRESSES)


def _context(roots: Sequence[CertificateDer]) -> ssl.SSLContext:
    """Make a client context that knows these roots and no other; the host's name is compared by OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525 section 2: a common name is no identifier
    context.load_verify_locations(cadata=b"".join(roots))
    return context


class _PunctualBytes(io.RawIOBase):
    """What a socket receives until a deadline. A timeout of its own starts again with each byte of a slow answer."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._bytes = connected.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        try:
            self._socket.settimeout(max(self._deadline - time.monotonic(), _SHORTEST_WAIT))
            return self._bytes.readinto(buffer)
        except TimeoutError as error:
            raise ServiceFault("https.too-slow", "the answer was not finished in time", retryable=True) from error

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _PunctualResponse(http.client.HTTPResponse):
    """A response whose every part, status line and headers too, must be there by a deadline."""

    def __init__(self, connected: socket.socket, *, method: str, deadline: float) -> None:
        super().__init__(connected, method=method)
        self.fp.close()
        self.fp = io.BufferedReader(_PunctualBytes(connected, deadline))


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    limits: Limits,
) -> HttpReply:
    where = f"{connection.host}:{connection.port}"
    deadline = time.monotonic() + limits.timeout.total_seconds()
    connection.response_class = partial(_PunctualResponse, deadline=deadline)  # type: ignore[assignment]  # makes one
    try:
        connection.request(method, path, body=body or None, headers=dict(headers))
        response = connection.getresponse()
        return HttpReply(response.status, _read_bounded(response, where, limits.maximum_bytes))
    except ssl.SSLCertVerificationError as error:
        raise NotAuthentic(
            "https.untrusted-server",
            f"expected {where} to prove its name to a trusted TLS root: {error.verify_message}",
            remedy="Somebody may have put himself between this machine and AWS: DNS, a proxy, a VPC endpoint.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise ServiceFault("https.unreachable", f"no answer from {where}: {error!r}", retryable=True) from error
    finally:
        connection.close()


def _read_bounded(response: http.client.HTTPResponse, where: str, maximum_bytes: int) -> bytes:
    chunks = []
    received = 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        received += len(chunk)
        if received > maximum_bytes:
            raise ServiceFault("https.too-large", f"expected at most {maximum_bytes} bytes of {where}", retryable=False)
    if response.length:
        raise ServiceFault(
            "https.truncated", f"expected {response.length} more bytes of {where}, found the end", retryable=True
        )
    return b"".join(chunks)
