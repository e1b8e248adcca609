# SPDX-License-Identifier: Apache-2.0
"""The whole way: an image is predicted, booted on the emulated NitroTPM, attests, and is believed for what it is."""

import secrets
import subprocess
import sys

import pytest
from tests.boot.attesting_guest import attesting_initrd, document_in
from tests.boot.machine import COMMAND_LINE, EmulatedNitroTpm, Machine, run_until_off

from strongroom.formats.measurements import encode_measurements
from strongroom.formats.uki import assemble_uki
from strongroom.measure.predict import measure_image

pytestmark = pytest.mark.slow

NONCE = secrets.token_bytes(32)


@pytest.fixture(scope="module")
def attesting_image(parts) -> bytes:
    sections = [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", COMMAND_LINE),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", attesting_initrd(parts.busybox.read_bytes(), NONCE)),
    ]
    return assemble_uki(parts.stub.read_bytes(), sections)


@pytest.fixture(scope="module")
def attested(attesting_image, tmp_path_factory):
    """A folder with what the guest printed, the twin's root, and what was predicted of the image."""
    folder = tmp_path_factory.mktemp("attested")
    tpm = EmulatedNitroTpm(("sha256", "sha384"), home=folder / "tpm")
    serial = run_until_off(Machine(attesting_image, tpm=tpm))
    (folder / "document.cbor").write_bytes(document_in(serial))
    (folder / "measurements.json").write_bytes(encode_measurements(measure_image(attesting_image, secure_boot=None)))
    return folder


def verify(folder, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "strongroom", "verify", "document.cbor", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_document_of_a_guest_is_accepted_with_the_measurements_predicted_from_its_image(attested):
    accepted = verify(attested, "--measurements", "measurements.json", "--root", "tpm/root.pem", "--nonce", NONCE.hex())
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr


def test_it_is_not_without_the_root_the_nonce_or_the_image(attested):
    image, root = ("--measurements", "measurements.json"), ("--root", "tpm/root.pem")
    assert verify(attested, *image, "--nonce", NONCE.hex()).returncode == 4
    assert verify(attested, *image, *root, "--nonce", bytes(32).hex()).returncode == 5
    other = ("--pcr", f"4={'11' * 48}", "--allow-partial")
    assert verify(attested, *other, *root, "--nonce", NONCE.hex()).returncode == 5
