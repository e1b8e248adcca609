# SPDX-License-Identifier: Apache-2.0
"""Loaded objects: keys, sealed data, and sequences that are being hashed (Part 1, sections 27 and 32)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from strongroom.crypto.tpm import digest, object_name
from strongroom.formats.tpm.algorithms import HASH_NAMES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.wire import sized, u16
from strongroom.twin.nitrotpm.entities import NO_POLICY, AuthPolicy

_PARENT = ObjectAttributes.RESTRICTED | ObjectAttributes.DECRYPT


@dataclass(frozen=True, slots=True)
class Sensitive:
    """TPMT_SENSITIVE: the secret part of an object (Part 2, section 12.3.2.4).

    `seed` obfuscates (and for a parent, protects its children); `value` is a prime, a scalar, a key or sealed data.
    """

    type: Alg
    auth: bytes
    seed: bytes
    value: bytes

    def encode(self) -> bytes:
        """Return the bytes, without a size in front."""
        return u16(self.type) + sized(self.auth) + sized(self.seed) + sized(self.value)


@dataclass(frozen=True, slots=True)
class TpmObject:
    """A loaded object. `sensitive` is None where only the public part was loaded."""

    public: PublicArea
    sensitive: Sensitive | None = field(repr=False)
    hierarchy: Rh
    qualified_name: bytes
    name: bytes

    @property
    def auth(self) -> bytes:
        """Its authorization value."""
        return self.sensitive.auth if self.sensitive is not None else b""

    @property
    def policy(self) -> AuthPolicy:
        """Its policy."""
        return AuthPolicy(self.public.name_alg, self.public.policy) if self.public.policy else NO_POLICY

    @property
    def counts_failures(self) -> bool:
        """Unless it was made with NO_DA."""
        return not self.has(ObjectAttributes.NO_DA)

    @property
    def is_parent(self) -> bool:
        """Whether it is a storage key: restricted, decrypting, with its secret part here."""
        return (self.public.attributes & _PARENT) == _PARENT and self.sensitive is not None

    def has(self, attribute: ObjectAttributes) -> bool:
        """Say whether an attribute is set."""
        return bool(self.public.attributes & attribute)


def loaded(public: PublicArea, sensitive: Sensitive | None, *, hierarchy: Rh, parent_name: bytes) -> TpmObject:
    """Return an object under a parent (its qualified name), or under a hierarchy (its handle)."""
    name = object_name(public)
    qualified = b""
    if public.name_alg is not Alg.NULL:
        qualified = u16(public.name_alg) + digest(public.name_alg, parent_name, name)
    return TpmObject(public, sensitive, hierarchy, qualified, name)


class Sequence:
    """Something that is being hashed in pieces. It has no name, and an authorization value of its own.

    `algorithms`: one for a digest, several for an event; with `key`, an HMAC.
    """

    name = b""
    policy = NO_POLICY
    counts_failures = False

    def __init__(self, algorithms: tuple[Alg, ...], auth: bytes, *, is_event: bool, key: bytes | None = None) -> None:
        self.auth = auth
        self.is_event = is_event
        self.is_hmac = key is not None
        self.first_piece: bytes | None = None
        """How it begins: by it is decided whether the digest gets a ticket (`tickets.is_safe`)."""
        names = {algorithm: HASH_NAMES[algorithm] for algorithm in algorithms}
        self._running: dict[Alg, hashlib._Hash | hmac.HMAC] = {
            algorithm: hashlib.new(name) if key is None else hmac.new(key, digestmod=name)
            for algorithm, name in names.items()
        }

    def update(self, data: bytes) -> None:
        """Add a piece."""
        if self.first_piece is None:
            self.first_piece = data
        for running in self._running.values():
            running.update(data)

    def digests(self) -> dict[Alg, bytes]:
        """Return the digests as of now."""
        return {algorithm: running.digest() for algorithm, running in self._running.items()}


Loaded = TpmObject | Sequence
"""What a transient handle stands for."""
