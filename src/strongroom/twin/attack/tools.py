# SPDX-License-Identifier: Apache-2.0
"""Other people's programs, which the attacker changes disks with: no root, no mounts, nobody's configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from strongroom.errors import LocalFault

PACKAGES = {
    "mcopy": "mtools",
    "mdel": "mtools",
    "mmd": "mtools",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
}
"""Each program and the Debian package that has it."""
SECONDS = 120
_SAID_CHARACTERS = 300


def run_tool(name: str, *arguments: str | Path, stdin: str = "") -> str:
    """Run one of PACKAGES to its end and return what it prints. Raises LocalFault."""
    program = find_tool(name)
    try:
        done = subprocess.run(  # noqa: S603 -- one of PACKAGES, with arguments of ours
            [program, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=os.environ | {"LC_ALL": "C.UTF-8", "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"},
        )
    except subprocess.TimeoutExpired as error:
        raise LocalFault("attack.tool", f"{name} did not finish within {SECONDS} s") from error
    if done.returncode != 0:
        raise LocalFault("attack.tool", f"{name} failed: {(done.stderr or done.stdout).strip()[-_SAID_CHARACTERS:]}")
    return done.stdout


def find_tool(name: str) -> str:
    """Return where a program is. Raises LocalFault with the Debian package that has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise LocalFault(
            "attack.no-tool",
            f"expected the program {name}, found none",
            remedy=f"Install the Debian package {PACKAGES[name]}.",
        )
    return found


def expect_tools(names: Sequence[str] = tuple(PACKAGES)) -> None:
    """Raise LocalFault for the first of these that is missing."""
    for name in names:
        find_tool(name)
