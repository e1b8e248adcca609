# SPDX-License-Identifier: Apache-2.0
"""Encrypting to keys, and agreeing on them (Part 3, section 14)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.public_area import MAX_RSA_KEY_BYTES, EccParameters, EccPoint, RsaParameters, read_point
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import RSA_ENCRYPTION_SCHEMES, Scheme, read_scheme
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.keys import CURVES, point_key, private_key, public_key
from strongroom.twin.nitrotpm.crypto.points import multiplied
from strongroom.twin.nitrotpm.crypto.rsa_encryption import rsa_decrypted, rsa_encrypted
from strongroom.twin.nitrotpm.parameters import DATA
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.registry import OBJECT, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

_RSA_BYTES = sized_parameter(MAX_RSA_KEY_BYTES, "what an RSA key encrypts")
_SCHEME = Parameter(lambda reader: read_scheme(reader, RSA_ENCRYPTION_SCHEMES, refusal=Rc.VALUE))
_POINT = Parameter(lambda reader: reader.structure(read_point, "a point"), is_sized=True)
_KEY = 1
_SCHEME_NUMBER, _LABEL_NUMBER = 2, 3


@command(Cc.RSA_ENCRYPT, _RSA_BYTES, _SCHEME, DATA, handles=(OBJECT,), traits=Trait.ENCRYPTS)
def rsa_encrypt(_chip: Chip, call: Call, message: bytes, asked: Scheme, label: bytes) -> Reply:
    """Encrypt a message to an RSA key."""
    key = _rsa_key(call)
    if not key.has(ObjectAttributes.DECRYPT):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    scheme = _chosen(key, asked, label)
    try:
        public = public_key(key.public)
    except ValueError as wrong:  # an exponent that no RSA key has: loading takes any
        raise refusal.handle(Rc.KEY, _KEY) from wrong
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return Reply(sized(rsa_encrypted(public, message, scheme, label)))


@command(Cc.RSA_DECRYPT, _RSA_BYTES, _SCHEME, DATA, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def rsa_decrypt(chip: Chip, call: Call, secret: bytes, asked: Scheme, label: bytes) -> Reply:
    """Decrypt what was encrypted to an RSA key that is not a storage key."""
    key = _rsa_key(call)
    if key.has(ObjectAttributes.RESTRICTED) or not key.has(ObjectAttributes.DECRYPT):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    scheme = _chosen(key, asked, label)
    private = private_key(chip, key)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("not an RSA key")
    return Reply(sized(rsa_decrypted(private, secret, scheme, label)))


def _rsa_key(call: Call) -> TpmObject:
    found = call.found[_KEY - 1]
    if not isinstance(found, TpmObject) or found.public.type is not Alg.RSA:
        raise refusal.handle(Rc.KEY, _KEY)
    return found


def _chosen(key: TpmObject, asked: Scheme, label: bytes) -> Scheme:
    """Return the scheme to encrypt with: the key's own, or the caller's where the key leaves it open."""
    if label and not label.endswith(b"\0"):
        raise refusal.parameter(Rc.VALUE, _LABEL_NUMBER)
    own = key.public.parameters.scheme if isinstance(key.public.parameters, RsaParameters) else asked
    if own.algorithm is Alg.NULL:
        return asked
    if asked.algorithm is not Alg.NULL and asked != own:
        raise refusal.parameter(Rc.SCHEME, _SCHEME_NUMBER)
    return own


@command(Cc.ECDH_KEY_GEN, handles=(OBJECT,), traits=Trait.ENCRYPTS)
def ecdh_key_gen(_chip: Chip, call: Call) -> Reply:
    """Return what a new key and an ECC key agree on, and the new key's public point."""
    key, parameters = _ecc_key(call)
    try:
        theirs = public_key(key.public)
    except ValueError as wrong:
        raise refusal.handle(Rc.KEY, _KEY) from wrong
    ours = ec.generate_private_key(CURVES[parameters.curve]())
    if not isinstance(theirs, ec.EllipticCurvePublicKey):
        raise TypeError("not an ECC key")
    agreed, point = multiplied(ours, theirs), multiplied(ours, None)
    return Reply(sized(agreed.encode()) + sized(point.encode()))


@command(Cc.ECDH_ZGEN, _POINT, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def ecdh_z_gen(chip: Chip, call: Call, point: EccPoint) -> Reply:
    """Return what an ECC key and the owner of a point agree on."""
    key, parameters = _ecc_key(call)
    if key.has(ObjectAttributes.RESTRICTED) or not key.has(ObjectAttributes.DECRYPT):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    if parameters.scheme.algorithm not in {Alg.ECDH, Alg.NULL}:
        raise refusal.handle(Rc.SCHEME, _KEY)
    try:
        theirs = point_key(point, parameters.curve)
    except ValueError as wrong:
        raise refusal.parameter(Rc.ECC_POINT, 1) from wrong
    ours = private_key(chip, key)
    if not isinstance(ours, ec.EllipticCurvePrivateKey):
        raise TypeError("not an ECC key")
    return Reply(sized(multiplied(ours, theirs).encode()))


def _ecc_key(call: Call) -> tuple[TpmObject, EccParameters]:
    found = call.found[_KEY - 1]
    if not isinstance(found, TpmObject) or not isinstance(found.public.parameters, EccParameters):
        raise refusal.handle(Rc.KEY, _KEY)
    return found, found.public.parameters
