# SPDX-License-Identifier: Apache-2.0
"""The first program in a machine's own namespaces: makes the network that the guest will see, and becomes QEMU.

Run as a file, under `unshare`, with the number of a SOCK_SEQPACKET on which it is told everything in JSON:

1. comes {"addresses", "resolver", "doors"}: the loopback interface gets the addresses, /etc/resolv.conf becomes the
   file `resolver`, and a socket listens at each door. Their descriptors go out with {"ok": true}. There is no other
   interface and no route: what the guest reaches is behind these doors, or nowhere.
2. comes {"command", "dials"}: it becomes that program, without capabilities. With `dials` a child stays.
3. the child is told {"address", "port"}, and hands out a socket that is connected there, from inside.

It ends when its parent does, however that ends, and says {"error"} where something is not possible. It needs Python's
own library alone, and imports nothing of ours: it starts in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from typing import Any

_MESSAGE_BYTES = 64 * 1024
_RESOLVER = "/etc/resolv.conf"
"""Where QEMU's user network finds its name server (libslirp, get_dns_addr)."""
_MS_BIND = 4096
_SET_PARENT_DEATH_SIGNAL, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 1, 24, 38
_LAST_CAPABILITY = 63
_OF_FILES = frozenset({1, 2})
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: as root, images of other users are still read."""
_GET_FLAGS, _SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x8913, 0x8914, 0x8916, 0x891C
_UP = 0x1
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_BACKLOG = 128
_DIAL_SECONDS = 5
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Begin the namespace, then become what the parent wants."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    _end_with_parent()
    try:
        plan = _receive(control)
        _raise_loopback(plan["addresses"])
        if plan["resolver"] is not None:
            _mount_over(plan["resolver"], _RESOLVER)
        doors = [_listen(*door) for door in plan["doors"]]
    except OSError as error:
        control.send(json.dumps({"error": f"{error.strerror or error}"}).encode())
        sys.exit(1)
    socket.send_fds(control, [json.dumps({"ok": True}).encode()], [door.fileno() for door in doors])
    for door in doors:
        door.close()
    order = _receive(control)
    if order["dials"] and os.fork() == 0:
        _dial_for_parent(control)
    _drop_capabilities()
    os.execv(order["command"][0], order["command"])  # noqa: S606 -- QEMU, as our parent started us for


def _receive(control: socket.socket) -> Any:  # noqa: ANN401 -- our parent's own words
    """Return the next message; where the parent has gone, end."""
    message = control.recv(_MESSAGE_BYTES)
    if not message:
        sys.exit(0)
    return json.loads(message)


def _end_with_parent() -> None:
    """Be killed when the thread ends that started us. Where it already has, the next message does not come."""
    _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _raise_loopback(addresses: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        (flags,) = struct.unpack("16xH22x", fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16s24x", b"lo")))
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH22x", b"lo", flags | _UP))
        for number, address in enumerate(addresses):
            label = f"lo:{number}".encode()
            fcntl.ioctl(any_socket, _SET_ADDRESS, _with_address(label, address))
            fcntl.ioctl(any_socket, _SET_MASK, _with_address(label, "255.255.255.255"))


def _with_address(label: bytes, address: str) -> bytes:
    """Return a struct ifreq with a struct sockaddr_in (netdevice(7))."""
    return struct.pack("16sHH4s8x8x", label, socket.AF_INET, 0, socket.inet_aton(address))


def _mount_over(source: str, target: str) -> None:
    if _libc.mount(source.encode(), target.encode(), None, _MS_BIND, None):
        number = ctypes.get_errno()
        raise OSError(number, f"{target} cannot be replaced: {os.strerror(number)}")


def _listen(kind: str, address: str, port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, _KINDS[kind])
    door.bind((address, port))
    if kind == "tcp":
        door.listen(_BACKLOG)
    return door


def _drop_capabilities() -> None:
    """Let the program after us have none: it needs no more than files, and what it becomes of it is the guest's say."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in _OF_FILES:
            _libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _dial_for_parent(control: socket.socket) -> None:
    """Connect where the parent wants, until it or QEMU ends; nothing of QEMU's is held open."""
    _end_with_parent()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    while True:
        wanted = _receive(control)
        with contextlib.ExitStack() as stack:
            line = stack.enter_context(socket.socket())
            line.settimeout(_DIAL_SECONDS)
            try:
                line.connect((wanted["address"], wanted["port"]))
            except OSError as error:
                control.send(json.dumps({"error": str(error)}).encode())
                continue
            line.settimeout(None)
            socket.send_fds(control, [json.dumps({"ok": True}).encode()], [line.fileno()])


if __name__ == "__main__":
    main()
