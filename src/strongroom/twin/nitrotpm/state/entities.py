# SPDX-License-Identifier: Apache-2.0
"""What a handle can stand for, as far as authorization is concerned (Part 1, sections 16 and 17)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from strongroom.crypto.tpm import nv_name
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.handles import PCR_COUNT, Rh
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.formats.tpm.wire import u32


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """A policy digest and its hash algorithm; NULL where there is none."""

    algorithm: Alg = Alg.NULL
    digest: bytes = b""


NO_POLICY = AuthPolicy()


class Access(Enum):
    """What a command does to an NV index: it decides which of its attributes admit whom."""

    READ = auto()
    WRITE = auto()


class Entity(Protocol):
    """Whatever can be authorized, or named by a command."""

    @property
    def name(self) -> bytes:
        """Its name: what HMACs and policies are about."""

    @property
    def auth(self) -> bytes:
        """Its authorization value, without trailing zeros."""

    @property
    def policy(self) -> AuthPolicy:
        """Its policy."""

    @property
    def counts_failures(self) -> bool:
        """Whether a wrong authorization counts towards the lockout."""


@dataclass(slots=True)
class Hierarchy:
    """A hierarchy with its seed and proof, or the lockout authority, which has neither."""

    handle: Rh
    seed: bytes = field(default=b"", repr=False)
    proof: bytes = field(default=b"", repr=False)
    auth: bytes = field(default=b"", repr=False)
    policy: AuthPolicy = NO_POLICY
    enabled: bool = True

    @property
    def name(self) -> bytes:
        """The handle: permanent entities have no other name."""
        return u32(self.handle)

    @property
    def counts_failures(self) -> bool:
        """Only the lockout authority's do, in a way of their own (Part 1, section 17.8.5)."""
        return self.handle is Rh.LOCKOUT


@dataclass(frozen=True, slots=True)
class Pcr:
    """A PCR. Its authorization value is always empty."""

    index: int
    auth: bytes = b""
    policy: AuthPolicy = NO_POLICY
    counts_failures: bool = False

    @property
    def name(self) -> bytes:
        """The handle."""
        return u32(self.index)


PCRS = tuple(map(Pcr, range(PCR_COUNT)))
"""All of them."""


@dataclass(slots=True)
class NvIndex:
    """An NV index with its contents. `public` is replaced as attributes change, and with it the name."""

    public: NvPublic
    auth: bytes = field(repr=False)
    data: bytearray = field(repr=False)

    @property
    def name(self) -> bytes:
        """Name of the public area as it is now."""
        return nv_name(self.public)

    @property
    def policy(self) -> AuthPolicy:
        """Its policy; none is a policy that nothing satisfies."""
        return AuthPolicy(self.public.name_alg, self.public.policy)

    @property
    def counts_failures(self) -> bool:
        """Unless it was defined with NO_DA."""
        return not self.public.has(NvAttributes.NO_DA)

    @property
    def is_written(self) -> bool:
        """Whether it was ever written."""
        return self.public.has(NvAttributes.WRITTEN)
