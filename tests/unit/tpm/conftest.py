# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.libtpms import libtpms
from tests.tpm_transports import STARTUP, Between

from strongroom.tpm.connection import Connection


@pytest.fixture
def tpm():
    """A TPM of libtpms, started."""
    with libtpms() as running:
        running.execute(STARTUP)
        yield running


@pytest.fixture
def between(tpm):
    """The way to that TPM, which tests may stand on."""
    return Between(tpm)


@pytest.fixture
def connection(between):
    return Connection(between, sleep=lambda _: None)
