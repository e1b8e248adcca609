# SPDX-License-Identifier: Apache-2.0
"""One running twin for all tests of a module; what a test changes in it, it makes for itself."""

import pytest
from tests.twin_world import world as running_world


@pytest.fixture(scope="module")
def world():
    with running_world() as running:
        yield running
