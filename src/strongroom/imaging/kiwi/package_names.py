# SPDX-License-Identifier: Apache-2.0
"""Debian's packages as Amazon Linux 2023 calls them. Only names that stand for the same program are in the table."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.errors import UsageError

_SAME = frozenset(
    (
        *("bash", "bzip2", "ca-certificates", "coreutils", "cryptsetup", "dbus", "e2fsprogs", "file", "findutils"),
        *("gawk", "gettext", "git", "grep", "gzip", "jq", "less", "nginx", "openssl", "rsync", "sed", "squid"),
        *("systemd", "tar", "tpm2-tools", "tzdata", "unzip", "util-linux", "wget", "which", "zip", "zstd"),
    )
)
_OTHER: Mapping[str, tuple[str, ...]] = {
    "apache2": ("httpd",),
    "default-jre-headless": ("java-17-amazon-corretto-headless",),
    "curl": ("curl-minimal",),
    "iproute2": ("iproute",),
    "iptables": ("iptables-nft",),
    "libcap2-bin": ("libcap",),
    "libcurl4": ("libcurl-minimal",),
    "libexpat1": ("expat",),
    "libffi8": ("libffi",),
    "libgcc-s1": ("libgcc",),
    "libpq5": ("libpq",),
    "libpython3.11-stdlib": ("python3.11-libs",),
    "libsqlite3-0": ("sqlite-libs",),
    "libssl3": ("openssl-libs",),
    "libstdc++6": ("libstdc++",),
    "netbase": ("setup",),
    "nginx-light": ("nginx",),
    "openjdk-17-jre-headless": ("java-17-amazon-corretto-headless",),
    "postgresql-client": ("postgresql15",),
    "procps": ("procps-ng",),
    "python3": ("python3.11",),
    "python3-minimal": ("python3.11",),
    "python3.11": ("python3.11",),
    "python3.11-minimal": ("python3.11",),
    "systemd-sysv": (),
    "udev": ("systemd-udev",),
    "xz-utils": ("xz",),
    "zlib1g": ("zlib",),
}


def amazon_packages(names: tuple[str, ...], chosen: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what Amazon Linux calls Debian's packages, `chosen` before our table. Sorted, each once.

    Raises UsageError that names every package which neither knows, and for a choice of a package that nobody wants.
    """
    unused = sorted(set(chosen) - set(names))
    if unused:
        raise UsageError(
            "kiwi.unused-package",
            f"expected choices for packages of the specification, found one for {', '.join(unused)}",
        )
    unknown = [name for name in names if name not in chosen and name not in _OTHER and name not in _SAME]
    if unknown:
        raise UsageError(
            "kiwi.unknown-package",
            f"expected packages whose name in Amazon Linux is known, found {', '.join(unknown)}",
            remedy="Say what each is called there: --package DEBIAN=AMAZON, or --package DEBIAN= to leave it out.",
        )
    found = (chosen.get(name, _OTHER.get(name, (name,))) for name in names)
    return tuple(sorted({package for packages in found for package in packages}))
