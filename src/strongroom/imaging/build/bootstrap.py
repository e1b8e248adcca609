# SPDX-License-Identifier: Apache-2.0
"""Debian's packages as a root tree, by mmdebstrap without root, and the packages of which only parts are needed.

Kernel, EFI stub and busybox come from the same lists of packages; they are fetched and never installed, so that no
hook of theirs builds an initrd. What was made stays in a cache, under a name that says what it was made of: the
command, the agent's code, and Debian's own signed lists. When Debian publishes anything new, the name is another.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from strongroom.errors import LocalFault, ServiceFault
from strongroom.formats.build_record import DebianPackage
from strongroom.formats.image_spec_model import DebianBase
from strongroom.imaging.agent_payload import PayloadFile
from strongroom.imaging.build.workshop import Workshop, find_program

VERSION = 1
"""Of what this module makes: part of the cache's names."""
SYSTEM_PACKAGES = ("cryptsetup-bin", "kmod", "systemd-sysv", "udev")
"""What every image has: systemd as its init, and the program that opens the root."""
_BOOT_PACKAGES = ("systemd-boot-efi", "busybox-static")
_KERNEL = "linux-image-cloud-amd64"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LEFT_OUT = ("doc", "man", "locale", "i18n", "info", "lintian", "bash-completion")
_FIELD = re.compile(r"^(Package|Version|Architecture|SHA256): (\S+)$", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNREACHABLE = ("Temporary failure resolving", "Could not connect", "Unable to connect", "Failed to fetch")


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What came of it: the root as a tar file, and each `.deb` of which only parts are used."""

    root: Path
    debs: tuple[Path, ...]
    packages: tuple[DebianPackage, ...]
    """Everything that was unpacked, for the build record."""


def bootstrap(
    base: DebianBase,
    packages: Sequence[str],
    code: Sequence[PayloadFile],
    compiles: Sequence[str],
    *,
    workshop: Workshop,
    cache: Path,
) -> Bootstrapped:
    """Return the root for these packages, with the agent's `code` in it, and Python compiled by the command `compiles`.

    Raises LocalFault for a step that fails, ServiceFault where Debian's mirror cannot be reached.
    """
    sources = _sources(base, workshop)
    archive = _archive(code, workshop.epoch)
    recipe = json.dumps([VERSION, sources, sorted(packages), list(compiles), workshop.epoch])
    workshop.progress("asking the mirror what is new")
    lists = _signed_lists(sources, workshop)
    kept = cache / hashlib.sha256(recipe.encode() + hashlib.sha256(archive).digest() + lists).hexdigest()
    if not (kept / "done").is_file():
        workshop.progress("installing Debian's packages into a tree")
        _make(kept, base.suite, sources, packages, archive=archive, compiles=compiles, workshop=workshop)
    return _read(kept)


def _sources(base: DebianBase, workshop: Workshop) -> list[str]:
    mirror, security = base.mirror, base.security_mirror
    if mirror is None or security is None:
        own = own_mirrors(workshop)
        mirror, security = mirror or own[0], security or own[1]
    signed = f"[signed-by={_KEYRING}]"
    return [
        f"deb {signed} {mirror} {base.suite} main",
        f"deb {signed} {mirror} {base.suite}-updates main",
        f"deb {signed} {security} {base.suite}-security main",
    ]


def own_mirrors(workshop: Workshop) -> tuple[str, str]:
    """Return where this machine has Debian's packages and security updates from. Raises LocalFault without either."""
    said = workshop.run(
        "asking apt for its mirrors",
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Identifier: Packages", "Origin: Debian"],
    )
    rows = [line.split() for line in said.splitlines() if line.count(" ") == 1]
    mirrors = [uri.rstrip("/") for uri, release in rows if "-" not in release]
    security = [uri.rstrip("/") for uri, release in rows if release.endswith("-security")]
    if not (mirrors and security):
        raise LocalFault(
            "image.no-mirror",
            "expected this machine's apt to have Debian's packages and security updates, found it without",
            remedy="Name a mirror and a security-mirror in [base].",
        )
    return mirrors[0], security[0]


def _archive(code: Sequence[PayloadFile], epoch: int) -> bytes:
    """Return the agent's code as a tar file, for mmdebstrap to unpack."""
    made = BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in code:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.mode, entry.size, entry.mtime = file.mode, len(file.contents), epoch
            archive.addfile(entry, BytesIO(file.contents))
    return made.getvalue()


def _signed_lists(sources: Sequence[str], workshop: Workshop) -> bytes:
    """Return a digest of what the mirror signed last. Nothing is believed for it: mmdebstrap verifies what it takes."""
    root = workshop.make("lists")
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "sources.list").write_text("".join(f"{line}\n" for line in sources))
    options = {
        "Dir::State": root,
        "Dir::State::lists": root / "lists",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "Dir::Etc::sourcelist": root / "sources.list",
        "Dir::Etc::sourceparts": root / "parts",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false",
        "APT::Update::Error-Mode": "any",
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    try:
        workshop.run("asking the mirror", ["apt-get", *flags, "update"])
    except LocalFault as fault:
        raise _by_network(fault) from fault
    digest = hashlib.sha256()
    for file in sorted((root / "lists").glob("*Release")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.digest()


def _by_network(fault: LocalFault) -> LocalFault | ServiceFault:
    if any(sign in str(fault) for sign in _UNREACHABLE):
        return ServiceFault(
            "image.mirror", str(fault), retryable=True, remedy="Check the network, and the mirrors in [base]."
        )
    return fault


def _make(
    kept: Path,
    suite: str,
    sources: Sequence[str],
    packages: Sequence[str],
    *,
    archive: bytes,
    compiles: Sequence[str],
    workshop: Workshop,
) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bootstrap-", dir=kept.parent) as scratch:
        folder = Path(scratch) / "made"
        (folder / "debs").mkdir(parents=True)
        (folder / "code.tar").write_bytes(archive)
        hook = folder / "hook"
        hook.write_text(_hook(folder, compiles, with_code=bool(archive)))
        hook.chmod(stat.S_IRWXU)
        try:
            workshop.run("installing packages", [*_mmdebstrap(suite, packages, folder, hook), *sources])
        except LocalFault as fault:
            raise _by_network(fault) from fault
        (folder / "done").touch()
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)


def _mmdebstrap(suite: str, packages: Sequence[str], folder: Path, hook: Path) -> Iterator[str]:
    find_program("fakechroot")
    yield from ("mmdebstrap", "--mode=fakechroot", "--variant=minbase", "--format=tar", "--architectures=amd64")
    yield f"--include={','.join(sorted(packages))}"
    for name in _LEFT_OUT:
        yield f"--dpkgopt=path-exclude=/usr/share/{name}/*"
    yield "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    yield f"--customize-hook=tar-in {shlex.quote(str(folder / 'code.tar'))} /"
    yield f"--customize-hook={hook}"
    yield from (suite, str(folder / "root.tar"))


def _hook(folder: Path, compiles: Sequence[str], *, with_code: bool) -> str:
    """Return the script that runs when packages are installed: `$1` is the tree, apt's lists are still there."""
    quoted = shlex.quote(str(folder))
    compiling = f'chroot "$1" {shlex.join(compiles)}\n' if compiles and with_code else ""
    return f"""#!/bin/sh
set -eu
{compiling}export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
kernel=$(apt-cache depends {_KERNEL} | sed -n 's/^ *Depends: \\(linux-image-.*\\)$/\\1/p')
cd {quoted}/debs
apt-get download "$kernel" {" ".join(_BOOT_PACKAGES)}
cd {quoted}
for deb in debs/*.deb; do dpkg-deb --show --showformat='${{Package}}=${{Version}}\\n' "$deb"; done > fetched
dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat='${{Package}}=${{Version}}\\n' > installed
sort -u fetched installed | xargs apt-cache show > records
"""


def _read(kept: Path) -> Bootstrapped:
    named = {
        (name, version)
        for name, version in (line.split("=", 1) for line in _lines(kept / "fetched", kept / "installed"))
    }
    records = [dict(_FIELD.findall(text)) for text in (kept / "records").read_text().split("\n\n")]
    found = {
        (each["Package"], each["Architecture"]): DebianPackage(
            each["Package"], each["Version"], each["Architecture"], bytes.fromhex(each["SHA256"])
        )
        for each in records
        if _DIGEST.fullmatch(each.get("SHA256", "")) and (each["Package"], each["Version"]) in named
    }
    return Bootstrapped(
        root=kept / "root.tar",
        debs=tuple(sorted((kept / "debs").glob("*.deb"))),
        packages=tuple(found.values()),
    )


def _lines(*files: Path) -> Iterator[str]:
    for file in files:
        yield from file.read_text().split()
