# SPDX-License-Identifier: Apache-2.0
"""A NitroTPM that is started, and the clock of one that is not yet made."""

import pytest
from tests.tpm_commands import send, u16

from strongroom.twin.nitrotpm.tpm import NitroTpm


class Clock:
    """A machine's clock that the test turns."""

    now_ms = 1_000_000

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tpm():
    started = NitroTpm()
    assert send(started, "Startup", (), u16(0)).code == 0
    return started
