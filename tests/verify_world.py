# SPDX-License-Identifier: Apache-2.0
"""A folder with a document, its root, measurements and policies, and `strongroom verify` run in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.nitro_pki import NONCE, NOW, PCR4, PCRS, Pki, document, good_pki, root_pem

from strongroom.cli.main import run

OTHER = "11" * 48
AT = ("--at", NOW.isoformat())
CHALLENGED = ("--nonce", NONCE.hex())
RULES = tuple(f"--pcr={index}={PCRS[index].hex()}" for index in (2, 4, 12, 13))
GATES = {str(index): [PCRS[index].hex()] for index in (2, 4, 12, 13)}


def measured(**changes: str) -> dict[str, object]:
    """The content of a measurements file as AWS writes it, of the image that the document is from."""
    values = {"PCR4": PCR4.hex(), "PCR7": PCRS[7].hex(), "PCR12": "00" * 48} | changes
    return {"Measurements": {"HashAlgorithm": "SHA384", **values}}


@dataclass
class World:
    """`world.verify(…)` runs the command on `document`, with the PKI's root."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, content: Any) -> Path:
        """Write a file: bytes as they are, anything else as JSON."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def policy(self, **members: Any) -> Path:
        return self.write("policy.json", {"version": 1, **members})

    def verify(self, *options: object, document: str = "document", root: bool = True) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        roots = ["--root", str(self.folder / "root")] if root else []
        code = run(["verify", str(self.folder / document), *map(str, options), *roots])
        said = self.capsys.readouterr()
        return code, said.out, said.err


def make_world(folder: Path, capsys: pytest.CaptureFixture[str], pki: Pki | None = None) -> World:
    world = World(folder, capsys)
    pki = pki or good_pki()
    world.write("document", bytes(document(pki)))
    world.write("root", root_pem(pki))
    return world
