# SPDX-License-Identifier: Apache-2.0
"""The TPM's own cryptography: digests and HMACs by TPM_ALG_ID, key derivation, names, AES-CFB (TPM 2.0, Part 1).

None of it is secret by itself, and both sides of a session need the same: the client on an instance and the twin's
NitroTPM. libtpms is the judge of both.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.tpm.algorithms import HASH_BYTES, HASH_NAMES, Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES
from strongroom.formats.tpm.wire import u16, u32

HASHES: Mapping[Alg, Callable[[bytes], hashlib._Hash]] = {
    Alg.SHA1: hashlib.sha1,
    Alg.SHA256: hashlib.sha256,
    Alg.SHA384: hashlib.sha384,
    Alg.SHA512: hashlib.sha512,
}
"""The hash functions of the TPM, by their identifiers."""


def digest(algorithm: Alg, *parts: bytes) -> bytes:
    """Return the digest over the parts, one after the other."""
    return HASHES[algorithm](b"".join(parts)).digest()


def mac(algorithm: Alg, key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC over the parts."""
    return hmac.digest(key, b"".join(parts), HASH_NAMES[algorithm])


def kdf_a(algorithm: Alg, key: bytes, label: str, *, u: bytes = b"", v: bytes = b"", bits: int) -> bytes:
    """Return KDFa, SP 800-108 in counter mode (Part 1, section 11.4.10.2). `bits` is a multiple of 8."""
    made = b""
    counter = 0
    while len(made) * 8 < bits:
        counter += 1
        made += mac(algorithm, key, u32(counter), label.encode() + b"\0", u, v, u32(bits))
    return made[: bits // 8]


def kdf_e(algorithm: Alg, shared: bytes, label: str, *, u: bytes, v: bytes, bits: int) -> bytes:
    """Return KDFe, SP 800-56A over an ECDH secret (Part 1, section 11.4.10.3). `bits` is a multiple of 8."""
    made = b""
    counter = 0
    while len(made) * 8 < bits:
        counter += 1
        made += digest(algorithm, u32(counter), shared, label.encode() + b"\0", u, v)
    return made[: bits // 8]


def cfb_encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Return the data under AES in full-block CFB mode (SP 800-38A)."""
    # From ECB: `cryptography` moved its CFB out of the modes that it maintains.
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 -- a single block each, as CFB is defined
    made = bytearray()
    previous = iv
    for start in range(0, len(data), AES_BLOCK_BYTES):
        previous = xor(data[start : start + AES_BLOCK_BYTES], block.update(previous))
        made += previous
    return bytes(made)


def cfb_decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Return what `cfb_encrypt` was given."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    blocks = -(-len(data) // AES_BLOCK_BYTES)
    stream = block.update((iv + data)[: blocks * AES_BLOCK_BYTES])
    return xor(data, stream)


def xor(data: bytes, mask: bytes) -> bytes:
    """Return the data with as many bytes of the mask on it."""
    size = len(data)
    return (int.from_bytes(data) ^ int.from_bytes(mask[:size])).to_bytes(size)


def object_name(public: PublicArea) -> bytes:
    """Return the name of an object: its hash algorithm, and the digest of its public area (Part 1, section 16)."""
    if public.name_alg is Alg.NULL:
        return b""
    return u16(public.name_alg) + digest(public.name_alg, public.encode())


def nv_name(public: NvPublic) -> bytes:
    """Return the name of an NV index. It changes when the index is written first (Part 1, section 16)."""
    return u16(public.name_alg) + digest(public.name_alg, public.encode())


def qualified_name(name_alg: Alg, above: bytes, name: bytes) -> bytes:
    """Return the qualified name of an object: it tells all that is above it (Part 1, section 16.2).

    `above` is the qualified name of its parent, or the handle of its hierarchy.
    """
    return u16(name_alg) + digest(name_alg, above, name)


def without_trailing_zeros(auth: bytes) -> bytes:
    """Return an authorization value as the TPM compares and keys with it (Part 1, section 17.6.4.3)."""
    return auth.rstrip(b"\0")


def pcr_digest(algorithm: Alg, selections: Iterable[PcrSelection], values: Mapping[tuple[Alg, int], bytes]) -> bytes:
    """Return the digest over the selected PCRs, banks in their order, PCRs ascending (Part 1, section 17.5)."""
    return digest(algorithm, *(values[each.bank, index] for each in selections for index in each.indices))


def bank_digest(algorithm: Alg, selection: PcrSelection, values: Mapping[PcrIndex, bytes]) -> bytes:
    """Return the digest over the selected PCRs of one bank, as quotes and PolicyPCR have it."""
    return pcr_digest(algorithm, (selection,), {(selection.bank, index): value for index, value in values.items()})


def pcr_policy(algorithm: Alg, selection: PcrSelection, values: Mapping[PcrIndex, bytes]) -> bytes:
    """Return the policy that PolicyPCR alone makes, for these values (Part 3, section 23.7; Part 1, section 19.7)."""
    said = u32(Cc.POLICY_PCR) + encode_pcr_selections((selection,))
    return digest(algorithm, bytes(HASH_BYTES[algorithm]), said, bank_digest(algorithm, selection, values))
