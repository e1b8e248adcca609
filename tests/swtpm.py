# SPDX-License-Identifier: Apache-2.0
"""Debian's swtpm: a TPM 2.0 behind sockets, with its state in a folder. It does not outlive its block.

The control channel's numbers are those of swtpm/tpm_ioctl.h. tcti-swtpm of tpm2-tools expects it one port above that of
commands.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.processes import ended, program

_GET_CAPABILITY, _INIT, _SET_LOCALITY = 0x01, 0x02, 0x05
_HEADER_SIZE, _ROOM = 10, 4096
"""swtpm takes for a command what one read gives it, of at least a header."""
_ATTEMPTS = 20
_CHOICE = range(16384, 32766)
"""Below the ports that Linux gives to clients: each of those is taken for a minute after its connection has ended."""
_REPLY_SECONDS = 20


class Swtpm:
    """A running TPM. Commands go to `port` of 127.0.0.1, control to the port above."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._locality = 0
        self._data: socket.socket | None = None

    @property
    def control_port(self) -> int:
        return self.port + 1

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return the response to a command, or nothing where swtpm would wait for the rest or take it for two."""
        if not _HEADER_SIZE <= len(command) <= _ROOM:
            return b""
        if locality != self._locality:
            self._control(_SET_LOCALITY, bytes([locality]))
            self._locality = locality
        if self._data is None:
            self._data = _connected(self.port)
        self._data.sendall(command)
        header = _received(self._data, 6)
        return header + _received(self._data, int.from_bytes(header[2:], "big") - len(header))

    def power_cycle(self) -> None:
        """Cut the power and give it again: what is not in NV memory is gone, and TPM2_Startup is due."""
        self._control(_INIT, bytes(4))

    def close(self) -> None:
        """Leave the commands' port to another client: swtpm has one at a time."""
        if self._data is not None:
            self._data.close()
            self._data = None

    def _control(self, request: int, body: bytes) -> None:
        with _connected(self.control_port) as control:
            control.sendall(struct.pack(">I", request) + body)
            (result,) = struct.unpack(">I", _received(control, 4))
        assert result == 0, f"swtpm refuses control request {request:#x}: {result:#x}"


@contextlib.contextmanager
def swtpm(state: Path) -> Iterator[Swtpm]:
    """Run a TPM until the end of the block."""
    for _ in range(_ATTEMPTS):
        with _control_socket() as control:
            port = control.getsockname()[1] - 1
            process = start(
                state,
                *("--server", f"type=tcp,port={port}", "--ctrl", f"type=tcp,fd={control.fileno()}"),
                *("--flags", "not-need-init"),
                sockets=[control.fileno()],
            )
        with ended(process):
            if _answers(port + 1):
                with contextlib.closing(Swtpm(port)) as running:
                    yield running
                return
    raise AssertionError(f"swtpm did not start in {_ATTEMPTS} attempts: the port of its commands was never free")


def start(state: Path, *arguments: str, sockets: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start swtpm with its state in that folder, and with these sockets of ours."""
    command = [program("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={state}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=sockets)


def _control_socket() -> socket.socket:
    """Listen for swtpm: from here on nobody else can have this port."""
    while True:
        listening = socket.socket()
        try:
            listening.bind(("127.0.0.1", secrets.choice(_CHOICE)))
        except OSError as error:
            listening.close()
            assert error.errno == errno.EADDRINUSE, error
        else:
            listening.listen()
            return listening


def _answers(port: int) -> bool:
    """Say whether it has come up, or ended at once: somebody else has the port of its commands."""
    try:
        with _connected(port) as control:
            control.sendall(struct.pack(">I", _GET_CAPABILITY))
            return len(_received(control, 8)) == 8
    except ConnectionError:
        return False


def _connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=_REPLY_SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _received(client: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = client.recv(size - len(content))
        if not part:
            raise ConnectionError("swtpm has closed the connection")
        content += part
    return content
