# SPDX-License-Identifier: Apache-2.0
"""A NitroTPM that is started."""

import pytest
from tests.tpm_commands import send, u16

from strongroom.twin.nitrotpm.tpm import NitroTpm


@pytest.fixture
def tpm():
    started = NitroTpm()
    assert send(started, "Startup", (), u16(0)).code == 0
    return started
