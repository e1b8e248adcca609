# SPDX-License-Identifier: Apache-2.0
"""The files that kiwi copies over the packages: those of the specification, of the agent, and what keeps others out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from strongroom.formats.image_spec_model import FileContent, ImageSpec, SpecUser
from strongroom.imaging.agent_payload import PayloadFile
from strongroom.imaging.hardening import FILES

Reader = Callable[[FileContent], bytes]
"""Returns what a file of the specification holds."""

_UNITS = "/etc/systemd/system"
_USERS = "/usr/lib/sysusers.d/strongroom.conf"
_NO_SHELL = "/usr/sbin/nologin"


@dataclass(frozen=True, slots=True)
class OverlayFile:
    """A regular file of the overlay. `owner` is empty for root, else `user:group`."""

    path: str
    mode: int
    contents: bytes = field(repr=False)
    owner: str = ""


def overlay(spec: ImageSpec, agent: tuple[PayloadFile, ...], read: Reader) -> tuple[OverlayFile, ...]:
    """Return all files in the order of their paths. What the specification says of a path comes before ours."""
    files = {file.path: file for file in (*_ours(spec), *(_of_agent(file) for file in agent), *_of_spec(spec, read))}
    return tuple(files[path] for path in sorted(files))


def _ours(spec: ImageSpec) -> Iterator[OverlayFile]:
    for path, contents in FILES.items():
        yield OverlayFile(path, 0o644, contents)
    if spec.users:
        lines = [line for user in spec.users for line in _user(user)]
        yield OverlayFile(_USERS, 0o644, ("\n".join(lines) + "\n").encode())


def _user(user: SpecUser) -> Iterator[str]:
    """Yield lines of sysusers.d(5): a user with a group of its own name, no password and no shell."""
    yield f"g {user.name} {user.uid}"
    yield f'u {user.name} {user.uid}:{user.uid} "{user.name}" {user.home} {_NO_SHELL}'
    for group in user.groups:
        yield f"m {user.name} {group}"


def _of_agent(file: PayloadFile) -> OverlayFile:
    return OverlayFile(file.path, file.mode, file.contents)


def _of_spec(spec: ImageSpec, read: Reader) -> Iterator[OverlayFile]:
    for unit in spec.units:
        if unit.content is not None:
            yield OverlayFile(f"{_UNITS}/{unit.name}", 0o644, read(unit.content))
    for file in spec.files:
        owner = f"{file.owner}:{file.group}"
        mine = "" if owner in {"root:root", "0:0"} else owner
        yield OverlayFile(file.path, file.mode, read(file.content), mine)
