# SPDX-License-Identifier: Apache-2.0
"""What the TPM knows of each command: its handles, its parameters, and the function that carries it out.

A command declares what it takes; reading it, refusing what does not fit, and all of authorization are done before its
function is called. So a function sees whole, well-formed parameters and authorized entities, or is not called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Any

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import PCR_COUNT, HandleType, Rh, handle_type
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.profile import MAX_SESSIONS
from strongroom.twin.nitrotpm.state.entities import Access


class Role(Enum):
    """What an authorization is for (Part 1, section 17.2): it decides whether a password, HMAC or policy will do."""

    USER = auto()
    ADMIN = auto()
    DUP = auto()


@dataclass(frozen=True, slots=True)
class HandleSpec:
    """A handle that a command takes: which are allowed, and as what it must be authorized, if at all."""

    allows: Callable[[int], bool]
    role: Role | None = None

    def authorized(self, role: Role = Role.USER) -> HandleSpec:
        """Return the same handle, to be authorized."""
        return HandleSpec(self.allows, role)


def kinds(*types: HandleType) -> HandleSpec:
    """Allow every handle of these kinds."""
    allowed = frozenset(types)
    return HandleSpec(lambda handle: handle_type(handle) in allowed)


def permanent(*handles: Rh) -> HandleSpec:
    """Allow these permanent handles."""
    allowed = frozenset(handles)
    return HandleSpec(lambda handle: handle in allowed)


def either(*specs: HandleSpec) -> HandleSpec:
    """Allow what any of these allows."""
    return HandleSpec(lambda handle: any(spec.allows(handle) for spec in specs))


OBJECT = kinds(HandleType.TRANSIENT, HandleType.PERSISTENT)
NV_INDEX = kinds(HandleType.NV_INDEX)
POLICY_SESSION = HandleSpec(lambda handle: 0 <= handle - HandleType.POLICY_SESSION.first < MAX_SESSIONS)
PCR = HandleSpec(lambda handle: handle < PCR_COUNT)
NULL = permanent(Rh.NULL)
PCR_OR_NULL = HandleSpec(lambda handle: handle < PCR_COUNT or handle == Rh.NULL)
OBJECT_OR_NULL = either(OBJECT, NULL)
NV_AUTH = either(permanent(Rh.OWNER, Rh.PLATFORM), NV_INDEX)
OWNER_OR_PLATFORM = permanent(Rh.OWNER, Rh.PLATFORM)
HIERARCHY = permanent(Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.NULL)
HIERARCHY_AUTH = permanent(Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.LOCKOUT)
PARENT = either(OBJECT, HIERARCHY)
ENTITY = either(PCR, OBJECT, NV_INDEX, permanent(Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.LOCKOUT, Rh.NULL))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: how it is read, and whether it is a TPM2B, which a session can encrypt if it comes first."""

    read: Callable[[Reader], Any]
    is_sized: bool = False


class Trait(Flag):
    """What else there is to know of a command."""

    RETURNS_HANDLE = auto()
    ENCRYPTS = auto()
    """The first parameter of its response is a TPM2B, which a session can encrypt."""
    NO_SESSIONS = auto()
    """It takes none."""
    NV = auto()
    """TPMA_CC.nv: it may write to NV memory."""
    FLUSHES = auto()
    """TPMA_CC.flushed: it removes a transient object that it was given."""
    EXTENSIVE = auto()
    """TPMA_CC.extensive: it may remove any number of loaded objects."""


NOTHING = Trait(0)


@dataclass(frozen=True)
class CommandSpec:
    """A command. `run(chip, call, *parameters)` returns a Reply. What follows from the rest is found out once."""

    code: Cc
    run: Callable[..., Reply]
    handles: tuple[HandleSpec, ...]
    parameters: tuple[Parameter, ...]
    traits: Trait
    access: Access | None
    """What it does to an NV index that it authorizes with."""

    @functools.cached_property
    def roles(self) -> tuple[Role, ...]:
        """The roles of the handles that need an authorization; they come first."""
        return tuple(spec.role for spec in self.handles if spec.role is not None)

    @functools.cached_property
    def authorized_handles(self) -> int:
        """How many handles need an authorization."""
        return len(self.roles)

    @functools.cached_property
    def takes_sessions(self) -> bool:
        """Whether it may come with sessions."""
        return Trait.NO_SESSIONS not in self.traits

    @functools.cached_property
    def decrypts(self) -> bool:
        """Whether a session can encrypt its first parameter."""
        return bool(self.parameters) and self.parameters[0].is_sized

    @functools.cached_property
    def encrypts(self) -> bool:
        """Whether a session can encrypt the first parameter of its response."""
        return Trait.ENCRYPTS in self.traits


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command that went well answers: parameters, and a handle where it makes one."""

    parameters: bytes = b""
    handle: int | None = None


DONE = Reply()
Runner = Callable[..., Reply]
COMMANDS: dict[int, CommandSpec] = {}
"""Every command, by its code. The modules in `commands/` put them in."""


def command(
    code: Cc,
    *parameters: Parameter,
    handles: tuple[HandleSpec, ...] = (),
    traits: Trait = NOTHING,
    access: Access | None = None,
) -> Callable[[Runner], Runner]:
    """Make a function a command of the TPM."""

    def register(run: Runner) -> Runner:
        if code in COMMANDS:
            raise RuntimeError(f"{code.name} is registered twice")
        COMMANDS[code] = CommandSpec(code, run, handles, parameters, traits, access)
        return run

    return register
