# SPDX-License-Identifier: Apache-2.0
"""Encrypting with a symmetric key (Part 3, section 15)."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES, read_mode
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.block_modes import WHOLE_BLOCKS, decrypted, encrypted
from strongroom.twin.nitrotpm.objects.rules import symmetric_of
from strongroom.twin.nitrotpm.parameters import BUFFER, YES_NO
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.registry import OBJECT, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

_MODE = Parameter(read_mode)
_IV = sized_parameter(AES_BLOCK_BYTES, "an IV")
_KEY = 1


@command(Cc.ENCRYPT_DECRYPT, YES_NO, _MODE, _IV, BUFFER, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def encrypt_decrypt(_chip: Chip, call: Call, decrypt: bool, mode: Alg, iv: bytes, data: bytes) -> Reply:
    """Encrypt or decrypt data. The answer has what the next piece begins with."""
    key, mode = _key(call, decrypt=decrypt), _chosen_mode(call, mode, number=2)
    _check_sizes(mode, iv, data, iv_number=3, data_number=4)
    return _through(key, mode, iv, data, decrypt=decrypt)


@command(Cc.ENCRYPT_DECRYPT_2, BUFFER, YES_NO, _MODE, _IV, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def encrypt_decrypt_2(_chip: Chip, call: Call, data: bytes, decrypt: bool, mode: Alg, iv: bytes) -> Reply:
    """Do the same, with the data where a session can encrypt it."""
    key, mode = _key(call, decrypt=decrypt), _chosen_mode(call, mode, number=3)
    _check_sizes(mode, iv, data, iv_number=4, data_number=1)
    return _through(key, mode, iv, data, decrypt=decrypt)


def _key(call: Call, *, decrypt: bool) -> bytes:
    found = call.found[_KEY - 1]
    if not isinstance(found, TpmObject) or found.public.type is not Alg.SYMCIPHER:
        raise refusal.handle(Rc.KEY, _KEY)
    needed = ObjectAttributes.DECRYPT if decrypt else ObjectAttributes.SIGN_ENCRYPT
    if found.has(ObjectAttributes.RESTRICTED) or not found.has(needed):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    return found.secret.value


def _chosen_mode(call: Call, asked: Alg, *, number: int) -> Alg:
    """Return the key's own mode, or the caller's where the key leaves it open."""
    own = symmetric_of(call.object(_KEY).public).mode
    chosen = asked if own is Alg.NULL else own
    if chosen is Alg.NULL or asked not in {Alg.NULL, chosen}:
        raise refusal.parameter(Rc.MODE, number)
    return chosen


def _check_sizes(mode: Alg, iv: bytes, data: bytes, *, iv_number: int, data_number: int) -> None:
    if len(iv) != (0 if mode is Alg.ECB else AES_BLOCK_BYTES):
        raise refusal.parameter(Rc.SIZE, iv_number)
    if mode in WHOLE_BLOCKS and len(data) % AES_BLOCK_BYTES:
        raise refusal.parameter(Rc.SIZE, data_number)


def _through(key: bytes, mode: Alg, iv: bytes, data: bytes, *, decrypt: bool) -> Reply:
    out, following = (decrypted if decrypt else encrypted)(key, mode, iv, data)
    return Reply(sized(out) + sized(following))
