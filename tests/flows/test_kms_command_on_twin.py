# SPDX-License-Identifier: Apache-2.0
"""`strongroom kms decrypt` on an instance of the twin: one command for what an article needs five for."""

import base64
import json
import os
import pty
import stat
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta

import pytest
from tests.kms_scene import CONTEXT, SECRET, SHORTHAND, kms_scene, on_instance
from tests.kms_scene import impostor as running_impostor

from strongroom.cli import kms_decrypt
from strongroom.cli.main import run
from strongroom.errors import TpmFault
from strongroom.twin.firmware import Firmware


@pytest.fixture(scope="module")
def scene():
    with kms_scene() as running:
        yield running


@pytest.fixture
def on(scene, tmp_path, monkeypatch):
    """Make this process one on an instance."""
    with ExitStack() as until_the_end:
        yield lambda instance: until_the_end.enter_context(on_instance(scene.twin, instance, tmp_path, monkeypatch))


@pytest.fixture
def folder(scene, on, tmp_path):
    """The folder of a process on the instance that the key opens for, with the ciphertext in a file."""
    on(scene.instance)
    (tmp_path / "ct.bin").write_bytes(scene.blob)
    return tmp_path


@pytest.fixture
def impostor():
    with running_impostor() as running:
        yield running


def decrypt(scene, folder, *more, key=True):
    named = ["--key-id", scene.key_arn] if key else []
    return ["kms", "decrypt", *named, "--ciphertext-blob", f"fileb://{folder}/ct.bin", *map(str, more)]


def test_one_command_gives_the_secret_byte_for_byte(scene, folder, capfdbinary):
    assert run(decrypt(scene, folder, "--encryption-context", SHORTHAND)) == 0
    assert capfdbinary.readouterr() == (SECRET, b"")


def test_base64_text_and_json_mean_the_same(scene, folder, capfdbinary):
    blob = base64.b64encode(scene.blob).decode()
    asked = ["kms", "decrypt", "--key-id", scene.key_arn, "--ciphertext-blob", blob]
    assert run([*asked, "--encryption-context", json.dumps(CONTEXT)]) == 0
    assert capfdbinary.readouterr().out == SECRET


def test_a_file_is_its_owners_alone(scene, folder, capsys):
    path = folder / "secret"
    assert run(decrypt(scene, folder, "--encryption-context", SHORTHAND, "-o", path)) == 0
    assert path.read_bytes() == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert capsys.readouterr() == (f"Wrote {len(SECRET)} bytes to {path}\n", "")
    assert run(decrypt(scene, folder, "--encryption-context", SHORTHAND, "-o", path, "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    algorithm = "SYMMETRIC_DEFAULT"
    assert said == {
        "ok": True,
        "KeyId": scene.key_arn,
        "EncryptionAlgorithm": algorithm,
        "findings": [],
        "written": str(path),
        "bytes": len(SECRET),
    }


def test_json_is_the_reply_of_aws(scene, folder, capsys):
    given = ["--encryption-context", SHORTHAND, "--encryption-algorithm", "SYMMETRIC_DEFAULT", "--json"]
    assert run(decrypt(scene, folder, *given)) == 0
    said = json.loads(capsys.readouterr().out)
    assert base64.b64decode(said["Plaintext"]) == SECRET
    assert (said["KeyId"], said["EncryptionAlgorithm"]) == (scene.key_arn, "SYMMETRIC_DEFAULT")


@pytest.mark.attack("K7")
def test_a_key_that_is_not_named_is_a_warning(scene, folder, capfd):
    given = ["--encryption-context", SHORTHAND, "--region", scene.twin.region]
    assert run(decrypt(scene, folder, *given, key=False)) == 0
    out, err = capfd.readouterr()
    assert out.encode() == SECRET
    assert "WARNING kms.key-not-named" in err
    assert run(decrypt(scene, folder, *given, "--json", key=False)) == 0
    assert [finding["code"] for finding in json.loads(capfd.readouterr().out)["findings"]] == ["kms.key-not-named"]


def test_a_dry_run_sends_no_secret(scene, folder, capsys):
    asked = decrypt(scene, folder, "--encryption-context", SHORTHAND, "--dry-run")
    assert run(asked) == 0
    assert capsys.readouterr() == ("KMS would decrypt it for this instance.\n", "")
    assert scene.twin.kms.decisions[-1].error_code == "DryRunOperationException"
    assert run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "dry_run": True, "findings": []}
    assert run(decrypt(scene, folder, "--dry-run")) == 6


@pytest.mark.attack("B1")
def test_another_boot_state_is_refused_and_the_command_says_what_it_is(scene, on, tmp_path, capsys):
    rooted = scene.launch(firmware=Firmware(load_options="init=/bin/sh"))
    on(rooted)
    (tmp_path / "ct.bin").write_bytes(scene.blob)
    path = tmp_path / "secret"
    assert run(decrypt(scene, tmp_path, "--encryption-context", SHORTHAND, "-o", path)) == 6
    out, err = capsys.readouterr()
    assert (out, path.exists()) == ("", False)
    assert "[kms.access-denied]" in err
    assert f"NitroTPMPCR12 of this instance is {rooted.pcrs[12].hex()}" in err
    assert rooted.pcrs[12] != scene.instance.pcrs[12]
    assert "`strongroom key explain`" in err


def test_the_wrong_context_is_refused(scene, folder, capsys):
    other = SHORTHAND.replace("db-password", "db-passw0rd")
    assert run(decrypt(scene, folder, "--encryption-context", other)) == 6
    assert "[kms.invalid-ciphertext]" in capsys.readouterr().err


def test_documents_that_are_too_old_twice_are_an_error_that_says_so(scene, on, tmp_path, capsys):
    instance = scene.launch()
    instance.document_age = timedelta(minutes=6)
    on(instance)
    (tmp_path / "ct.bin").write_bytes(scene.blob)
    assert run(decrypt(scene, tmp_path, "--encryption-context", SHORTHAND)) == 6
    err = capsys.readouterr().err
    assert "[kms.document-expired]" in err
    assert "It was the second one" in err


@pytest.mark.attack("K14")
def test_without_a_tpm_the_command_exits_with_7(scene, folder, monkeypatch, capsys):
    monkeypatch.setenv("TPM_DEVICE", str(folder / "none"))
    before = scene.twin.kms.decisions
    assert run(decrypt(scene, folder, "--encryption-context", SHORTHAND)) == 7
    assert "[tpm.absent]" in capsys.readouterr().err
    assert scene.twin.kms.decisions == before


def test_a_tpm_that_fails_after_a_refusal_does_not_hide_the_refusal(scene, folder, monkeypatch, capsys):
    def failing(*_):
        raise TpmFault("tpm.device", "it failed")

    monkeypatch.setattr(kms_decrypt, "read_pcrs", failing)
    assert run(decrypt(scene, folder)) == 6
    err = capsys.readouterr().err
    assert "[kms.access-denied]" in err
    assert "could not be read: it failed" in err


def test_where_nobody_answers_it_exits_with_8(scene, folder, capsys):
    asked = decrypt(scene, folder, "--encryption-context", SHORTHAND, "--endpoint-url", "http://127.0.0.1:9")
    assert run(asked) == 8
    assert "Does a twin run?" in capsys.readouterr().err


@pytest.mark.attack("K14")
def test_an_emulators_plaintext_exits_with_4_and_goes_nowhere(scene, folder, impostor, monkeypatch, capsys):
    url, root = impostor
    (folder / "root.pem").write_bytes(root)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(folder / "root.pem"))
    asked = decrypt(scene, folder, "--endpoint-url", url, "-o", folder / "secret")
    assert run(asked) == 4
    out, err = capsys.readouterr()
    assert "[kms.plaintext-in-reply]" in err
    assert (out, "not yours" in err, (folder / "secret").exists()) == ("", False, False)


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_secret_is_not_shown_on_a_terminal(scene, folder, option):
    before = scene.twin.kms.decisions
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "strongroom", *decrypt(scene, folder, "--encryption-context", SHORTHAND, *option)]
    finished = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False)
    said = os.read(ours, 4096) if option else finished.stderr
    os.close(theirs)
    os.close(ours)
    assert (finished.returncode, b"kms.secret-shown" in said) == (2, True)
    assert scene.twin.kms.decisions == before
