# SPDX-License-Identifier: Apache-2.0
"""An HTTP server: one function from request to reply, plain or under TLS.

cheroot keeps connections, threads and limits; werkzeug reads requests. A request that is too large gets 413, and
nothing here looks at what a request says.
"""

from __future__ import annotations

import logging
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from werkzeug.wrappers import Request, Response

from strongroom.errors import LocalFault
from strongroom.twin.addresses import ANY_PORT, Address, reachable
from strongroom.twin.tls import TlsServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TICK_SECONDS = 0.05
"""How often a listener looks whether it is to stop; cheroot's own half a second adds up over a demo's instances."""
MAX_BODY_BYTES = 16 << 20
"""Twice what clients of S3 send in one piece (boto3's `multipart_chunksize` is 8 MiB)."""
MAX_HEADER_BYTES = 32 * 1024
KEEP_ALIVE_SECONDS = 60
STOP_SECONDS = 0
"""A stop waits for nobody: connections are cut."""

Handler = Callable[[Request], Response]


class _Request(Request):
    max_content_length = MAX_BODY_BYTES


class _Server(Server):
    """cheroot's server, which may be given its socket."""

    def __init__(
        self, listening: socket.socket | None, address: Address, answer: WSGIApplication, *, threads: int
    ) -> None:
        super().__init__(
            address,
            answer,
            numthreads=threads,
            request_queue_size=128,
            timeout=KEEP_ALIVE_SECONDS,
            shutdown_timeout=STOP_SECONDS,
        )
        self._listening = listening

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 -- cheroot's name
        if self._listening is None:
            bound: socket.socket = super().bind(family, type, proto)
            return bound
        self.socket = self._listening
        return self._listening

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        """Say what went wrong here; that a client broke off, which guests do as they like, is nobody's trouble."""
        if level >= logging.ERROR:
            super().error_log(msg, level, traceback)

    def stop(self) -> None:
        """Stop. A socket that was given is in another network: cheroot would connect to its address in this one."""
        if self._listening is not None:
            self.bind_addr = "given"
        super().stop()


class Listener:
    """Serves one handler at an address, from `start` to `stop`; port 0 is one of the system's choice.

    Without an address it is 127.0.0.1. IPv4 only. `listening` is a socket that already listens, in another network
    perhaps: it is used in place of an address, and closed at the end.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        threads: int,
        tls: TlsServer | None = None,
        address: Address = ANY_PORT,
        listening: socket.socket | None = None,
    ) -> None:
        self._handler = handler
        self._address = address if listening is None else listening.getsockname()
        self._server = _Server(listening, self._address, self._answer, threads=threads)
        self._server.max_request_body_size = MAX_BODY_BYTES
        self._server.max_request_header_size = MAX_HEADER_BYTES
        self._server.server_name = "strongroom-twin"
        self._server.expiration_interval = TICK_SECONDS
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.ssl_adapter = _adapter(tls)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, once it is started: scheme, address and port."""
        return f"{self._scheme}://{reachable(self._address)}:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens, once it is started."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Bind, and serve from a thread of its own. Raises LocalFault when the port, or every port, is taken."""
        try:
            self._server.prepare()
        except OSError as error:
            raise self._taken(error) from error
        self._thread = threading.Thread(target=self._server.serve, name=f"twin {self.url}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and end the thread. Doing it twice is harmless."""
        if self._thread is None:
            return
        self._server.stop()
        self._thread.join()
        self._thread = None

    def _taken(self, error: OSError) -> LocalFault:
        host, port = self._address
        if port == 0:
            return LocalFault("twin.no-port", f"expected a free port on {host}, found none: {error}")
        return LocalFault(
            "twin.port-taken",
            f"expected port {port} of {host} to be free, found: {error}",
            remedy=f"`ss -ltnp sport = :{port}` says who has it. Name another with --port or --tls-port; 0 is any.",
        )

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._handler(_Request(environ))(environ, start_response)


def _adapter(tls: TlsServer) -> BuiltinSSLAdapter:
    """Hand certificate and key to OpenSSL, which reads them from a file only; the file is gone on return.

    The certificate is its own chain: without one, cheroot reads all roots of this machine, to look at the certificate.
    """
    with tempfile.TemporaryDirectory(prefix="strongroom-twin-") as folder:
        path = Path(folder) / "server.pem"
        path.touch(mode=0o600)
        path.write_bytes(tls.pem())
        return BuiltinSSLAdapter(str(path), str(path), str(path))
