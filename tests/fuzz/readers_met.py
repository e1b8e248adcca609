# SPDX-License-Identifier: Apache-2.0
"""Which functions of the product read bytes that somebody else wrote, and which of them the targets have called."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz import campaign
from tests.fuzz.target import Target

SOURCES = campaign.ROOT / "src/strongroom"
PACKAGES = ("appraisal", "aws", "crypto", "formats", "keypolicy", "measure")
NAME = re.compile(r"(?:parse|read|decode|open|load|inspect|guess|measure)(?:_\w+)?")
TRUSTED = frozenset(
    {
        "crypto.image_signer.parse_image_signer",  # a private key of the vendor
        "crypto.signers.parse_ed25519_signer",  # the vendor's own private key
        "keypolicy.open_sid.open_sid",  # makes a name, reads nothing
        "keypolicy.statements.open_attested",  # makes a statement, reads nothing
    }
)


def readers_of_untrusted_bytes() -> set[str]:
    """Return the public functions whose names say that they read something."""
    found = set()
    for file in (file for package in PACKAGES for file in (SOURCES / package).rglob("*.py")):
        module = ".".join(file.relative_to(SOURCES).with_suffix("").parts)
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and NAME.fullmatch(node.name):
                found.add(f"{module}.{node.name}")
    return found - TRUSTED


def readers_met(targets: Iterable[Target]) -> set[str]:
    """Return the functions that are called while the targets read their seeds and corpora."""
    met = set()

    def note(frame, event, _):
        if event == "call":
            met.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for target in targets:
            for data in (*target.seeds(), *(path.read_bytes() for path in campaign.kept(target))):
                target.read(data)
    finally:
        sys.setprofile(before)
    return {
        ".".join((*Path(code.co_filename).relative_to(SOURCES).with_suffix("").parts, code.co_name))
        for code in met
        if Path(code.co_filename).is_relative_to(SOURCES)
    }
