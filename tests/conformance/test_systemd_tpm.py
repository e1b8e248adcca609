# SPDX-License-Identifier: Apache-2.0
"""systemd seals credentials and LUKS2 volumes to the emulated NitroTPM, and to swtpm for comparison.

Not shown: that systemd-cryptsetup opens the volume, because that needs device-mapper, which few machines that run tests
have. In its place tpm2-tools unseal what systemd-cryptenroll left in the header, and cryptsetup tries that passphrase.
"""

import base64
import json
import os
import shutil
from typing import Any

import pytest
from tests.tpm_tools import Tools

pytestmark = pytest.mark.slow
SECRET = "a secret of the service"
PCRS = "sha256:4,7"
BOOTED = f"tpm2_pcrextend 4:sha256={'04' * 32} 7:sha256={'07' * 32}"
CHANGED = f"tpm2_pcrextend 4:sha256={'44' * 32}"
ENCRYPT = "systemd-creds encrypt --with-key=tpm2 --tpm2-device=$TCTI --tpm2-pcrs=4+7 --name=app secret sealed"
DECRYPT = "systemd-creds decrypt --tpm2-device=$TCTI --name=app sealed -"
VOLUME_BYTES = 20 << 20
"""A LUKS2 header takes 16 MiB."""
FORMAT = "cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 volume password"
ENROLL = "systemd-cryptenroll --unlock-key-file=password --tpm2-device=$TCTI --tpm2-pcrs=4+7 volume"
DUMP = "cryptsetup luksDump --dump-json-metadata volume"
UNSEAL = f"tpm2_unseal -c sealed.ctx -p pcr:{PCRS} -o unsealed"


@pytest.fixture
def booted(both):
    """Both TPMs with PCRs that are not zero: a policy over zeros is none, and systemd says so."""
    both.play(BOOTED)
    both.write("secret", SECRET.encode())
    both.write("password", b"a password")
    return both


def test_a_credential_is_decrypted_in_the_same_boot_state_only(booted):
    booted.play(f"""
        {ENCRYPT}
        = {DECRYPT}
        = tpm2_getcap handles-transient
        = tpm2_getcap handles-loaded-session
        {CHANGED}
        ! {DECRYPT}
        """)


def test_a_credential_is_what_was_encrypted_and_no_other_tpm_decrypts_it(booted):
    booted.play(ENCRYPT)
    assert booted.ours.succeed(DECRYPT) == booted.theirs.succeed(DECRYPT) == SECRET
    for tools, other in ((booted.ours, booted.theirs), (booted.theirs, booted.ours)):
        (other.folder / "sealed").rename(other.folder / "kept")
        shutil.copy(tools.folder / "sealed", other.folder / "sealed")
        assert other.run(DECRYPT).code != 0
        (other.folder / "kept").rename(other.folder / "sealed")


def test_systemd_sees_whether_anything_was_measured_into_the_pcrs(booted):
    assert "unenforced" not in booted.ours.run(ENCRYPT).complaint
    assert "unenforced" in booted.ours.run(ENCRYPT.replace("4+7", "16+23")).complaint


def enroll(tools: Tools) -> dict[str, Any]:
    """Make a volume with a TPM beside its password, and return what its header says of the TPM."""
    (tools.folder / "volume").touch()
    os.truncate(tools.folder / "volume", VOLUME_BYTES)
    tools.succeed(FORMAT)
    tools.succeed(ENROLL)
    tokens: dict[str, dict[str, Any]] = json.loads(tools.succeed(DUMP))["tokens"]
    (token,) = tokens.values()
    return token


def load(tools: Tools, token: dict[str, Any]) -> None:
    """Load what was sealed, with tpm2-tools: a private and a public area, each with its size in front."""
    blob = base64.b64decode(token["tpm2-blob"])
    end = 2 + int.from_bytes(blob[:2])
    (tools.folder / "sealed.priv").write_bytes(blob[:end])
    (tools.folder / "sealed.pub").write_bytes(blob[end:])
    tools.succeed(f"tpm2_createprimary -C o -G {token['tpm2-primary-alg']} -c primary.ctx")
    tools.succeed("tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx")


def opens(tools: Tools, token: dict[str, Any]) -> bool:
    """Say whether what was unsealed is the passphrase of the token's key slot; systemd uses it as base64."""
    passphrase = base64.b64encode((tools.folder / "unsealed").read_bytes())
    (tools.folder / "passphrase").write_bytes(passphrase)
    (slot,) = token["keyslots"]
    command = f"cryptsetup open --test-passphrase --key-slot {slot} --key-file passphrase volume"
    return tools.run(command).code == 0


def test_a_volume_is_opened_by_what_the_tpm_unseals_in_the_same_boot_state_only(booted):
    for tools in (booted.ours, booted.theirs):
        token = enroll(tools)
        assert (token["type"], token["tpm2-pcrs"], token["tpm2-pcr-bank"]) == ("systemd-tpm2", [4, 7], "sha256")
        load(tools, token)
        tools.succeed(UNSEAL)
        assert opens(tools, token)
        (tools.folder / "unsealed").write_bytes(bytes(32))
        assert not opens(tools, token)
    booted.play(f"""
        {CHANGED}
        ! {UNSEAL}
        """)


def test_both_tpms_get_the_same_policy_from_systemd(booted):
    policies = {enroll(tools)["tpm2-policy-hash"] for tools in (booted.ours, booted.theirs)}
    booted.play(f"""
        tpm2_createpolicy --policy-pcr -l {PCRS} -L policy
        same policy
        """)
    assert policies == {(booted.ours.folder / "policy").read_bytes().hex()}
