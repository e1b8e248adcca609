# SPDX-License-Identifier: Apache-2.0
"""The agent as files of an image: same input, same bytes.

In go the modules that the agent can import and no others (no twin, no command line, no boto3), two packages from PyPI
by digest, a launcher that no variable and no start-up hook reaches (ATTACKS B17), a hardened unit, and what the image
trusts and delivers. Byte code is left to the builder, who has the image's own interpreter: `COMPILE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath

from strongroom.errors import UsageError
from strongroom.formats.agent_config import AgentConfig, BundleOrigin, encode_agent_config
from strongroom.formats.image_paths import (
    BUNDLE_FOLDER,
    BUNDLE_SUFFIX,
    CONFIG_FILE,
    PROGRAM,
    PYTHON_FOLDER,
    TRUST_FILE,
)
from strongroom.formats.trust import Trust, encode_trust
from strongroom.imaging.import_closure import import_closure
from strongroom.imaging.wheels import ImagePython, fetch_wheel, unpack, wheels_for

ENTRY = "strongroom.agent.main"
FOREIGN = frozenset({"cryptography"})
"""What our own modules in an image may import besides Python's library."""
UNIT = "/usr/lib/systemd/system/strongroom-agent.service"
ENABLED_BY = "/usr/lib/systemd/system/multi-user.target.d/strongroom-agent.conf"
FILE_MODE = 0o644
PROGRAM_MODE = 0o755
_DATA = ("aws-nitro-root-g1.pem", "tls-roots", "identity-certificates")
"""What the modules read of their package's data."""


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A regular file of an image, of root: absolute path, permission bits, contents. Its folders are of mode 0755."""

    path: str
    mode: int
    contents: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one image's agent is told: whom it trusts, what it delivers, and bundles that come with the image."""

    trust: Trust
    config: AgentConfig
    bundles: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def agent_payload(settings: AgentSettings, python: ImagePython, *, wheel_cache: Path) -> tuple[PayloadFile, ...]:
    """Return the agent's files for an image with this Python, in the order of their paths.

    Raises UsageError for a Python without wheels and for bundles that do not fit `config`, ServiceFault and LocalFault
    for wheels that cannot be had, RuntimeError for a module of ours that imports what an image does not have.
    """
    _expect_bundles(settings)
    files = [*_own_modules(), *_package_data(), *_wheels(python, wheel_cache), *_system(python), *_measured(settings)]
    return tuple(sorted(files, key=lambda file: file.path))


def compile_command(python: ImagePython) -> tuple[str, ...]:
    """Return the command that, within the image's tree, compiles the agent's modules: same sources, same bytes.

    Byte code that is not checked against its source loads fastest, and both lie in the same measured tree.
    """
    return (python.program, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", PYTHON_FOLDER)


def _expect_bundles(settings: AgentSettings) -> None:
    from_image = settings.config.origin is BundleOrigin.IMAGE
    wanted = {delivery.bundle for delivery in settings.config.deliveries} if from_image else set()
    if settings.bundles.keys() != wanted:
        raise UsageError(
            "image.bundles",
            f"expected the bundles {_listed(wanted)} to go into the image, found {_listed(settings.bundles)}",
            remedy='bundles-from = "image" wants each bundle that is delivered, "user-data" wants none.',
        )


def _listed(names: set[str] | Mapping[str, bytes]) -> str:
    return ", ".join(sorted(names)) or "none"


def _own_modules() -> Iterator[PayloadFile]:
    package = _package()
    closure = import_closure(ENTRY, package_folder=package)
    if closure.foreign != FOREIGN:
        raise RuntimeError(f"the agent's modules import {', '.join(sorted(closure.foreign))}")
    for file in closure.modules.values():
        yield _python_file(f"strongroom/{file.relative_to(package).as_posix()}", file.read_bytes())


def _package() -> Path:
    return Path(str(resources.files("strongroom")))


def _package_data() -> Iterator[PayloadFile]:
    data = _package() / "data"
    for name in _DATA:
        found = [data / name] if (data / name).is_file() else sorted((data / name).glob("*.pem"))
        for file in found:
            yield _python_file(f"strongroom/data/{file.relative_to(data).as_posix()}", file.read_bytes())


def _wheels(python: ImagePython, cache: Path) -> Iterator[PayloadFile]:
    for wheel in wheels_for(python):
        for name, contents in unpack(wheel, fetch_wheel(wheel, cache)):
            yield _python_file(name, contents)


def _python_file(name: str, contents: bytes) -> PayloadFile:
    return PayloadFile(f"{PYTHON_FOLDER}/{name}", FILE_MODE, contents)


def _system(python: ImagePython) -> Iterator[PayloadFile]:
    launcher = b"#!%s -ISB\n%s" % (python.program.encode(), _packaged(PROGRAM))
    yield PayloadFile(PROGRAM, PROGRAM_MODE, launcher)
    yield PayloadFile(UNIT, FILE_MODE, _packaged(UNIT))
    yield PayloadFile(ENABLED_BY, FILE_MODE, _packaged(ENABLED_BY))


def _packaged(path: str) -> bytes:
    """Return the packaged file that has the name which it gets in the image."""
    return (_package() / "data" / "agent" / PurePosixPath(path).name).read_bytes()


def _measured(settings: AgentSettings) -> Iterator[PayloadFile]:
    yield PayloadFile(TRUST_FILE, FILE_MODE, encode_trust(settings.trust))
    yield PayloadFile(CONFIG_FILE, FILE_MODE, encode_agent_config(settings.config))
    for name, bundle in settings.bundles.items():
        yield PayloadFile(f"{BUNDLE_FOLDER}/{name}{BUNDLE_SUFFIX}", FILE_MODE, bundle)
