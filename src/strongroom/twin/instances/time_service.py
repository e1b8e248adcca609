# SPDX-License-Identifier: Apache-2.0
"""The Amazon Time Sync Service of a guest: the twin's clock, as NTP (RFC 5905, section 7.3; client and server only)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from strongroom.ports import Clock

_PACKET = struct.Struct(">BBbbII4s8s8s8s8s")
_CLIENT, _SERVER = 3, 4
_VERSION_MASK, _MODE_MASK = 0b0011_1000, 0b0000_0111
_STRATUM, _POLL, _PRECISION = 3, 4, -20
_SOURCE = b"TWIN"
_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_FRACTION = 1 << 32


def answer_time(packet: bytes, clock: Clock) -> bytes | None:
    """Return the answer to a client's packet; None for any other packet."""
    if len(packet) < _PACKET.size or packet[0] & _MODE_MASK != _CLIENT:
        return None
    sent_by_client = packet[_PACKET.size - 8 : _PACKET.size]
    now = _timestamp(clock.now())
    first = packet[0] & _VERSION_MASK | _SERVER
    return _PACKET.pack(first, _STRATUM, _POLL, _PRECISION, 0, 0, _SOURCE, now, sent_by_client, now, now)


def _timestamp(at: datetime) -> bytes:
    seconds, rest = divmod((at - _EPOCH).total_seconds(), 1)
    return struct.pack(">II", int(seconds) % _FRACTION, int(rest * _FRACTION))
