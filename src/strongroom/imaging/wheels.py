# SPDX-License-Identifier: Apache-2.0
"""The two foreign packages of an image's agent, as the wheels of PyPI that this version of Strongroom names by digest.

`cffi` is there for the one module that `cryptography` loads, `_cffi_backend`; its compiler is left out.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from strongroom.errors import LocalFault, ServiceFault, UsageError
from strongroom.formats.uki import Architecture

PIP_SECONDS = 300
_WANTED: Mapping[str, re.Pattern[str]] = {
    "cryptography": re.compile(
        r"cryptography/(?:[a-z0-9_]+/)*[a-z0-9_]+(?:\.abi3)?\.(?:py|so)"
        r"|cryptography-[0-9.]+\.dist-info/(?:METADATA|licenses/[A-Z0-9.]+|sboms/[a-z0-9.-]+\.json)"
    ),
    "cffi": re.compile(r"_cffi_backend\.[a-z0-9_-]+\.so|cffi-[0-9.]+\.dist-info/(?:METADATA|licenses/[A-Z0-9.]+)"),
}
"""What of a wheel goes into an image: code, and who wrote it under which terms."""


@dataclass(frozen=True, slots=True)
class ImagePython:
    """The interpreter of an image: `version` such as 3.11, and the processor it runs on."""

    version: str
    architecture: Architecture

    @property
    def program(self) -> str:
        """Where distributions have it. The name holds the version, because compiled modules fit one version."""
        return f"/usr/bin/python{self.version}"


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file on PyPI, named as PEP 427 says."""

    file: str
    sha256: str

    @property
    def package(self) -> str:
        """The name of the package."""
        return self.file.split("-")[0]

    @property
    def version(self) -> str:
        """Its version."""
        return self.file.split("-")[1]

    @property
    def tags(self) -> tuple[str, str, tuple[str, ...]]:
        """What it fits: Python, ABI, platforms."""
        python, abi, platforms = self.file.removesuffix(".whl").split("-")[-3:]
        return python, abi, tuple(platforms.split("."))


def wheels_for(python: ImagePython) -> tuple[Wheel, ...]:
    """Return the wheels for an image's Python. Raises UsageError where none are known."""
    text = resources.files("strongroom").joinpath("data", "agent", "wheels.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["wheel"]
    found = tuple(
        Wheel(row["file"], row["sha256"])
        for row in rows
        if row["architecture"] == python.architecture and python.version in row["python"]
    )
    if len(found) != len(_WANTED):
        known = sorted({f"{version} on {row['architecture']}" for row in rows for version in row["python"]})
        raise UsageError(
            "image.python",
            f"expected a Python that the agent has wheels for ({', '.join(known)}), "
            f"found {python.version} on {python.architecture}",
            remedy="Choose another suite or base for the image.",
        )
    return found


def fetch_wheel(wheel: Wheel, cache: Path) -> bytes:
    """Return a wheel from the folder `cache`, where pip downloads it if it is not there.

    Nothing else than the bytes with the known digest is returned. Raises ServiceFault, LocalFault.
    """
    kept = cache / wheel.file
    if not (kept.is_file() and _is_right(kept.read_bytes(), wheel)):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _download(wheel, Path(folder))
            (Path(folder) / wheel.file).replace(kept)
    data = kept.read_bytes()
    if not _is_right(data, wheel):
        raise LocalFault(
            "image.wheel-digest",
            f"expected SHA-256 {wheel.sha256} of {wheel.file}, found {hashlib.sha256(data).hexdigest()}",
            remedy=f"Remove {kept} and build again.",
        )
    return data


def _is_right(data: bytes, wheel: Wheel) -> bool:
    return hashlib.sha256(data).hexdigest() == wheel.sha256


def _download(wheel: Wheel, folder: Path) -> None:
    """Have pip download one file; with its digest required, pip takes no other."""
    python, abi, platforms = wheel.tags
    requirement = folder / "wheel.txt"
    requirement.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="ascii")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation=cp", f"--abi={abi}"]
    command += [f"--python-version={python.removeprefix('cp')}", *(f"--platform={each}" for each in platforms)]
    command += ["--dest", str(folder), "--requirement", str(requirement)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PIP_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _not_downloaded(wheel, f"pip took more than {PIP_SECONDS} s") from error
    if "No module named pip" in done.stderr:
        raise LocalFault(
            "image.no-pip",
            f"expected pip beside {sys.executable}, found none",
            remedy="Install it: python3 -m ensurepip, or Debian's python3-pip.",
        )
    if done.returncode or not (folder / wheel.file).is_file():
        raise _not_downloaded(wheel, done.stderr.strip()[-500:] or "pip downloaded another file")


def _not_downloaded(wheel: Wheel, why: str) -> ServiceFault:
    return ServiceFault(
        "image.wheel-download",
        f"cannot download {wheel.file}: {why}",
        retryable=True,
        remedy="pip's own settings say which index it asks. A file with the right digest in the cache will do, too.",
    )


def unpack(wheel: Wheel, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of what an image needs of a wheel, whose digest was compared."""
    wanted = _WANTED[wheel.package]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in sorted(archive.namelist()):
            if wanted.fullmatch(name):
                yield name, archive.read(name)
