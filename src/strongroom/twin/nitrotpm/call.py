# SPDX-License-Identifier: Apache-2.0
"""A command that was authorized, as its function sees it."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.area import Authorizations
from strongroom.twin.nitrotpm.lookup import Found
from strongroom.twin.nitrotpm.registry import CommandSpec
from strongroom.twin.nitrotpm.state.entities import Hierarchy, NvIndex
from strongroom.twin.nitrotpm.state.objects import TpmObject
from strongroom.twin.nitrotpm.state.sessions import Session


@dataclass(frozen=True, slots=True)
class Call:
    """Handles and what they stand for, in the order of the command. The accessors count from 1, as the TPM does."""

    spec: CommandSpec
    handles: tuple[int, ...]
    found: tuple[Found, ...]
    authorizations: Authorizations
    locality: int

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
