# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools read what our TPM client makes, on swtpm: a sealed secret and a quote."""

import os
import subprocess

import pytest
from tests.swtpm import swtpm
from tests.tpm_transports import STARTUP, Between
from tests.unit.tpm.test_pcrs import extend

from strongroom.formats.pcrs import GATES
from strongroom.formats.tpm.wire import sized
from strongroom.tpm.command import NULL, OWNER
from strongroom.tpm.commands import create_primary
from strongroom.tpm.connection import EMPTY_PASSWORD, Connection
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.primary import SRK_TEMPLATE, primary, salt_key
from strongroom.tpm.quoting import _new_template, _quoted
from strongroom.tpm.sealing import BANK, seal_secret

pytestmark = pytest.mark.slow
SECRET = b"a secret that tpm2-tools unseal"
NONCE = b"challenge"
PCRS = "sha384:2,4,7,12,13"


@pytest.fixture
def tpm(tmp_path):
    with swtpm(tmp_path) as running:
        running.execute(STARTUP)
        for index in (2, 4, 7):
            extend(running, index, bytes([index]) * 48)
        yield running


def tool(tpm, folder, *arguments):
    """Run one of tpm2-tools with the TPM to itself. Return what it says, and whether that went well."""
    tpm.close()
    environment = os.environ | {"TPM2TOOLS_TCTI": f"swtpm:host=127.0.0.1,port={tpm.port}"}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, check=False)
    return done.stdout, done.returncode == 0, done.stderr.decode()


def test_tpm2_tools_unseal_what_we_have_sealed_in_its_boot_state_only(tpm, tmp_path):
    connection = Connection(Between(tpm))
    sealed = seal_secret(connection, SECRET, read_pcrs(connection, BANK, GATES))
    (tmp_path / "public").write_bytes(sized(sealed.public.encode()))
    (tmp_path / "private").write_bytes(sized(sealed.private))

    assert unsealed(tpm, tmp_path) == SECRET
    extend(tpm, 12, b"\x12" * 48)
    assert unsealed(tpm, tmp_path) is None


def unsealed(tpm, folder):
    """Unseal with tpm2-tools under our storage key, and flush everything. Return None where the TPM refuses the end."""
    made = Connection(Between(tpm)).run(create_primary(OWNER, SRK_TEMPLATE), EMPTY_PASSWORD)
    for arguments in (
        ("tpm2_load", "-C", hex(made.handle), "-u", "public", "-r", "private", "-c", "item"),
        ("tpm2_startauthsession", "--policy-session", "-S", "session"),
        ("tpm2_policypcr", "-S", "session", "-l", PCRS),
    ):
        _, ok, said = tool(tpm, folder, *arguments)
        assert ok, said
    secret, ok, _ = tool(tpm, folder, "tpm2_unseal", "-c", "item", "-p", "session:session")
    tool(tpm, folder, "tpm2_flushcontext", "session")
    tool(tpm, folder, "tpm2_flushcontext", "-t")
    return secret if ok else None


def test_tpm2_checkquote_agrees_with_our_quotes(tpm, tmp_path):
    connection = Connection(Between(tpm))
    with salt_key(connection) as salt, primary(connection, NULL, _new_template()) as key:
        quote = _quoted(connection, salt, key, nonce=NONCE, bank=BANK, indices=GATES)
    (tmp_path / "key").write_bytes(sized(quote.key.encode()))
    (tmp_path / "message").write_bytes(quote.attest)
    (tmp_path / "signature").write_bytes(quote.signature.encode())
    given = ("tpm2_checkquote", "-u", "key", "-m", "message", "-s", "signature", "-g", "sha384")
    _, ok, said = tool(tpm, tmp_path, *given, "-q", NONCE.hex())
    assert ok, said
    assert not tool(tpm, tmp_path, *given, "-q", b"another".hex())[1]
