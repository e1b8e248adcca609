# SPDX-License-Identifier: Apache-2.0
"""Which packages a Debian system has: dpkg's status file (deb-control(5), dpkg(1), /var/lib/dpkg/status).

The file is the system's own claim about itself. Stanzas are separated by empty lines; a line that begins with a space
belongs to the field before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.errors import FormatError

MAX_STATUS_BYTES = 64 << 20
"""A desktop of 4,000 packages has 5 MB."""
MAX_PACKAGES = 65_536

_SPEC = "deb-control(5)"
_INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """One package that is unpacked and configured."""

    name: str
    version: str
    architecture: str
    source: str
    """The source package, where it has another name."""
    maintainer: str


def parse_dpkg_status(data: bytes) -> tuple[InstalledPackage, ...]:
    """Return the installed packages, in the order of the file. Raises FormatError for what is no such file."""
    if len(data) > MAX_STATUS_BYTES:
        raise _refused("dpkg.too-large", f"expected at most {MAX_STATUS_BYTES} bytes, found {len(data)}")
    found: list[InstalledPackage] = []
    for stanza in _stanzas(data.decode("utf-8", "replace")):
        if len(found) >= MAX_PACKAGES:
            raise _refused("dpkg.too-many", f"expected at most {MAX_PACKAGES} packages, found more")
        if stanza.get("Status", "").split(" ")[-1] == _INSTALLED:
            found.append(_package(stanza))
    return tuple(found)


def _package(stanza: Mapping[str, str]) -> InstalledPackage:
    for key in ("Package", "Version", "Architecture"):
        if not stanza.get(key):
            raise _refused("dpkg.field", f"expected the field {key} of each installed package, found none")
    return InstalledPackage(
        name=stanza["Package"],
        version=stanza["Version"],
        architecture=stanza["Architecture"],
        source=stanza.get("Source", "").partition(" ")[0],
        maintainer=stanza.get("Maintainer", ""),
    )


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    fields: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line[0] not in " \t":
            name, colon, value = line.partition(":")
            if not colon:
                raise _refused("dpkg.line", f"expected a field and a colon in line {number}, found neither")
            fields[name] = value.strip()
    if fields:
        yield fields


def _refused(code: str, message: str) -> FormatError:
    return FormatError(code, message, spec=_SPEC)
