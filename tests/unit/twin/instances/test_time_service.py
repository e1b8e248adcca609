# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from strongroom.twin.instances.time_service import answer_time


class Fixed:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)


REQUEST = bytes([0b00_100_011]) + bytes(39) + b"sent at."
"""Version 4, mode 3 (client), and a time of the client's."""


def test_a_client_is_told_the_twins_time_and_gets_its_own_back():
    reply = answer_time(REQUEST, Fixed())
    assert reply is not None
    assert len(reply) == 48
    assert reply[0] == 0b00_100_100, "version 4, mode 4 (server)"
    assert reply[24:32] == b"sent at."
    seconds = int.from_bytes(reply[40:44]) - 2_208_988_800  # from 1900 to 1970 (RFC 5905, figure 4)
    assert datetime.fromtimestamp(seconds, UTC) == Fixed().now().replace(microsecond=0)
    assert int.from_bytes(reply[44:48]) == 1 << 31, "half a second"


@pytest.mark.parametrize("packet", [b"", REQUEST[:47], bytes([0b00_100_100]) + REQUEST[1:]])
def test_what_no_client_sends_is_not_answered(packet):
    assert answer_time(packet, Fixed()) is None
