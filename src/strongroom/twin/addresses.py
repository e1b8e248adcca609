# SPDX-License-Identifier: Apache-2.0
"""Where a twin listens: on the loopback address, unless it is told otherwise in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from strongroom.twin.tls import LOOPBACK

Address: TypeAlias = tuple[str, int]
"""An IPv4 address and a port; port 0 is one of the system's choice."""
ANY_PORT: Address = (LOOPBACK, 0)
PLAIN_PORT, TLS_PORT = 4600, 4601
"""Of `twin up`, and where a guest finds the twin under TLS whatever port it has outside."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- never a default: `twin up` wants it said twice


@dataclass(frozen=True, slots=True)
class Addresses:
    """Of both endpoints. Metadata services are on the loopback address whatever stands here."""

    plain: Address = ANY_PORT
    tls: Address = ANY_PORT

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses for which the TLS certificate is issued."""
        return tuple(dict.fromkeys((LOOPBACK, reachable(self.tls))))


LOOPBACK_ADDRESSES = Addresses()


def reachable(address: Address) -> str:
    """Return where this machine reaches what listens there."""
    return LOOPBACK if address[0] == EVERYWHERE else address[0]
