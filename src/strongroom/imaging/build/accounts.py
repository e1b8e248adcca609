# SPDX-License-Identifier: Apache-2.0
"""Users of an image, written into its account files (passwd(5), shadow(5), group(5)): nobody has a password."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.image_spec_model import SpecUser

PASSWD, SHADOW, GROUP, GSHADOW = "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"
_SHELL = "/usr/sbin/nologin"
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account files with the users in them, and the numbers of all names."""

    files: Mapping[str, bytes]
    users: Mapping[str, int]
    groups: Mapping[str, int]

    def owner(self, user: str | int, group: str | int) -> tuple[int, int]:
        """Return the numbers of a file's owner. Raises FormatError for a name that the image does not have."""
        return _number(self.users, user, "user"), _number(self.groups, group, "group")


def add_users(read: Callable[[str], str], users: Sequence[SpecUser], *, epoch: int) -> Accounts:
    """Return the account files of a tree, which `read` reads, with the users of a specification added.

    Raises FormatError for a name, a number or a group that does not fit.
    """
    passwd, shadow, group, gshadow = (_rows(read(path)) for path in (PASSWD, SHADOW, GROUP, GSHADOW))
    for user in users:
        _expect_new(user, passwd, group)
        passwd.append([user.name, "x", str(user.uid), str(user.uid), "", user.home, _SHELL])
        shadow.append([user.name, "!*", str(epoch // _SECONDS_PER_DAY), "", "", "", "", "", ""])
        group.append([user.name, "x", str(user.uid), ""])
        gshadow.append([user.name, "!", "", ""])
        for name in user.groups:
            _join(user.name, name, group, gshadow)
    files = {PASSWD: passwd, SHADOW: shadow, GROUP: group, GSHADOW: gshadow}
    return Accounts({path: _text(rows) for path, rows in files.items()}, _numbers(passwd), _numbers(group))


def _rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line]


def _text(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join(":".join(row) + "\n" for row in rows).encode()


def _numbers(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    return {row[0]: int(row[2]) for row in rows}


def _expect_new(user: SpecUser, passwd: Sequence[Sequence[str]], group: Sequence[Sequence[str]]) -> None:
    for rows, what in ((passwd, "user"), (group, "group")):
        for row in rows:
            if user.name == row[0] or str(user.uid) == row[2]:
                raise FormatError(
                    "image.user-taken",
                    f"expected the {what} {user.name} ({user.uid}) to be new, found {row[0]} ({row[2]}) in the base",
                    remedy="Choose another name and number in [[users]].",
                )


def _join(user: str, name: str, group: Sequence[list[str]], gshadow: Sequence[list[str]]) -> None:
    found = [row for rows in (group, gshadow) for row in rows if row[0] == name]
    if not found:
        raise FormatError("image.no-group", f"expected the group {name} of the user {user}, found none in the base")
    for row in found:
        row[3] = ",".join([*filter(None, row[3].split(",")), user])


def _number(names: Mapping[str, int], wanted: str | int, kind: str) -> int:
    if isinstance(wanted, int):
        return wanted
    if wanted not in names:
        raise FormatError(
            "image.no-owner", f"expected a {kind} of the image, found {wanted!r}", remedy="Add it to [[users]]."
        )
    return names[wanted]
