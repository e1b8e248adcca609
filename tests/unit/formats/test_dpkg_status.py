# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.errors import FormatError
from strongroom.formats import dpkg_status
from strongroom.formats.dpkg_status import InstalledPackage, parse_dpkg_status

STATUS = b"""Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u13
Description: GNU C Library
 Package: is no field here
 .

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0+deb12u2
"""


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_dpkg_status(data)
    return caught.value.code


def test_what_is_installed_is_read_and_what_was_removed_is_not():
    assert parse_dpkg_status(STATUS) == (
        InstalledPackage(
            "libc6",
            "2.36-9+deb12u13",
            "amd64",
            "glibc",
            "GNU Libc Maintainers <debian-glibc@lists.debian.org>",
        ),
        InstalledPackage("tzdata", "2025b-0+deb12u2", "all", "", ""),
    )


def test_a_system_without_packages_has_none():
    assert parse_dpkg_status(b"") == parse_dpkg_status(b"\n\n") == ()


def test_what_is_no_status_file_is_refused(monkeypatch):
    assert code_of(b"Package: a\nno field\n") == "dpkg.line"
    assert code_of(b"Package: a\nStatus: install ok installed\nArchitecture: all\n") == "dpkg.field"
    monkeypatch.setattr(dpkg_status, "MAX_PACKAGES", 1)
    assert code_of(STATUS) == "dpkg.too-many"
    monkeypatch.setattr(dpkg_status, "MAX_STATUS_BYTES", 10)
    assert code_of(STATUS) == "dpkg.too-large"
