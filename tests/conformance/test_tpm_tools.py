# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools reach swtpm by its two ports, and read what raw commands wrote; they open our TPM as a device."""

import hashlib

import pytest
from tests.attesting_tpm import attesting_tpm
from tests.swtpm import swtpm
from tests.tpm_commands import EMPTY, SHA256, digests, send, u16
from tests.tpm_tools import Tools

pytestmark = pytest.mark.slow


def test_tpm2_tools_read_a_pcr_that_a_raw_command_extended(tmp_path):
    with swtpm(tmp_path) as tpm:
        assert send(tpm, "Startup", (), u16(0)).code == 0
        assert send(tpm, "PCR_Extend", (16,), digests((SHA256, b"\1" * 32)), EMPTY).code == 0
        tpm.close()
        tools = Tools(tmp_path, f"swtpm:host=127.0.0.1,port={tpm.port}")
        expected = hashlib.sha256(bytes(32) + b"\1" * 32).hexdigest()
        assert expected in tools.succeed("tpm2_pcrread sha256:16").lower()
        assert send(tpm, "PCR_Reset", (16,), b"", EMPTY).code == 0


def test_two_run_side_by_side_and_leave_nothing_running(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with swtpm(tmp_path / "one") as one, swtpm(tmp_path / "two") as two:
        assert one.port != two.port
        assert [send(tpm, "Startup", (), u16(0)).code for tpm in (one, two)] == [0, 0]
    with pytest.raises(ConnectionError):
        send(one, "GetRandom", (), u16(1))


def test_tpm2_tools_use_the_emulated_nitrotpm_of_a_booted_machine_as_a_device(tmp_path):
    (tmp_path / "secret").write_bytes(b"a secret")
    with attesting_tpm(tmp_path) as tpm:
        tools = Tools(tmp_path, tpm.tctis["device"])
        assert tpm.instance.pcrs[4].hex() in tools.succeed("tpm2_pcrread sha384:4").lower()
        assert len(bytes.fromhex(tools.succeed("tpm2_getrandom --hex 32"))) == 32
        for line in (
            "tpm2_createprimary -C o -c primary.ctx",
            "tpm2_createpolicy --policy-pcr -l sha384:4,7 -L policy",
            "tpm2_create -C primary.ctx -i secret -L policy -u sealed.pub -r sealed.priv",
            "tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx",
            "tpm2_createek -c ek.ctx -G rsa -u ek.pub",
            "tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem",
            "tpm2_quote -c ak.ctx -l sha384:2,4,7,12 -q abcd -m message -s signature -o pcrs -g sha256",
            "tpm2_checkquote -u ak.pem -m message -s signature -f pcrs -g sha256 -q abcd",
        ):
            tools.succeed(line)
        assert tools.succeed("tpm2_unseal -c sealed.ctx -p pcr:sha384:4,7") == "a secret"
        tools.succeed(f"tpm2_pcrextend 4:sha384={'44' * 48}")
        assert tools.run("tpm2_unseal -c sealed.ctx -p pcr:sha384:4,7").code != 0


def test_a_difference_between_two_tpms_is_found(both):
    both.write("data", b"data")
    both.play("""
        = tpm2_pcrread
        tpm2_hash -C o -g sha256 -o digest data
        same digest
        ! tpm2_pcrreset 4
        """)
    (both.ours.folder / "data").write_bytes(b"other data")
    both.ours.succeed("tpm2_changeauth -c o owner")
    both.theirs.succeed("tpm2_changeauth -c o longer")
    for script in (
        "= tpm2_pcrevent 16 data",  # succeeds on both, with other digests
        "~ cat data",  # other words
        "tpm2_nvdefine 0x1500016 -C o -P owner -s 8",  # refused by one
        "! tpm2_nvdefine 0x1500016 -C o -P longer -s 8",  # refused by one
        "tpm2_pcrreset 4",  # refused by both
        "! tpm2_getrandom 8",  # refused by none
        "tpm2_hash -C o -g sha256 -o digest data\nsame digest",
    ):
        with pytest.raises(AssertionError):
            both.play(script)
