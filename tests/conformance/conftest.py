# SPDX-License-Identifier: Apache-2.0
"""TPMs to compare with."""

import pytest
from tests.conformance.tpm_subjects import SUBJECTS
from tests.libtpms import libtpms as run_libtpms


@pytest.fixture
def libtpms():
    """A TPM of libtpms as it leaves the factory, in a process of its own."""
    with run_libtpms() as tpm:
        yield tpm


@pytest.fixture(params=sorted(SUBJECTS))
def subject(request):
    """Each TPM that is compared with libtpms, as its name and the TPM itself."""
    with SUBJECTS[request.param]() as tpm:
        yield request.param, tpm
