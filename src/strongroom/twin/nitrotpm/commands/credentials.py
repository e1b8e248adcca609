# SPDX-License-Identifier: Apache-2.0
"""Credentials: a secret for whoever has two keys in one TPM (Part 3, sections 12.5 and 12.6; Part 1, section 24)."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.public_area import ASYMMETRIC, MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.secret_sharing import IDENTITY, opened_seed, shared_seed
from strongroom.twin.nitrotpm.objects.protection import Protector, unwrap, wrap
from strongroom.twin.nitrotpm.objects.rules import is_storage, takes_seeds
from strongroom.twin.nitrotpm.parameters import DIGEST, NAME, SECRET
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.registry import OBJECT, Reply, Role, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

_MOST_CREDENTIAL_BYTES = 132
"""TPM2B_ID_OBJECT: an HMAC and an encrypted digest, with their sizes."""
_CREDENTIAL, _SECRET = 1, 2
_KEY = 1
_ACTIVATED, _DECRYPTING = 1, 2


@command(Cc.MAKE_CREDENTIAL, DIGEST, NAME, handles=(OBJECT,), traits=Trait.ENCRYPTS)
def make_credential(_chip: Chip, call: Call, credential: bytes, name: bytes) -> Reply:
    """Encrypt a secret so that only a TPM that has both a storage key and the object of a name can read it."""
    key = call.object(_KEY)
    if not is_storage(key.public) or key.public.type not in ASYMMETRIC:
        raise refusal.handle(Rc.TYPE, _KEY)
    if key.public.name_alg is Alg.NULL:  # there is nothing to encrypt with, of no size
        raise refusal.parameter(Rc.SIZE, _CREDENTIAL)
    if len(credential) > HASH_BYTES[key.public.name_alg]:
        raise refusal.parameter(Rc.SIZE, _CREDENTIAL)
    seed, secret = shared_seed(key.public, IDENTITY)
    return Reply(sized(wrap(Protector.with_seed(key.public, seed), name, sized(credential))) + sized(secret))


@command(
    Cc.ACTIVATE_CREDENTIAL,
    sized_parameter(_MOST_CREDENTIAL_BYTES, "a credential"),
    SECRET,
    handles=(OBJECT.authorized(Role.ADMIN), OBJECT.authorized()),
    traits=Trait.ENCRYPTS,
)
def activate_credential(chip: Chip, call: Call, credential: bytes, secret: bytes) -> Reply:
    """Return the secret of a credential that was made for these two keys."""
    key = _storage_key(call, _DECRYPTING)
    seed = opened_seed(chip, key, secret, IDENTITY, number=_SECRET)
    protector = Protector.with_seed(key.public, seed)
    content = unwrap(protector, call.object(_ACTIVATED).name, credential, number=_CREDENTIAL)
    reader = Reader(content)
    try:
        told = reader.sized("a credential", most_bytes=MAX_DIGEST_BYTES)
        reader.expect_end("the credential")
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, _CREDENTIAL) from malformed
    return Reply(sized(told))


def _storage_key(call: Call, number: int) -> TpmObject:
    found = call.object(number)
    if not takes_seeds(found.public):
        raise refusal.handle(Rc.TYPE, number)
    return found
