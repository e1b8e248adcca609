# SPDX-License-Identifier: Apache-2.0
"""A TPM command before it is sent: its parts by the names that Part 3 gives them, so that a refusal can name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.wire import u32


@dataclass(frozen=True, slots=True)
class Entity:
    """What a handle stands for. Its name goes into every HMAC, so nobody can put another thing behind the handle."""

    handle: int
    name: bytes
    auth: bytes = field(default=b"", repr=False)

    @classmethod
    def by_handle(cls, handle: int) -> Entity:
        """Return a hierarchy or a session, whose name is its handle (Part 1, section 16)."""
        return cls(handle, u32(handle))


OWNER = Entity.by_handle(Rh.OWNER)
ENDORSEMENT = Entity.by_handle(Rh.ENDORSEMENT)
NULL = Entity.by_handle(Rh.NULL)


@dataclass(frozen=True, slots=True)
class Key:
    """A loaded object and its public area, which was compared with what was asked for."""

    entity: Entity
    public: PublicArea


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `handles` and `parameters` stand in the order of Part 3; the first handle is what is authorized."""

    code: Cc
    handles: Mapping[str, Entity] = field(default_factory=dict)
    parameters: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    returns_handle: bool = False
    sized_in: bool = False
    """The first parameter is a TPM2B: a session can encrypt it (Part 1, section 21)."""
    sized_out: bool = False
    """The first parameter of the response is one."""

    @property
    def authorized(self) -> Entity:
        """What the first session authorizes. A command without handles is a RuntimeError."""
        for entity in self.handles.values():
            return entity
        raise RuntimeError(f"{self.code.name} has no handle to authorize")
