# SPDX-License-Identifier: Apache-2.0
"""AWS's own client of a NitroTPM: the one in PATH, or the crate of its release, built here.

It needs tpm2-tss 4 with its headers (Debian 13 has them, Debian 12 does not), and Rust 1.92, newer than either has.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

NAME = "nitro-tpm-attest"
VERSION = "1.0.3"
RUST = (1, 92)
"""What its locked dependencies ask for (aws-nitro-enclaves-nsm-api 0.5.1)."""
_BUILT = Path(__file__).parents[1] / "build" / NAME


class ClientAbsentError(Exception):
    """Says why there is no client to run."""


def nitro_tpm_attest() -> str:
    """Return the program. Raises ClientAbsentError where it is not there and cannot be built."""
    return shutil.which(NAME) or str(_built())


def _built() -> Path:
    """Build it, or find it built: cargo looks. A build that fails where it could be done is an error."""
    for why in (_rust_is_missing(), _tss_is_missing()):
        if why:
            raise ClientAbsentError(f"no {NAME} in PATH, and none can be built: {why}")
    _BUILT.mkdir(parents=True, exist_ok=True)
    options = ["--version", VERSION, "--locked", "--root", str(_BUILT), "--target-dir", str(_BUILT / "target")]
    run = subprocess.run(["cargo", "install", NAME, *options], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return _BUILT / "bin" / NAME


def _rust_is_missing() -> str | None:
    if not (shutil.which("cargo") and shutil.which("rustc")):
        return "cargo and rustc are missing"
    said = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"rustc (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < RUST:
        return f"needs rustc {RUST[0]}.{RUST[1]}, found: {said.strip()}"
    return None


def _tss_is_missing() -> str | None:
    if not shutil.which("pkg-config"):
        return "pkg-config is missing"
    asked = [["pkg-config", "--atleast-version=4.0", "tss2-esys"], ["pkg-config", "--modversion", "tss2-esys"]]
    enough, version = (subprocess.run(ask, capture_output=True, text=True, check=False) for ask in asked)
    if enough.returncode:
        return f"needs the headers of tpm2-tss 4.0, found: {version.stdout.strip() or 'none'}"
    return None
