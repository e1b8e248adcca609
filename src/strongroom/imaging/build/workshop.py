# SPDX-License-Identifier: Apache-2.0
"""Where an image is built: a folder that is gone afterwards, a log that stays, and programs of others in between."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from strongroom.errors import LocalFault
from strongroom.imaging.apt import Progress

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "apt-get": "apt",
        "dpkg-deb": "dpkg",
        "fakechroot": "fakechroot",
        "fakeroot": "fakeroot",
        "mcopy": "mtools",
        "mkfs.erofs": "erofs-utils",
        "mkfs.vfat": "dosfstools",
        "mmd": "mtools",
        "mmdebstrap": "mmdebstrap",
        "sfdisk": "fdisk",
        "tar": "tar",
        "veritysetup": "cryptsetup-bin",
        "zstd": "zstd",
    }
)
"""By program, the Debian package that has it."""
DEFAULT_EPOCH = 1_700_000_000
"""In seconds since 1970: what stands for now in a build that is not told otherwise. Any fixed time will do."""
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 900
_SHOWN_CHARACTERS = 400


@dataclass(frozen=True)
class Workshop:
    """One build's folder. `epoch` is the time that all programs are told (SOURCE_DATE_EPOCH)."""

    folder: Path
    log: Path
    epoch: int = DEFAULT_EPOCH
    progress: Progress = field(default=lambda _: None, repr=False)

    def make(self, name: str) -> Path:
        """Make a new, empty folder in it."""
        made = self.folder / name
        made.mkdir()
        return made

    def run(self, step: str, command: Sequence[str], *, folder: Path | None = None, given: bytes | None = None) -> str:
        """Return what a program prints. All that it says goes to the log.

        Raises LocalFault for a program that is not installed, fails or does not end; the message names the step.
        """
        program = find_program(command[0])
        started = time.monotonic()
        with self.log.open("ab") as log:
            log.write(f"== {step}: {' '.join(command)}\n".encode())
            log.flush()
            try:
                done = subprocess.run(  # noqa: S603 -- programs of PACKAGES, arguments of ours
                    [program, *command[1:]],
                    input=given if given is not None else b"",
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=folder or self.folder,
                    env=self._environment(),
                    timeout=_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise self._failed(step, f"{command[0]} did not end within {_SECONDS} s") from error
            log.write(done.stdout)
            log.write(f"== {step}: exit {done.returncode} after {time.monotonic() - started:.1f} s\n".encode())
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise self._failed(step, f"{command[0]} ended with {done.returncode}: {_last_words(said)}")
        return said

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        fixed = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {**kept, **fixed, "SOURCE_DATE_EPOCH": str(self.epoch)}

    def _failed(self, step: str, message: str) -> LocalFault:
        return LocalFault(
            "image.step-failed", f"building stopped at the step {step!r}: {message}", remedy=f"Its log: {self.log}"
        )


def find_program(name: str) -> str:
    """Return where one of PACKAGES is. Raises LocalFault with its Debian package where it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise LocalFault(
            "image.no-program",
            f"expected the program {name}, found none",
            remedy=f"Install it: apt-get install {PACKAGES[name]}",
        )
    return found


def expect_programs() -> None:
    """Return if everything that a build needs is installed. Raises LocalFault that names all missing packages."""
    missing = sorted({package for name, package in PACKAGES.items() if shutil.which(name, path=_PATH) is None})
    if missing:
        raise LocalFault(
            "image.no-program",
            f"expected the programs that build an image, found none of {', '.join(missing)}",
            remedy=f"Install them: apt-get install {' '.join(missing)}",
        )


def _last_words(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "error", "Error"))] or lines[-1:] or ["no message"]
    return errors[-1][:_SHOWN_CHARACTERS]
