# SPDX-License-Identifier: Apache-2.0
"""A NitroTPM that another system left its marks in, before the image booted on the same instance (B16).

The owner of the account replaces the root volume of a running instance: what the first system wrote into the TPM's NV
memory is there for the second. Here it is a public key, whose private half the attacker has. An agent that took its
recipient key from there would have KMS answer to him.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from strongroom.crypto.key_transport import RecipientKey
from strongroom.crypto.tpm import nv_name
from strongroom.errors import NotAuthentic
from strongroom.formats.bundle import parse_bundle
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.ids import CmsBytes, EvidenceBytes, KeyArn, SpkiDer, WrappedKey
from strongroom.ports import AttestedKms
from strongroom.tpm.command import Entity
from strongroom.tpm.commands import nv_define_space, nv_read, nv_write
from strongroom.tpm.connection import EMPTY_PASSWORD, Connection, read_answer
from strongroom.tpm.nitro import NitroTpm
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.vendor import CUSTOMER, ROLE, Safe
from strongroom.twin.nitrotpm.tpm import NitroTpm as Chip

OWN_KEY = "agent: a key of its own for each call"
_INDEX = 0x0180_0001
"""In the range of the platform's owner (TCG registry of reserved handles, section 2.2)."""
_ATTRIBUTES = NvAttributes.AUTH_READ | NvAttributes.AUTH_WRITE | NvAttributes.NO_DA


@dataclass(frozen=True, slots=True)
class _Wire:
    """A `TpmTransport` to a chip of this process."""

    chip: Chip

    def transmit(self, command: bytes) -> bytes:
        return self.chip.execute(command)


@dataclass(slots=True)
class _Tapped:
    """KMS, with somebody who keeps what it answers: the network is the attacker's."""

    kms: AttestedKms
    replies: list[CmsBytes] = field(default_factory=list)

    def decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes
    ) -> CmsBytes:
        """Pass on, and keep the answer."""
        reply = self.kms.decrypt(wrapped_key, key_arn=key_arn, context=context, recipient=recipient)
        self.replies.append(reply)
        return reply


@dataclass(frozen=True, slots=True)
class _Scene:
    """An instance with the attacker's key in its NV memory, and a line to KMS that he listens to."""

    connection: Connection
    chip: Chip
    tapped: _Tapped
    attacker: RecipientKey
    public: NvPublic


def _scene(arena: Arena) -> _Scene:
    chip = arena.twin.launch(arena.target.image, account=CUSTOMER, role=ROLE).tpm()
    connection, attacker = Connection(_Wire(chip)), RecipientKey.generate()
    public = NvPublic(_INDEX, Alg.SHA512, int(_ATTRIBUTES), b"", len(attacker.public_key))
    connection.run(nv_define_space(public, b""), EMPTY_PASSWORD)
    connection.run(nv_write(_entity(public), attacker.public_key, 0), EMPTY_PASSWORD)
    written = replace(public, attributes=public.attributes | NvAttributes.WRITTEN)
    return _Scene(connection, chip, _Tapped(arena.vendor.kms()), attacker, written)


def _entity(public: NvPublic) -> Entity:
    return Entity(public.index, nv_name(public), b"")


def _play(arena: Arena) -> Ending:
    scene, safe = _scene(arena), arena.safe()
    asked = arena.vendor.ask(safe, NitroTpm(_Wire(scene.chip)), scene.tapped)
    if asked.secret != arena.canary.text:
        return NotPlayed(f"the agent's own way was refused: {asked.refused_by}")
    try:
        scene.attacker.unwrap(scene.tapped.replies[-1])
    except NotAuthentic as error:
        return Stopped(OWN_KEY, f"the agent reads the secret; the attacker's key opens nothing ({error.code})")
    return Reached("KMS answered to the attacker's key")


def _play_without(arena: Arena) -> Ending:
    scene, safe = _scene(arena), arena.safe()
    document = NitroTpm(_Wire(scene.chip)).attest(public_key=_kept_key(scene))
    header = parse_bundle(safe.bundle).header.claimed
    wrap, context = header.wraps[0], header.subject.context()
    scene.tapped.decrypt(wrap.data_key, key_arn=wrap.key.arn, context=context, recipient=document)
    data_key = scene.attacker.unwrap(scene.tapped.replies[-1])
    return _opened_by_attacker(arena, safe, data_key)


def _kept_key(scene: _Scene) -> SpkiDer:
    """Return the key that an agent finds in NV memory."""
    command = nv_read(_entity(scene.public), scene.public.size_bytes, 0)
    parameters = scene.connection.run(command, EMPTY_PASSWORD).parameters
    return SpkiDer(read_answer(command, parameters, lambda reader: reader.sized("data")))


def _opened_by_attacker(arena: Arena, safe: Safe, data_key: bytes) -> Ending:
    secret = arena.vendor.open_with(safe, data_key)
    if secret == arena.canary.text:
        return Reached(f"KMS answers to the key in NV memory; the attacker unwraps the data key and reads {secret}")
    return NotPlayed("the data key opened something else")


ROWS = (
    Row(
        name="hostile-nv",
        attack="B16",
        title="NV memory of the TPM as another system left it",
        guards=(OWN_KEY,),
        removed="an agent that keeps its recipient key in NV memory",
        play=_play,
        play_without=_play_without,
    ),
)
