# SPDX-License-Identifier: Apache-2.0
"""TPMS_CONTEXT: what was taken out of the TPM for a while, so that only this TPM can take it back (Part 1, section 30).

The blob is `HMAC | ciphertext`. Keys come from a secret that lasts until the next TPM Reset and from the proof of the
hierarchy, which Clear replaces; each context has keys of its own, by its sequence number.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from strongroom.crypto.tpm import kdf_a, mac
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.handles import Rh, read_hierarchy
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized, u32, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.profile import CONTEXT_HASH, CONTEXT_KEY_BITS
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.sessions import is_session_handle

OBJECT, SEQUENCE, OBJECT_UNTIL_RESTART = 0x80000000, 0x80000001, 0x80000002
"""savedHandle of what has a transient handle (Part 2, section 14.5)."""
MAX_CONTEXT_BYTES = 2680
MAX_SESSION_CONTEXT_BYTES = 1024
"""TPM_PT_MAX_SESSION_CONTEXT: TPMS_CONTEXT of the longest session, rounded up."""
_CONTEXT = 1
_KEY_BYTES = CONTEXT_KEY_BITS // 8
_SEQUENCE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Context:
    """TPMS_CONTEXT. `handle` is that of a session, or says which kind of object there is in the blob."""

    sequence: int
    handle: int
    hierarchy: Rh
    blob: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u64(self.sequence) + u32(self.handle) + u32(self.hierarchy) + sized(self.blob)


def read_context(reader: Reader) -> Context:
    """Take a context off. Raises TpmFormatError for handles and hierarchies that no context has."""
    sequence, handle = reader.u64("a sequence number"), reader.u32("a saved handle")
    if handle not in {OBJECT, SEQUENCE, OBJECT_UNTIL_RESTART} and not is_session_handle(handle):
        raise reader.refused(Rc.VALUE, f"expected the handle of a context, found {handle:#010x}")
    hierarchy = read_hierarchy(reader, "the hierarchy of a context")
    return Context(sequence, handle, hierarchy, reader.sized("a context", most_bytes=MAX_CONTEXT_BYTES))


def close(chip: Chip, handle: int, hierarchy: Rh, content: bytes) -> Context:
    """Return content as a context, under a sequence number that no other has."""
    chip.volatile.reset.context_sequence += 1
    sequence = chip.volatile.reset.context_sequence
    bare = Context(sequence, handle, hierarchy, b"")
    hidden = _cipher(chip, bare).encryptor().update(content)
    return Context(sequence, handle, hierarchy, sized(_integrity(chip, bare, hidden)) + hidden)


def open_context(chip: Chip, context: Context) -> bytes:
    """Return the content of a context. Raises Refused for one that this TPM did not make, or made before a reset."""
    reader = Reader(context.blob)
    try:
        integrity = reader.sized("an integrity value", most_bytes=MAX_DIGEST_BYTES)
    except TpmFormatError as malformed:
        raise Refused(malformed.rc) from malformed
    if len(integrity) != HASH_BYTES[CONTEXT_HASH] or reader.left_bytes < _SEQUENCE_BYTES:
        raise refusal.parameter(Rc.SIZE, _CONTEXT)
    hidden = reader.rest()
    if not hmac.compare_digest(integrity, _integrity(chip, context, hidden)):
        raise refusal.parameter(Rc.INTEGRITY, _CONTEXT)
    return _cipher(chip, context).decryptor().update(hidden)


def _secret(chip: Chip, context: Context) -> bytes:
    return chip.volatile.reset.context_key + chip.hierarchies[context.hierarchy].proof


def _about(context: Context) -> bytes:
    return u64(context.sequence) + u32(context.handle) + u32(context.hierarchy)


def _cipher(chip: Chip, context: Context) -> Cipher[modes.CTR]:
    bits = (_KEY_BYTES + AES_BLOCK_BYTES) * 8
    made = kdf_a(CONTEXT_HASH, _secret(chip, context), "CONTEXT", u=_about(context), bits=bits)
    return Cipher(algorithms.AES(made[:_KEY_BYTES]), modes.CTR(made[_KEY_BYTES:]))


def _integrity(chip: Chip, context: Context, hidden: bytes) -> bytes:
    # What was made with ST_CLEAR ends with the next TPM Restart: this counts those.
    starts = u32(chip.volatile.reset.clear_count) if context.handle == OBJECT_UNTIL_RESTART else b""
    key = kdf_a(CONTEXT_HASH, _secret(chip, context), "INTEGRITY", bits=HASH_BYTES[CONTEXT_HASH] * 8)
    return mac(CONTEXT_HASH, key, _about(context), starts, hidden)
