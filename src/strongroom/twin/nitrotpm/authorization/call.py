# SPDX-License-Identifier: Apache-2.0
"""A command: what its handles stand for, and what HMACs, policies and its function see of it.

Part 1, section 16.7; Part 3, section 23.
"""

from __future__ import annotations

from typing import NamedTuple

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, TpmFormatError, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.area import Authorizations
from strongroom.twin.nitrotpm.lookup import Found
from strongroom.twin.nitrotpm.registry import CommandSpec
from strongroom.twin.nitrotpm.state.entities import Hierarchy, NvIndex
from strongroom.twin.nitrotpm.state.objects import TpmObject
from strongroom.twin.nitrotpm.state.sessions import Session

_CREATES = frozenset({Cc.CREATE, Cc.CREATE_PRIMARY, Cc.CREATE_LOADED})
"""What PolicyTemplate is for: the second parameter is the template (Part 3, section 23.21)."""


class Call(NamedTuple):
    """A command. The accessors count from 1, as the TPM does; `parameters` are as they were sent, maybe encrypted."""

    spec: CommandSpec
    handles: tuple[int, ...]
    found: tuple[Found, ...]
    authorizations: Authorizations
    parameters: bytes
    locality: int

    @property
    def names(self) -> tuple[bytes, ...]:
        """The names of what its handles stand for. Sessions have no name but their handle."""
        pairs = zip(self.handles, self.found, strict=True)
        return tuple(u32(handle) if isinstance(found, Session) else found.name for handle, found in pairs)

    def hash(self, algorithm: Alg) -> bytes:
        """Return cpHash."""
        return digest(algorithm, u32(self.spec.code), *self.names, self.parameters)

    def names_hash(self, algorithm: Alg) -> bytes:
        """Return nameHash (PolicyNameHash)."""
        return digest(algorithm, *self.names)

    def template_hash(self, algorithm: Alg) -> bytes:
        """Return the digest of the template of what is created (PolicyTemplate); nothing where nothing is.

        Other commands have a public area for their second parameter, too, and do something else with it.
        """
        if self.spec.code not in _CREATES:
            return b""
        reader = Reader(self.parameters)
        try:
            reader.sized("the sensitive part")
            return digest(algorithm, reader.sized("the template"))
        except TpmFormatError:
            return b""

    def object(self, number: int) -> TpmObject:
        """Return the key or sealed object under a handle. Raises Refused (TYPE) for a sequence."""
        found = self.found[number - 1]
        if not isinstance(found, TpmObject):
            raise refusal.handle(Rc.TYPE, number)
        return found

    def nv_index(self, number: int) -> NvIndex:
        """Return the NV index under a handle; the command admits nothing else there."""
        found = self.found[number - 1]
        if not isinstance(found, NvIndex):
            raise TypeError("the command's handle is not declared as an NV index")
        return found

    def hierarchy(self, number: int) -> Hierarchy:
        """Return the hierarchy under a handle; the command admits nothing else there."""
        found = self.found[number - 1]
        if not isinstance(found, Hierarchy):
            raise TypeError("the command's handle is not declared as a hierarchy")
        return found

    def policy_session(self, number: int) -> Session:
        """Return the policy session under a handle; the command admits nothing else there."""
        found = self.found[number - 1]
        if not isinstance(found, Session):
            raise TypeError("the command's handle is not declared as a session")
        return found
