# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools reach swtpm by its two ports, and read what raw commands wrote."""

import hashlib
import os
import subprocess

import pytest
from tests.processes import program
from tests.swtpm import swtpm
from tests.tpm_commands import EMPTY, SHA256, digests, send, u16

pytestmark = pytest.mark.slow


def test_tpm2_tools_read_a_pcr_that_a_raw_command_extended(tmp_path):
    with swtpm(tmp_path) as tpm:
        assert send(tpm, "Startup", (), u16(0)).code == 0
        assert send(tpm, "PCR_Extend", (16,), digests((SHA256, b"\1" * 32)), EMPTY).code == 0
        tpm.close()
        tcti = f"swtpm:host=127.0.0.1,port={tpm.port}"
        read = subprocess.run(
            [program("tpm2_pcrread"), "sha256:16"],
            env={**os.environ, "TPM2TOOLS_TCTI": tcti},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert hashlib.sha256(bytes(32) + b"\1" * 32).hexdigest() in read.stdout.lower()
        assert send(tpm, "PCR_Reset", (16,), b"", EMPTY).code == 0


def test_two_run_side_by_side_and_leave_nothing_running(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with swtpm(tmp_path / "one") as one, swtpm(tmp_path / "two") as two:
        assert one.port != two.port
        assert [send(tpm, "Startup", (), u16(0)).code for tpm in (one, two)] == [0, 0]
    with pytest.raises(ConnectionError):
        send(one, "GetRandom", (), u16(1))
