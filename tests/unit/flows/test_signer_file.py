# SPDX-License-Identifier: Apache-2.0
import os
import stat
from contextlib import suppress

import pytest

from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import FormatError, LocalFault
from strongroom.flows.signer_file import read_signer_file, write_signer_file


@pytest.fixture
def signer():
    return Ed25519Signer.generate()


def test_a_signer_comes_back_from_its_file(signer, tmp_path):
    write_signer_file(tmp_path / "keys/main.pem", signer)
    assert read_signer_file(tmp_path / "keys/main.pem").key_id == signer.key_id


def test_only_the_owner_can_read_the_file_and_list_its_folder(signer, tmp_path):
    before = os.umask(0)
    try:
        write_signer_file(tmp_path / "above/keys/main.pem", signer)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
    tmp_path /= "above"
    assert stat.S_IMODE((tmp_path / "keys/main.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_key_that_others_could_touch_is_not_used(signer, tmp_path, mode):
    write_signer_file(tmp_path / "main.pem", signer)
    (tmp_path / "main.pem").chmod(mode)
    with pytest.raises(LocalFault) as caught:
        read_signer_file(tmp_path / "main.pem")
    assert caught.value.code == "signer.readable"
    assert "chmod 600" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file to another user needs root")
def test_a_key_of_another_user_is_not_used(signer, tmp_path):
    write_signer_file(tmp_path / "main.pem", signer)
    os.chown(tmp_path / "main.pem", 65534, 65534)
    with pytest.raises(LocalFault) as caught:
        read_signer_file(tmp_path / "main.pem")
    assert caught.value.code == "signer.readable"


def test_what_is_looked_at_is_what_is_read(signer, tmp_path, monkeypatch):
    """Whoever may rename in the folder puts a file of his own there, between the look and the reading."""
    path = tmp_path / "main.pem"
    write_signer_file(path, signer)
    write_signer_file(tmp_path / "other.pem", Ed25519Signer.generate())
    (tmp_path / "other.pem").chmod(0o666)

    def swapping(look):
        def swapped(*arguments, **named):
            state = look(*arguments, **named)
            with suppress(FileNotFoundError):
                os.rename(tmp_path / "other.pem", path)  # noqa: PTH104 -- pathlib would come by here again
            return state

        return swapped

    monkeypatch.setattr(os, "stat", swapping(os.stat))
    monkeypatch.setattr(os, "fstat", swapping(os.fstat))
    assert read_signer_file(path).key_id == signer.key_id


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_a_file_can_hold_a_key(tmp_path, make):
    make(tmp_path / "main.pem", 0o600)
    with pytest.raises(LocalFault) as caught:
        read_signer_file(tmp_path / "main.pem")
    assert caught.value.code == "signer.no-file"


def test_a_missing_key_is_reported_with_what_to_do(tmp_path):
    with pytest.raises(LocalFault) as caught:
        read_signer_file(tmp_path / "main.pem")
    assert caught.value.code == "signer.missing"


def test_a_file_that_holds_no_key_is_refused(tmp_path):
    (tmp_path / "main.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "main.pem").chmod(0o600)
    with pytest.raises(FormatError):
        read_signer_file(tmp_path / "main.pem")


def test_a_private_key_is_never_overwritten(signer, tmp_path):
    (tmp_path / "main.pem").write_text("precious")
    (tmp_path / "link.pem").symlink_to(tmp_path / "nowhere")
    for name in ("main.pem", "link.pem"):
        with pytest.raises(LocalFault) as caught:
            write_signer_file(tmp_path / name, signer)
        assert caught.value.code == "signer.exists"
    assert (tmp_path / "main.pem").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_reported(signer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalFault) as caught:
        write_signer_file(tmp_path / "file/keys/main.pem", signer)
    assert caught.value.code == "signer.folder"
