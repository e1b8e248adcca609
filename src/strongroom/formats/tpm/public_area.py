# SPDX-License-Identifier: Apache-2.0
"""TPMT_PUBLIC: what everybody may know of an object (Part 2, section 12.2.4).

Four kinds: RSA and ECC keys, keyed hashes (which are also how data is sealed), and symmetric keys. As a template it
says what to make; `unique` then holds what distinguishes it from its like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, HASH_BYTES, Alg, Curve
from strongroom.formats.tpm.attributes import OBJECT_ATTRIBUTES, ObjectAttributes
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import (
    ECC_SCHEMES,
    KDFS,
    KEYED_HASH_SCHEMES,
    RSA_SCHEMES,
    Scheme,
    Symmetric,
    read_hash,
    read_scheme,
    read_symmetric,
)
from strongroom.formats.tpm.wire import Reader, sized, u16, u32

RSA_KEY_BITS = (1024, 2048, 3072)
MAX_RSA_KEY_BYTES = max(RSA_KEY_BITS) // 8
MAX_SYM_DATA_BYTES = 128
"""MAX_SYM_DATA: as much as can be sealed, and as long as the key of a keyed hash can be (Part 2, section 11.1.14)."""
DEFAULT_RSA_EXPONENT = 65537
"""What an exponent of zero stands for (Part 2, section 12.2.3.5)."""
MAX_DIGEST_BYTES = 64
MAX_COORDINATE_BYTES = max(COORDINATE_BYTES.values())
"""MAX_ECC_KEY_BYTES: any TPM2B_ECC_PARAMETER may be this long, whatever its curve."""
ASYMMETRIC = frozenset({Alg.RSA, Alg.ECC})
"""The types of key pairs."""
_OBJECT_TYPES = (Alg.RSA, Alg.ECC, Alg.KEYEDHASH, Alg.SYMCIPHER)


@dataclass(frozen=True, slots=True)
class RsaParameters:
    """TPMS_RSA_PARMS. An `exponent` of zero means the default."""

    symmetric: Symmetric
    scheme: Scheme
    key_bits: int
    exponent: int

    @property
    def public_exponent(self) -> int:
        """The exponent that counts."""
        return self.exponent or DEFAULT_RSA_EXPONENT

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.symmetric.encode() + self.scheme.encode() + u16(self.key_bits) + u32(self.exponent)


@dataclass(frozen=True, slots=True)
class EccParameters:
    """TPMS_ECC_PARMS."""

    symmetric: Symmetric
    scheme: Scheme
    curve: Curve
    kdf: Scheme

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.symmetric.encode() + self.scheme.encode() + u16(self.curve) + self.kdf.encode()


@dataclass(frozen=True, slots=True)
class KeyedHashParameters:
    """TPMS_KEYEDHASH_PARMS: an HMAC or XOR key, or with no scheme a sealed data object."""

    scheme: Scheme

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.scheme.encode()


@dataclass(frozen=True, slots=True)
class SymCipherParameters:
    """TPMS_SYMCIPHER_PARMS."""

    symmetric: Symmetric

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.symmetric.encode()


Parameters = RsaParameters | EccParameters | KeyedHashParameters | SymCipherParameters


@dataclass(frozen=True, slots=True)
class EccPoint:
    """TPMS_ECC_POINT: coordinates, big-endian."""

    x: bytes
    y: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return sized(self.x) + sized(self.y)


@dataclass(frozen=True, slots=True)
class PublicArea:
    """A public area. `unique`: modulus (RSA), point (ECC), or digest (others); empty in most templates."""

    type: Alg
    name_alg: Alg
    attributes: ObjectAttributes
    policy: bytes
    parameters: Parameters
    unique: bytes | EccPoint

    def has(self, attribute: ObjectAttributes) -> bool:
        """Say whether an attribute is set."""
        return bool(self.attributes & attribute)

    def encode(self) -> bytes:
        """Return the bytes, without a size in front."""
        unique = self.unique.encode() if isinstance(self.unique, EccPoint) else sized(self.unique)
        head = u16(self.type) + u16(self.name_alg) + u32(self.attributes) + sized(self.policy)
        return head + self.parameters.encode() + unique


def read_public_head(reader: Reader, *, null_name: bool = True) -> PublicArea:
    """Take all but `unique` off a public area. Raises TpmFormatError for kinds, algorithms and attributes unknown.

    `null_name`: whether it may do without a name, as only what is loaded from outside may.
    """
    kind = Alg(reader.choice(_OBJECT_TYPES, Rc.TYPE, "type of object"))
    name_alg = read_hash(reader, null=null_name)
    attributes = reader.u32("object attributes")
    if attributes & ~OBJECT_ATTRIBUTES:
        raise reader.refused(Rc.RESERVED_BITS, f"expected no reserved attribute, found {attributes:#010x}")
    policy = reader.sized("a policy", most_bytes=MAX_DIGEST_BYTES)
    parameters = _read_parameters(reader, kind)
    return PublicArea(kind, name_alg, ObjectAttributes(attributes), policy, parameters, b"")


def read_public_area(reader: Reader, *, null_name: bool = True) -> PublicArea:
    """Take a public area off. Raises TpmFormatError as `read_public_head` does."""
    head = read_public_head(reader, null_name=null_name)
    return replace(head, unique=_read_unique(reader, head.parameters))


def parse_public_area(data: bytes) -> PublicArea:
    """Read a public area that fills all of `data`."""
    reader = Reader(data)
    public = read_public_area(reader)
    reader.expect_end("the public area")
    return public


def read_parameters(reader: Reader) -> tuple[Alg, Parameters]:
    """Take TPMT_PUBLIC_PARMS off: a type, and the parameters of its kind."""
    kind = Alg(reader.choice(_OBJECT_TYPES, Rc.TYPE, "type of object"))
    return kind, _read_parameters(reader, kind)


def read_point(reader: Reader) -> EccPoint:
    """Take a point off. Raises TpmFormatError for coordinates longer than any curve's."""
    x = reader.sized("a coordinate", most_bytes=MAX_COORDINATE_BYTES)
    return EccPoint(x, reader.sized("a coordinate", most_bytes=MAX_COORDINATE_BYTES))


def _read_parameters(reader: Reader, kind: Alg) -> Parameters:
    if kind is Alg.RSA:
        symmetric, scheme = read_symmetric(reader), read_scheme(reader, RSA_SCHEMES, refusal=Rc.VALUE)
        key_bits = reader.choice(RSA_KEY_BITS, Rc.VALUE, "RSA key size")
        return RsaParameters(symmetric, scheme, key_bits, reader.u32("an RSA exponent"))
    if kind is Alg.ECC:
        symmetric, scheme = read_symmetric(reader), read_scheme(reader, ECC_SCHEMES)
        curve = Curve(reader.choice(COORDINATE_BYTES, Rc.CURVE, "curve"))
        return EccParameters(symmetric, scheme, curve, read_scheme(reader, KDFS, refusal=Rc.KDF))
    if kind is Alg.KEYEDHASH:
        return KeyedHashParameters(read_scheme(reader, KEYED_HASH_SCHEMES, refusal=Rc.VALUE))
    return SymCipherParameters(read_symmetric(reader, null=False))


def _read_unique(reader: Reader, parameters: Parameters) -> bytes | EccPoint:
    if isinstance(parameters, EccParameters):
        return read_point(reader)
    most = MAX_RSA_KEY_BYTES if isinstance(parameters, RsaParameters) else max(HASH_BYTES.values())
    return reader.sized("what makes the object unique", most_bytes=most)
