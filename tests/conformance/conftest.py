# SPDX-License-Identifier: Apache-2.0
"""TPMs to compare with."""

import pytest
from tests.conformance.tpm_subjects import SUBJECTS
from tests.libtpms import libtpms as run_libtpms
from tests.tpm_tools import Both, tools_for_debians, tools_for_ours


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


@pytest.fixture
def both(tmp_path):
    """Tools for an emulated NitroTPM and for Debian's swtpm, started, each in a folder of its own."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    with tools_for_ours(ours) as our_tools, tools_for_debians(theirs) as their_tools:
        yield Both(our_tools, their_tools)
