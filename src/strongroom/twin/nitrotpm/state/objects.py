# SPDX-License-Identifier: Apache-2.0
"""Loaded objects: keys, sealed data, and sequences that are being hashed (Part 1, sections 27 and 32)."""

from __future__ import annotations

import copy
import hashlib
import hmac
from dataclasses import dataclass, field

from strongroom.crypto.tpm import object_name, qualified_name, without_trailing_zeros
from strongroom.formats.tpm.algorithms import HASH_NAMES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import (
    MAX_COORDINATE_BYTES,
    MAX_DIGEST_BYTES,
    MAX_RSA_KEY_BYTES,
    MAX_SYM_DATA_BYTES,
    PublicArea,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u16, u32
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.entities import NO_POLICY, AuthPolicy

_PARENT = ObjectAttributes.RESTRICTED | ObjectAttributes.DECRYPT
_MOST_VALUE_BYTES = {
    Alg.RSA: MAX_RSA_KEY_BYTES // 2,
    Alg.ECC: MAX_COORDINATE_BYTES,
    Alg.KEYEDHASH: MAX_SYM_DATA_BYTES,
    Alg.SYMCIPHER: 32,
}


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


def read_sensitive(reader: Reader) -> Sensitive:
    """Take a sensitive area off. Raises TpmFormatError for unknown types, and for parts that are too long."""
    kind = Alg(reader.choice(_MOST_VALUE_BYTES, Rc.TYPE, "type of object"))
    auth = reader.sized("an authorization value", most_bytes=MAX_DIGEST_BYTES)
    seed = reader.sized("a seed", most_bytes=MAX_DIGEST_BYTES)
    return Sensitive(kind, auth, seed, reader.sized("a secret value", most_bytes=_MOST_VALUE_BYTES[kind]))


@dataclass(frozen=True, slots=True)
class TpmObject:
    """A loaded object. `sensitive` is None where only the public part was loaded."""

    public: PublicArea
    sensitive: Sensitive | None = field(repr=False)
    hierarchy: Rh
    qualified_name: bytes
    name: bytes
    is_external: bool = False
    """Loaded by LoadExternal: nothing can be under it, and it cannot be made persistent."""
    until_restart: bool = False
    """It, or what it is under, was made with ST_CLEAR: it ends with the next TPM Restart."""

    @property
    def secret(self) -> Sensitive:
        """Its secret part. Raises Refused (KEY) where only the public part was loaded: nobody can authorize its use."""
        if self.sensitive is None:
            raise Refused(Rc.KEY)
        return self.sensitive

    @property
    def auth(self) -> bytes:
        """Its authorization value; in the sensitive area it may be filled up with zeros."""
        return without_trailing_zeros(self.sensitive.auth) if self.sensitive is not None else b""

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
        return self._may_have_children and self.public.type is not Alg.KEYEDHASH

    @property
    def derives(self) -> bool:
        """Whether children are derived from it: a keyed hash that is restricted and decrypting."""
        return self._may_have_children and self.public.type is Alg.KEYEDHASH

    @property
    def is_temporary(self) -> bool:
        """Whether it is under the NULL hierarchy, whose seed lasts until the next reset."""
        return self.hierarchy is Rh.NULL

    @property
    def _may_have_children(self) -> bool:
        has_both = (self.public.attributes & _PARENT) == _PARENT
        return has_both and self.sensitive is not None and not self.is_external and bool(self.name)

    def has(self, attribute: ObjectAttributes) -> bool:
        """Say whether an attribute is set."""
        return self.public.has(attribute)


def primary(public: PublicArea, sensitive: Sensitive, hierarchy: Rh) -> TpmObject:
    """Return an object right under a hierarchy."""
    return _loaded(public, sensitive, hierarchy, above=u32(hierarchy), until_restart=False)


def child(public: PublicArea, sensitive: Sensitive, parent: TpmObject) -> TpmObject:
    """Return an object under a parent."""
    above, until_restart = parent.qualified_name, parent.until_restart
    return _loaded(public, sensitive, parent.hierarchy, above=above, until_restart=until_restart)


def external(public: PublicArea, sensitive: Sensitive | None, hierarchy: Rh) -> TpmObject:
    """Return an object that is under nothing: its qualified name is its name."""
    name, until_restart = object_name(public), public.has(ObjectAttributes.ST_CLEAR)
    return TpmObject(public, sensitive, hierarchy, name, name, is_external=True, until_restart=until_restart)


def _loaded(public: PublicArea, sensitive: Sensitive, hierarchy: Rh, *, above: bytes, until_restart: bool) -> TpmObject:
    name = object_name(public)
    ends = until_restart or public.has(ObjectAttributes.ST_CLEAR)
    full_name = qualified_name(public.name_alg, above, name)
    return TpmObject(public, sensitive, hierarchy, full_name, name, until_restart=ends)


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
        """How it begins: by it is decided whether the digest gets a ticket (`tickets.is_safe_beginning`)."""
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

    def copy(self) -> Sequence:
        """Return another that has been given the same so far."""
        other = copy.copy(self)
        running = {algorithm: running.copy() for algorithm, running in self._running.items()}
        other._running = running  # noqa: SLF001 -- its own
        return other

    def digests(self) -> dict[Alg, bytes]:
        """Return the digests as of now."""
        return {algorithm: running.digest() for algorithm, running in self._running.items()}


Loaded = TpmObject | Sequence
"""What a transient handle stands for."""
