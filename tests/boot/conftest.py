# SPDX-License-Identifier: Apache-2.0
"""What all boots share: packages fetched once, keys made once, and each configuration booted once a session."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.boot.machine import COMMAND_LINE, initrd_that_prints_pcrs
from tests.boot.variables import CERT_SHA256, signature_list
from tests.processes import program

from strongroom.formats.uki import assemble_uki
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.twin.debian import UkiParts, fetch_debian_uki_parts


@pytest.fixture(scope="session")
def parts() -> UkiParts:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "strongroom"
    return fetch_debian_uki_parts(cache, progress=print)


@pytest.fixture(scope="session")
def sections(parts) -> list[tuple[str, bytes]]:
    return [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", COMMAND_LINE),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", initrd_that_prints_pcrs(parts.busybox.read_bytes())),
    ]


@pytest.fixture(scope="session")
def image(parts, sections) -> bytes:
    return assemble_uki(parts.stub.read_bytes(), sections)


@dataclass(frozen=True)
class Signer:
    key: Path
    certificate: Path
    der: bytes

    def sign(self, image: bytes) -> bytes:
        unsigned, signed = self.key.with_name("unsigned.efi"), self.key.with_name("signed.efi")
        unsigned.write_bytes(image)
        arguments = ["--key", str(self.key), "--cert", str(self.certificate), "--output", str(signed), str(unsigned)]
        subprocess.run([program("sbsign"), *arguments], check=True, capture_output=True)
        return signed.read_bytes()


def make_signer(folder: Path, name: str) -> Signer:
    key, certificate, der = (folder / f"{name}.{ending}" for ending in ("key", "pem", "der"))
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "3650"]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "der", "-out", der], check=True)
    return Signer(key, certificate, der.read_bytes())


@pytest.fixture(scope="session")
def signer(tmp_path_factory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("signer"), "db")


@pytest.fixture(scope="session")
def keys(signer, tmp_path_factory) -> SecureBootKeys:
    """Owner's and signer's certificates; db allows both, dbx forbids an unknown image."""
    owner = signature_list(make_signer(tmp_path_factory.mktemp("owner"), "owner").der)
    forbidden = signature_list(bytes(32), kind=CERT_SHA256)
    return SecureBootKeys(pk=owner, kek=owner, db=owner + signature_list(signer.der), dbx=forbidden)


@pytest.fixture(scope="session")
def signed(signer, image) -> bytes:
    return bytes(signer.sign(image))
