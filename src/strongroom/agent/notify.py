# SPDX-License-Identifier: Apache-2.0
"""Tell systemd that the secrets are there (sd_notify(3)): units that are ordered after the agent start then."""

from __future__ import annotations

import array
import os
import select
import socket
from collections.abc import Mapping

from strongroom.errors import LocalFault

_SECONDS = 5.0


def notify_ready(environment: Mapping[str, str]) -> None:
    """Say READY=1 and wait until systemd has taken note; without NOTIFY_SOCKET nobody wants to know.

    Waiting is systemd's own barrier: this process may end right afterwards. Raises LocalFault.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # the abstract name space of unix(7)
        address = "\0" + address[1:]
    try:
        _tell(address)
    except OSError as error:
        raise LocalFault("agent.notify", f"cannot tell systemd that all is ready: {error.strerror or error}") from error


def _tell(address: str) -> None:
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.send(b"READY=1")
            barrier = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs]))
            sender.sendmsg([b"BARRIER=1"], [barrier])
    finally:
        os.close(theirs)
    try:
        if not select.select([ours], [], [], _SECONDS)[0]:
            raise TimeoutError(0, f"no answer within {_SECONDS:.0f} s")
    finally:
        os.close(ours)
