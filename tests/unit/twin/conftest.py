# SPDX-License-Identifier: Apache-2.0
"""One running twin for all tests of a module; what a test changes in it, it makes for itself."""

import pytest
from tests.ebs_calls import Storage
from tests.kms_calls import CUSTOMER, VENDOR, Cloud
from tests.twin_world import world as running_world

from strongroom.twin.accounts import FULL_ACCESS


@pytest.fixture(scope="module")
def world():
    with running_world() as running:
        yield running


@pytest.fixture
def cloud():
    """A KMS of its own, without HTTP."""
    return Cloud()


@pytest.fixture
def vendor(cloud):
    """Somebody who may do everything in the vendor's account."""
    return cloud.user(VENDOR, "release", FULL_ACCESS)


@pytest.fixture
def customer(cloud):
    """Somebody who may do everything in the customer's account, which is none of the vendor's."""
    return cloud.user(CUSTOMER, "admin", FULL_ACCESS)


@pytest.fixture
def storage():
    """EBS of its own, without HTTP."""
    found = Storage()
    yield found
    found.ebs.close()
