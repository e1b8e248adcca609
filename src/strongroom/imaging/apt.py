# SPDX-License-Identifier: Apache-2.0
"""apt without root and without a change to the system: package lists and a cache of its own, over /etc/apt's sources.

It checks signatures as always. Packages are unpacked, not installed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault, ServiceFault

COMMAND_SECONDS = 300
"""How long one command of apt may take; a kernel package has about 30 MB."""
REMEDY = "Run it on Debian 12 or newer with its usual package sources, or leave out what boots a machine."

Progress = Callable[[str], None]
"""Told in a few words what happens next."""


@dataclass(frozen=True, slots=True)
class Apt:
    """apt with lists, cache and status of its own: what is installed here does not matter to it."""

    configuration: Path

    @classmethod
    def prepare(cls, root: Path, architecture: str) -> Apt:
        """Make the folders and the configuration in `root`, for packages of an architecture as Debian names it."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Dir::State": root,
            "Dir::State::lists": root / "lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        configuration = root / "apt.conf"
        configuration.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
        return cls(configuration)

    def run(self, *command: str, folder: Path | None = None) -> str:
        """Return what a command prints. Raises LocalFault, or ServiceFault where packages cannot be had."""
        environment = {**os.environ, "APT_CONFIG": str(self.configuration), "LC_ALL": "C"}
        try:
            done = subprocess.run(  # noqa: S603 -- fixed programs; package names come from signed lists
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise LocalFault(
                "debian.no-apt", f"expected the program {command[0]}, found none", remedy=REMEDY
            ) from error
        except subprocess.TimeoutExpired as error:
            raise ServiceFault(
                "debian.timeout", f"{command[0]} did not finish within {COMMAND_SECONDS} s", retryable=True
            ) from error
        if done.returncode != 0:
            raise _failure(command, done.stderr)
        return done.stdout

    def dependency(self, package: str, prefix: str) -> str:
        """Return the package that a metapackage stands for. Raises LocalFault where it is not one, and as `run`."""
        lines = [line.strip() for line in self.run("apt-cache", "depends", package).splitlines()]
        names = [line.removeprefix("Depends: ") for line in lines if line.startswith(f"Depends: {prefix}")]
        if len(names) != 1:
            raise LocalFault(
                "debian.no-package", f"expected {package} to name one kernel, found {len(names)}", remedy=REMEDY
            )
        return names[0]

    def unpack(self, package: Path, tree: Path) -> tuple[str, str]:
        """Unpack a package and return its name and version. Raises as `run`."""
        self.run("dpkg-deb", "--extract", str(package), str(tree))
        name, version = self.run("dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(package)).split()
        return name, version


def _failure(command: Sequence[str], stderr: str) -> LocalFault | ServiceFault:
    said = stderr.strip().splitlines()[-1:] or ["no reason given"]
    message = f"{' '.join(command[:2])} failed: {said[0][:300]}"
    if "Unable to locate package" in stderr or "No packages found" in stderr:
        return LocalFault("debian.no-package", message, remedy=REMEDY)
    if command[0] == "dpkg-deb":
        return LocalFault("debian.unpack", message, remedy="Is the disk full? Free some space, and try again.")
    return ServiceFault(
        "debian.unreachable", message, retryable=True, remedy="Check the network and /etc/apt, and try again."
    )
