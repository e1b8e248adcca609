# SPDX-License-Identifier: Apache-2.0
"""Which packages a tree says it is made of: dpkg's status in full, of rpm's database the names that can be made out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from strongroom.imaging.tree.tree import Tree

STATUS = "/var/lib/dpkg/status"
_STATUS_FOLDER = "/var/lib/dpkg/status.d"
"""Of images without dpkg itself: one file for each package."""
RPM_DATABASES = (
    *("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"),
    *("/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages"),
)
_STATUS_BYTES = 64 << 20


@lru_cache(maxsize=4)
def installed_packages(tree: Tree) -> Mapping[str, str]:
    """Return where each installed package is written down, by its name. Empty where the image kept no lists.

    An rpm database is not read as one: `mentions_package` looks for a name in it.
    """
    return dict(_dpkg(tree))


def _dpkg(tree: Tree) -> Iterator[tuple[str, str]]:
    files = [STATUS, *(node.path for node in tree.children(_STATUS_FOLDER) if not node.name.endswith(".md5sums"))]
    for path in files:
        node = tree.resolve(path)
        if node is not None and node.is_file:
            text = tree.read(node.path, maximum_bytes=_STATUS_BYTES).decode("utf-8", "replace")
            for paragraph in text.split("\n\n"):
                fields = dict(re.findall(r"^(Package|Status): (.+)$", paragraph, re.MULTILINE))
                if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
                    yield fields["Package"], path


def rpm_database(tree: Tree) -> str:
    """Return the path of rpm's database, or an empty text."""
    return next((path for path in RPM_DATABASES if tree.resolve(path) is not None), "")


def mentions_package(tree: Tree, database: str, name: str) -> bool:
    """Tell whether an rpm database holds the source name `NAME-VERSION-RELEASE.src.rpm` of a package.

    Every header carries that text as it is, whichever database holds it.
    """
    pattern = re.compile(rb"(?<![\w.+-])" + re.escape(name.encode()) + rb"-[0-9][^\s/\0]{0,80}\.src\.rpm\0")
    return pattern.search(tree.view(database)) is not None


def is_published(tree: Tree, path: str) -> bool:
    """Tell whether a file is as a Debian package brought it, by the MD5 values that dpkg keeps.

    It says that somebody packaged it, not who: of a package of your own it says nothing.
    """
    digest = hashlib.md5(tree.view(path), usedforsecurity=False).hexdigest()
    return (digest, path.lstrip("/")) in _packaged(tree)


@lru_cache(maxsize=4)
def _packaged(tree: Tree) -> frozenset[tuple[str, str]]:
    found = set()
    for node in tree.glob("/var/lib/dpkg/info/*.md5sums"):
        for _, line in tree.lines(node.path):
            digest, _, name = line.partition("  ")
            found.add((digest, name))
    return frozenset(found)
