# SPDX-License-Identifier: Apache-2.0
"""The files that kiwi copies over the packages: those of the specification, of the agent, and what keeps others out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from strongroom.formats.image_spec_model import FileContent, ImageSpec, SpecUser
from strongroom.imaging.agent_payload import PayloadFile

Reader = Callable[[FileContent], bytes]
"""Returns what a file of the specification holds."""

_UNITS = "/etc/systemd/system"
_USERS = "/usr/lib/sysusers.d/strongroom.conf"
_NO_SHELL = "/usr/sbin/nologin"
_NETWORK = b"""# Every interface by DHCP, and nothing else: no name servers or routes but the VPC's.
[Match]
Type=ether

[Network]
DHCP=yes
LLMNR=no
MulticastDNS=no
"""
_SYSCTL = b"""# The account's owner may send keys and interrupts; nothing answers them (docs/threat-model.md, B9, B12).
kernel.sysrq = 0
kernel.kexec_load_disabled = 1
kernel.core_pattern = |/bin/false
fs.suid_dumpable = 0
"""
_MODULES = b"""# Crash dumps do not go to UEFI variables, which the account's owner reads.
install efi_pstore /bin/false
"""


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
    yield OverlayFile("/etc/systemd/network/80-dhcp.network", 0o644, _NETWORK)
    yield OverlayFile("/etc/sysctl.d/80-attestable.conf", 0o644, _SYSCTL)
    yield OverlayFile("/etc/modprobe.d/80-attestable.conf", 0o644, _MODULES)
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
