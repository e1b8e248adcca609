# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools reach swtpm by its two ports, and read what raw commands wrote; they open our TPM as a device."""

import hashlib
import os
import subprocess

import pytest
from tests.attesting_tpm import attesting_tpm
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


def test_tpm2_tools_use_the_emulated_nitrotpm_as_a_device(tmp_path):
    with attesting_tpm(tmp_path) as tpm:

        def tool(name: str, *arguments: str) -> str:
            command = [program("tpm2"), name, "-T", tpm.tctis["device"], *arguments]
            return subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
            ).stdout.lower()

        assert len(bytes.fromhex(tool("getrandom", "--hex", "32"))) == 32
        assert tpm.instance.pcrs[4].hex() in tool("pcrread", "sha384:4")
        tool("createprimary", "-C", "o", "-c", "primary.ctx")
        (tmp_path / "secret").write_bytes(b"a secret")
        tool("create", "-C", "primary.ctx", "-i", "secret", "-u", "sealed.pub", "-r", "sealed.priv")
        tool("load", "-C", "primary.ctx", "-u", "sealed.pub", "-r", "sealed.priv", "-c", "sealed.ctx")
        assert tool("unseal", "-c", "sealed.ctx") == "a secret"
