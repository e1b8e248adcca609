# SPDX-License-Identifier: Apache-2.0
"""What all boots share: packages fetched once, keys made once, and each configuration booted once a session."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.boot.machine import COMMAND_LINE, initrd_that_prints_pcrs, program
from tests.boot.variables import signature_list

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


@pytest.fixture(scope="session")
def signer(tmp_path_factory) -> Signer:
    folder = tmp_path_factory.mktemp("signer")
    key, certificate, der = folder / "db.key", folder / "db.pem", folder / "db.der"
    subject = ["-subj", "/CN=strongroom test", "-days", "3650"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject]
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "der", "-out", der], check=True)
    return Signer(key, certificate, der.read_bytes())


@pytest.fixture(scope="session")
def keys(signer) -> SecureBootKeys:
    """One certificate in all three roles."""
    esl = signature_list(signer.der)
    return SecureBootKeys(pk=esl, kek=esl, db=esl)
