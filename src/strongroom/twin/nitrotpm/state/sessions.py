# SPDX-License-Identifier: Apache-2.0
"""Sessions: who may do what, and that nobody on the way reads or changes it (Part 1, sections 17 to 19)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from strongroom.crypto.tpm import cfb_decrypt, cfb_encrypt, digest, kdf_a, mac, xor
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import SessionKind
from strongroom.formats.tpm.handles import HandleType, handle_number, handle_type
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES, Symmetric
from strongroom.formats.tpm.wire import u8, u32
from strongroom.twin.nitrotpm.profile import MAX_SESSIONS
from strongroom.twin.nitrotpm.state.entities import Entity

NORMAL_LOCALITIES = 0x1F
"""TPMA_LOCALITY: a bit for each of the localities 0 to 4; a larger value is one extended locality (Part 2, 8.5)."""


def is_session_handle(handle: int) -> bool:
    """Say whether a handle is one that this TPM gives to sessions: of either kind, loaded, saved or none."""
    kinds = (HandleType.HMAC_SESSION, HandleType.POLICY_SESSION)
    return handle_type(handle) in kinds and handle_number(handle) < MAX_SESSIONS


@dataclass(frozen=True, slots=True)
class Binding:
    """The entity that a session is bound to, as it was then: a new name or authorization value is another entity."""

    name: bytes
    auth: bytes = field(repr=False)

    @classmethod
    def of(cls, entity: Entity) -> Binding:
        """Build from an entity."""
        return cls(entity.name, entity.auth)


@dataclass(slots=True)
class PolicyState:
    """What a policy session has been told so far, beside the digest (Part 3, section 23)."""

    digest: bytes
    boot: int = 0
    """The time with power that the session was started in: `expires_ms` means nothing in another."""
    command: int | None = None
    cp_hash: bytes = b""
    name_hash: bytes = b""
    template: bytes = b""
    localities: int = 0
    """TPMA_LOCALITY; zero where none was named."""
    written: bool | None = None
    pcr_counter: int | None = None
    """The update counter of the PCRs when the policy looked at them."""
    needs_auth: bool = False
    needs_password: bool = False
    expires_ms: int | None = None
    """When it ends, in TPMS_TIME_INFO.time."""

    @property
    def bound_to(self) -> bytes:
        """The digest of the command that it is tied to, whichever there is; a session has at most one."""
        return self.cp_hash or self.name_hash or self.template


@dataclass(slots=True)
class Session:
    """A loaded session. `nonce_tpm` rolls with each use; `key` is empty where it is neither salted nor bound."""

    handle: int
    kind: SessionKind
    hash: Alg
    symmetric: Symmetric
    key: bytes = field(repr=False)
    nonce_tpm: bytes
    binding: Binding | None
    policy: PolicyState
    start_ms: int = 0
    counts_failures: bool = False
    """Whether it is bound to an entity whose wrong authorizations count: its key is a guess of that one's, too."""
    guesses_authority: bool = False
    """Whether that entity is the lockout authority."""

    @property
    def is_policy(self) -> bool:
        """Whether it authorizes by policy, or only computes one."""
        return self.kind is not SessionKind.HMAC

    @property
    def is_trial(self) -> bool:
        """Whether it only computes a policy: nothing that is asserted is looked at, and it authorizes nothing."""
        return self.kind is SessionKind.TRIAL

    def is_bound_to(self, entity: Entity) -> bool:
        """Say whether the authorization value of `entity` is in the key already."""
        return self.binding is not None and self.binding == Binding.of(entity)

    def roll(self) -> None:
        """Take a new nonce of the same length: what was sent before is not taken again."""
        self.nonce_tpm = secrets.token_bytes(len(self.nonce_tpm))

    def restart_policy(self) -> None:
        """Forget what the policy was told."""
        self.policy = PolicyState(bytes(HASH_BYTES[self.hash]), self.policy.boot)

    def extend_policy(self, code: int, *parts: bytes) -> None:
        """Put an assertion into the policy digest (Part 3, section 23.2.3, PolicyUpdate)."""
        self.policy.digest = digest(self.hash, self.policy.digest, u32(code), *parts)

    def clear_policy(self) -> None:
        """Set the policy digest to zeros. Whatever else was asserted goes on to be required."""
        self.policy.digest = bytes(HASH_BYTES[self.hash])

    def extend_policy_ref(self, code: int, name: bytes, policy_ref: bytes) -> None:
        """Put in who vouched and, in a second step, what for (Part 3, section 23.2.3)."""
        self.extend_policy(code, name)
        self.policy.digest = digest(self.hash, self.policy.digest, policy_ref)

    def mac(self, key: bytes, parameters: bytes, nonces: tuple[bytes, ...], attributes: int) -> bytes:
        """Return the HMAC of a command or response: over the parameters' hash, nonces newest first, attributes."""
        return mac(self.hash, key, parameters, *nonces, u8(attributes))

    def encrypt(self, key: bytes, data: bytes, *, newer: bytes, older: bytes) -> bytes:
        """Encrypt the first parameter of a response (Part 1, section 19)."""
        if self.symmetric.algorithm is Alg.XOR:
            return self._obfuscate(key, data, newer, older)
        cipher_key, iv = self._cipher(key, newer, older)
        return cfb_encrypt(cipher_key, iv, data)

    def decrypt(self, key: bytes, data: bytes, *, newer: bytes, older: bytes) -> bytes:
        """Decrypt the first parameter of a command (Part 1, section 19)."""
        if self.symmetric.algorithm is Alg.XOR:
            return self._obfuscate(key, data, newer, older)
        cipher_key, iv = self._cipher(key, newer, older)
        return cfb_decrypt(cipher_key, iv, data)

    def _cipher(self, key: bytes, newer: bytes, older: bytes) -> tuple[bytes, bytes]:
        bits = self.symmetric.key_bits
        made = kdf_a(self.hash, key, "CFB", u=newer, v=older, bits=bits + AES_BLOCK_BYTES * 8)
        return made[: bits // 8], made[bits // 8 :]

    def _obfuscate(self, key: bytes, data: bytes, newer: bytes, older: bytes) -> bytes:
        return xor(data, kdf_a(self.symmetric.hash, key, "XOR", u=newer, v=older, bits=len(data) * 8))
