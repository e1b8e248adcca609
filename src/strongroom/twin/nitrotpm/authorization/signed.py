# SPDX-License-Identifier: Apache-2.0
"""What the HMACs and the policies of a command are about (Part 1, section 16.7; Part 3, section 23)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.wire import Reader, TpmFormatError, u32
from strongroom.twin.nitrotpm.registry import CommandSpec

_CREATES = frozenset({Cc.CREATE, Cc.CREATE_PRIMARY, Cc.CREATE_LOADED})
"""What PolicyTemplate is for: the second parameter is the template (Part 3, section 23.21)."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A command's code, the names of its handles, its parameters as they were sent, and where it came from."""

    spec: CommandSpec
    names: tuple[bytes, ...]
    parameters: bytes
    locality: int

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
