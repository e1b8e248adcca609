# SPDX-License-Identifier: Apache-2.0
"""What a guest finds in its network: its metadata service, the twin under AWS's names, a name server, a clock.

====================  ==================================================================
169.254.169.254:80    the metadata service of this instance
169.254.169.253:53    the name server; so is 10.0.2.3, QEMU's own, which asks it
169.254.169.123:123   the time
10.0.2.2:443          the twin under TLS: where AWS's names lead to
10.0.2.2:4601         the twin under TLS, at the port that `trust.json` of a rehearsal names
====================  ==================================================================

There is nothing else: no way to this machine's other ports and addresses, and none to the world.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial

from strongroom.ports import Clock
from strongroom.twin.addresses import TLS_PORT
from strongroom.twin.instances.datagrams import SmallQuestions
from strongroom.twin.instances.names import METADATA_ADDRESS, NAME_SERVER_ADDRESS, TIME_ADDRESS, answer_query
from strongroom.twin.instances.time_service import answer_time
from strongroom.twin.listener import Handler, Listener
from strongroom.twin.qemu.namespace import Door, Network
from strongroom.twin.tls import LOOPBACK, TlsServer

METADATA_DOOR = Door("tcp", METADATA_ADDRESS, 80)
_NAMES_BY_DATAGRAM, _NAMES_BY_STREAM = Door("udp", NAME_SERVER_ADDRESS, 53), Door("tcp", NAME_SERVER_ADDRESS, 53)
_TIME_DOOR = Door("udp", TIME_ADDRESS, 123)
_HTTPS = 443
_THREADS = 2


def guest_network(tls_ports: Sequence[int]) -> Network:
    """Return the network of a guest; 10.0.2.2 is 127.0.0.1 inside. The twin answers at 443, 4601 and `tls_ports`."""
    ports = sorted({_HTTPS, TLS_PORT, *tls_ports})
    return Network(
        addresses=(METADATA_ADDRESS, NAME_SERVER_ADDRESS, TIME_ADDRESS),
        doors=(
            *(METADATA_DOOR, _NAMES_BY_DATAGRAM, _NAMES_BY_STREAM, _TIME_DOOR),
            *(Door("tcp", LOOPBACK, port) for port in ports),
        ),
        name_server=NAME_SERVER_ADDRESS,
    )


class GuestServices:
    """Serves the doors of one guest's network until it is stopped."""

    def __init__(
        self, doors: Mapping[Door, socket.socket], *, metadata: Handler, endpoint: Handler, tls: TlsServer, clock: Clock
    ) -> None:
        self._listeners = [Listener(metadata, threads=_THREADS, listening=doors[METADATA_DOOR])]
        self._listeners += [
            Listener(endpoint, threads=_THREADS, tls=tls, listening=each)
            for door, each in doors.items()
            if door.address == LOOPBACK
        ]
        self._questions = SmallQuestions(
            {doors[_NAMES_BY_DATAGRAM]: answer_query, doors[_TIME_DOOR]: partial(answer_time, clock=clock)},
            {doors[_NAMES_BY_STREAM]: answer_query},
        )
        for listener in self._listeners:
            listener.start()

    def stop(self) -> None:
        """End all of it."""
        self._questions.stop()
        for listener in self._listeners:
            listener.stop()
