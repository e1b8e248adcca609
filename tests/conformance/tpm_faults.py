# SPDX-License-Identifier: Apache-2.0
"""Every way in which one good command is spoiled: cut short, too long, in each field, at each handle and session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.conformance.tpm_differential import Shown, Step, Steps
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NO_SESSIONS,
    NULL,
    OWNER,
    PASSWORD,
    PLATFORM,
    SESSIONS,
    Command,
    Response,
    area,
    password,
    u32,
)

KINDS = {
    "PCR 0": 0,
    "PCR 23": 23,
    "PCR 24": 24,
    "NV index": 0x01FFFFFF,
    "HMAC session": 0x0200003F,
    "policy session": 0x0300003F,
    "owner": OWNER,
    "null": NULL,
    "lockout": LOCKOUT,
    "endorsement": ENDORSEMENT,
    "platform": PLATFORM,
    "password": PASSWORD,
    "reserved": 0x40000008,
    "transient": 0x80000002,
    "last transient": 0x80FFFFFF,
    "persistent": 0x810000FF,
    "no kind": 0x90000000,
    "no handle": 0xFFFFFFFF,
}
"""A handle of each kind, most of them of nothing that is there."""
FLUSHED = {
    "CreatePrimary",
    "CreateLoaded",
    "Load",
    "LoadExternal",
    "StartAuthSession",
    "ContextLoad",
    "HashSequenceStart",
}
"""Where a spoiled command succeeds nevertheless, what it made is flushed: there is room for three."""
HEADER_SIZE = 10
Undo = Command | Callable[[Response], Command]


@dataclass(frozen=True)
class Spoilt:
    """What differs between commands. `undo` follows every spoilt command that succeeded."""

    title: str = ""
    shown: Shown | None = None
    undo: Undo | None = None
    guess: bool = True
    """Try wrong passwords: not where each is one step to a lockout that the story does not want."""
    every_byte: bool = True
    """Change each byte of the parameters: not where that makes a new RSA key every time."""
    handles: bool = True
    """Put other handles in."""
    cut_below: int = 4096
    """Cut no more than so many bytes: beyond them may lie what is as long as its TPM likes."""
    without: tuple[str, ...] = ()
    """Patterns of faults to leave out: those after which the good command could not succeed."""


def faults(command: Command, spoilt: Spoilt | None = None) -> Steps:
    """Yield every spoilt form, and the good command at last. Returns the response to the good one."""
    how = spoilt or Spoilt()
    title = how.title or command.name
    for fault, wrong in _every_form(command, how):
        if any(fnmatchcase(fault, pattern) for pattern in how.without):
            continue
        label = f"{title}: {fault}"
        response = yield Step(label, wrong, how.shown)
        undo = how.undo or (_flush if command.name in FLUSHED else None)
        if response.code == 0 and undo:
            yield Step(f"{label}, undone", undo if isinstance(undo, Command) else undo(response))
    return (yield Step(f"{title}: good", command, how.shown))


def _flush(response: Response) -> Command:
    return Command("FlushContext", (), u32(response.handle))


def _every_form(command: Command, how: Spoilt) -> Iterator[tuple[str, Command | bytes]]:
    yield from _frames(command, how.cut_below)
    yield from _sessions(command, how)
    if how.handles:
        yield from _handles(command)
    if how.every_byte:
        yield from _bytes(command)


def _frames(command: Command, cut_below: int) -> Iterator[tuple[str, Command | bytes]]:
    content = command.content
    for size in range(HEADER_SIZE, min(len(content), cut_below)):
        yield f"cut to {size} bytes", content[:2] + u32(size) + content[6:size]
    yield "one byte left over", command.but(parameters=command.parameters + b"\0")
    yield "four bytes left over", command.but(parameters=command.parameters + bytes(4))
    yield "a size too small", command.but(size_off_by=-1)
    yield "a size too large", command.but(size_off_by=1)
    yield "the other tag", command.but(tag=NO_SESSIONS if command.areas else SESSIONS)
    yield "a tag of nothing", command.but(tag=0x8003)
    yield "the tag of a response of TPM 1.2", command.but(tag=0x00C4)
    yield "an unknown command", command.but(code=0x20000999)


def _sessions(command: Command, how: Spoilt) -> Iterator[tuple[str, Command]]:
    areas = command.areas
    yield "a password too many", command.but(areas=areas + EMPTY)
    yield "four passwords", command.but(areas=EMPTY * 4)
    yield "an empty area", _with_area(command, u32(0))
    yield "an area of eight bytes", _with_area(command, u32(8) + bytes(8))
    yield "an area larger than the command", _with_area(command, u32(0xFFFF))
    if not areas:
        return
    yield "no sessions", command.but(areas=())
    if how.guess:
        yield "a wrong password", command.but(areas=(password(b"wrong"), *areas[1:]))
        yield "a password of zeros", command.but(areas=(password(bytes(2)), *areas[1:]))
    yield "a password with a nonce", command.but(areas=(area(PASSWORD, nonce=b"nonce"), *areas[1:]))
    for bit in range(1, 8):
        attributes = f"a password with attribute {1 << bit:#04x}"
        yield attributes, command.but(areas=(password(attributes=1 << bit), *areas[1:]))
    for kind, handle in KINDS.items():
        if handle != PASSWORD:
            yield f"a session of the kind {kind}", command.but(areas=(area(handle), *areas[1:]))
    yield "a nonce too large", command.but(areas=(area(PASSWORD, nonce=bytes(65)), *areas[1:]))
    yield "a password too large", command.but(areas=(password(bytes(65)), *areas[1:]))


def _with_area(command: Command, session_area: bytes) -> Command:
    return command.but(areas=(), tag=SESSIONS, parameters=session_area + command.parameters)


def _handles(command: Command) -> Iterator[tuple[str, Command]]:
    for position, right in enumerate(command.handles):
        for kind, handle in KINDS.items():
            if handle != right:
                handles = (*command.handles[:position], handle, *command.handles[position + 1 :])
                yield f"handle {position + 1} is {kind}", command.but(handles=handles)


def _bytes(command: Command) -> Iterator[tuple[str, Command]]:
    parameters = command.parameters
    for position, value in enumerate(parameters):
        for bits in (0x01, 0x80, 0xFF):
            spoilt = parameters[:position] + bytes([value ^ bits]) + parameters[position + 1 :]
            yield f"parameter byte {position} xor {bits:#04x}", command.but(parameters=spoilt)
