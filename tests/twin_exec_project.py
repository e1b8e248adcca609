# SPDX-License-Identifier: Apache-2.0
"""A vendor's project with secrets for two tenants, and an image: what `strongroom twin exec` is tried with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.twin_world import small_uki

from strongroom.formats.pe import parse_pe

PASSWORD = b"canary-5d1e77-password\n"
KEY = bytes(range(256)) * 1200 + b"canary-5d1e77-key"
"""More than one chunk, and no text."""
GLOBEX, INITECH, VENDOR = "222222222222", "333333333333", "111111111111"
_TEXT = """\
version = 1

[product]
id = "acme"
regions = ["eu-central-1"]
rings = ["canary", "general"]

[targets.twin]
profile = "rehearsal"
vendor-account = "111111111111"

[tenants.globex]
accounts = ["222222222222", "222222222223"]
regions = ["eu-west-3"]
ring = "canary"

[tenants.initech]
accounts = ["333333333333"]

[secrets.db-password]
files = ["secrets/db-password"]

[secrets.tls]
files = ["secrets/tls/key.der", "secrets/tls/chain.pem"]
purpose = "configuration"
epoch = 4
floor = 7

[secrets.initech-only]
files = ["secrets/db-password"]
tenants = ["initech"]
"""


@dataclass(frozen=True, slots=True)
class VendorFolder:
    """Where it lies. `image` is a unified kernel image."""

    folder: Path
    file: Path
    image: Path

    def add(self, text: str) -> None:
        """Add sections to the project."""
        self.file.write_text(self.file.read_text() + text)

    def change_a_byte(self, section: str = ".cmdline") -> None:
        """Change one byte of the image, where an attacker would."""
        data = bytearray(self.image.read_bytes())
        place = next(s.raw_offset for s in parse_pe(bytes(data)).sections if s.name == section)
        data[place] ^= 0x01
        self.image.write_bytes(data)


def write_project(folder: Path) -> VendorFolder:
    """Write it."""
    (folder / "secrets/tls").mkdir(parents=True)
    (folder / "secrets/db-password").write_bytes(PASSWORD)
    (folder / "secrets/tls/key.der").write_bytes(KEY)
    (folder / "secrets/tls/chain.pem").write_text("not a secret\n")
    (folder / "strongroom.toml").write_text(_TEXT)
    (folder / "app.efi").write_bytes(small_uki())
    return VendorFolder(folder, folder / "strongroom.toml", folder / "app.efi")
