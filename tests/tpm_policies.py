# SPDX-License-Identifier: Apache-2.0
"""Policies as their user sees them, on any TPM that has `execute`: sessions, assertions, keys that sign for them.

Digests are computed here with nothing but hashlib, as TPM 2.0 Part 3, section 23 writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tests.tpm_commands import (
    CODES,
    ECC,
    ECDSA,
    EMPTY,
    NONE,
    NULL,
    OWNER,
    P256,
    SHA256,
    Command,
    Response,
    area,
    send,
    sized,
    u8,
    u16,
    u32,
)

POLICY, TRIAL = 1, 3
SESSION = -1
"""Stands for the handle of the policy session in an assertion's handles."""
OWNER_WRITE, AUTH_WRITE, OWNER_READ, AUTH_READ, POLICY_READ, NO_DA = 0x02, 0x04, 0x20000, 0x40000, 0x80000, 1 << 25
OPEN = OWNER_WRITE | AUTH_WRITE | OWNER_READ | AUTH_READ | POLICY_READ | NO_DA
INDEX = 0x01500001
AUTH = b"na"
"""The authorization value of indices that `define` makes."""


@dataclass(frozen=True)
class Assertion:
    """A policy command: its name, parameters, handles, and what authorizes it."""

    name: str
    parameters: bytes = b""
    handles: tuple[int, ...] = (SESSION,)
    areas: tuple[bytes, ...] = ()

    def command(self, session: int) -> Command:
        """Return the command for a session."""
        handles = tuple(session if handle == SESSION else handle for handle in self.handles)
        return Command(self.name, handles, self.parameters, self.areas)

    def make(self, tpm, session: int) -> Response:
        """Assert it in a session, and return the response."""
        return Response(tpm.execute(self.command(session).content))


def start(tpm, kind: int = POLICY, hash_alg: int = SHA256):
    """Start a session that is neither salted nor bound; its nonce is the end of the response."""
    made = send(
        tpm, "StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(kind) + u16(NONE) + u16(hash_alg)
    )
    assert made.code == 0
    return made


def flush(tpm, session: int) -> None:
    """End a session."""
    assert send(tpm, "FlushContext", (), u32(session)).code == 0


def digest_of(tpm, session: int):
    """Return the policy digest of a session."""
    return send(tpm, "PolicyGetDigest", (session,)).sized()


def asserted(tpm, assertions: Iterable[Assertion], *, kind: int = POLICY):
    """Return a session in which these assertions went well."""
    session = start(tpm, kind).handle
    for each in assertions:
        assert each.make(tpm, session).code == 0, each
    return session


def policy_of(tpm, assertions: Iterable[Assertion]):
    """Return the digest of a policy, as a trial session computes it."""
    session = asserted(tpm, assertions, kind=TRIAL)
    found = digest_of(tpm, session)
    flush(tpm, session)
    return found


def extended(before: bytes, name: str, *parts: bytes) -> bytes:
    """Return a SHA-256 policy digest with one more assertion."""
    return hashlib.sha256(before + u32(CODES[name]) + b"".join(parts)).digest()


def referred(before: bytes, name: str, vouching: bytes, ref: bytes = b"") -> bytes:
    """Return a SHA-256 policy digest with an assertion that somebody vouches for."""
    return hashlib.sha256(extended(before, name, vouching) + ref).digest()


def vouch(*, nonce: bytes = b"", cp_hash: bytes = b"", ref: bytes = b"", expiration: int = 0) -> bytes:
    """The parameters of PolicySecret, and of PolicySigned before the signature."""
    return sized(nonce) + sized(cp_hash) + sized(ref) + expiration.to_bytes(4, "big", signed=True)


def secret(entity: int = OWNER, areas: tuple[bytes, ...] = EMPTY, **limits) -> Assertion:
    """PolicySecret with an empty password."""
    return Assertion("PolicySecret", vouch(**limits), (entity, SESSION), areas)


def by_policy(session: int, proof: bytes = b"", attributes: int = 1) -> tuple[bytes, ...]:
    """An authorization by a policy session that has no key."""
    return (area(session, proof=proof, attributes=attributes),)


def define(
    tpm, *, policy: bytes = b"", data: bytes | None = bytes(8), index: int = INDEX, attributes: int = OPEN
) -> int:
    """Define an NV index with a policy and AUTH, and write it unless `data` is None. Return its handle."""
    size = 8 if data is None else len(data)
    public = u32(index) + u16(SHA256) + u32(attributes) + sized(policy) + u16(size)
    assert send(tpm, "NV_DefineSpace", (OWNER,), sized(AUTH) + sized(public), EMPTY).code == 0
    if data is not None:
        assert send(tpm, "NV_Write", (OWNER, index), sized(data) + u16(0), EMPTY).code == 0
    return index


@dataclass(frozen=True)
class Signer:
    """Somebody outside of the TPM with a P-256 key."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> bytes:
        """The public area of the key."""
        point = self.key.public_key().public_numbers()
        head = u16(ECC) + u16(SHA256) + u32(0x40040) + sized() + u16(NONE) * 2 + u16(P256) + u16(NONE)
        return head + sized(point.x.to_bytes(32, "big")) + sized(point.y.to_bytes(32, "big"))

    @property
    def name(self) -> bytes:
        """The name of the key."""
        return u16(SHA256) + hashlib.sha256(self.public).digest()

    def load(self, tpm, hierarchy: int = OWNER):
        """Load the public part into a TPM, and return its handle."""
        made = send(tpm, "LoadExternal", (), sized() + sized(self.public) + u32(hierarchy))
        assert made.code == 0
        return made.handle

    def sign(self, data: bytes) -> bytes:
        """Return a TPMT_SIGNATURE over the SHA-256 digest of the data."""
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return u16(ECDSA) + u16(SHA256) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))

    def vouches(self, handle: int, *, nonce=b"", cp_hash=b"", ref=b"", expiration=0) -> Assertion:
        """PolicySigned with this key."""
        about = nonce + expiration.to_bytes(4, "big", signed=True) + cp_hash + ref
        limits = vouch(nonce=nonce, cp_hash=cp_hash, ref=ref, expiration=expiration)
        return Assertion("PolicySigned", limits + self.sign(about), (handle, SESSION))
