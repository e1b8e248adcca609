# SPDX-License-Identifier: Apache-2.0
"""Roots that are kept: the same after a restart, their owner's alone, and never made anew over a damaged file."""

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.errors import FormatError, LocalFault
from strongroom.ids import Region
from strongroom.twin.authorities import NITRO_ROOT, TLS_ROOT, KeptAuthorities, identity_name
from strongroom.twin.clock import SystemClock
from strongroom.twin.private_folder import open_private_folder

HERE, THERE = Region("eu-central-1"), Region("us-east-1")
PRIVATE = ["nitro.pem", "tls.pem", identity_name(HERE)]


@pytest.fixture
def folder(tmp_path):
    return open_private_folder(tmp_path / "twin")


def opened(folder):
    found = KeptAuthorities(folder, SystemClock())
    return found.nitro.der, found.tls.der, found.identity(HERE).der


def test_they_are_the_same_each_time(folder):
    assert opened(folder) == opened(folder)


def test_regions_have_signers_of_their_own(folder):
    kept = KeptAuthorities(folder, SystemClock())
    assert kept.identity(HERE).der != kept.identity(THERE).der
    assert kept.identity(HERE) is kept.identity(HERE)


def test_keys_are_their_owners_alone_and_certificates_are_anybodys(folder):
    opened(folder)
    for name in PRIVATE:
        assert stat.S_IMODE((folder / "private" / name).stat().st_mode) == 0o600
    for name in (NITRO_ROOT, TLS_ROOT, identity_name(HERE)):
        text = (folder / name).read_text()
        assert "PRIVATE" not in text
        assert text.count("BEGIN CERTIFICATE") == 1
    assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("damage", ["text", "key of another", "another kind"])
def test_a_damaged_file_is_refused_and_left_as_it_is(folder, name, damage):
    opened(folder)
    path = folder / "private" / name
    key = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = path.read_bytes()[path.read_bytes().index(b"-----BEGIN CERT") :]
    other = folder / "private" / ("tls.pem" if name != "tls.pem" else "nitro.pem")
    written = {"text": b"nothing", "key of another": key + certificate, "another kind": other.read_bytes()}[damage]
    path.write_bytes(written)
    with pytest.raises(FormatError) as caught:
        opened(folder)
    assert caught.value.code == "twin.authority"
    assert path.read_bytes() == written


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    (tmp_path / "twin").mkdir(mode=0o755)
    (tmp_path / "twin").chmod(0o755)
    with pytest.raises(LocalFault) as caught:
        open_private_folder(tmp_path / "twin")
    assert caught.value.code == "twin.folder-open"
    assert "chmod 700" in caught.value.remedy


def test_where_no_folder_can_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalFault) as caught:
        open_private_folder(tmp_path / "file" / "twin")
    assert caught.value.code == "twin.folder"
