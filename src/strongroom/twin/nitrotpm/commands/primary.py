# SPDX-License-Identifier: Apache-2.0
"""Primary objects (Part 3, section 24.1): derived from the seed of a hierarchy and a template, again and again.

ECC and symmetric secrets are derived. Primes of RSA keys are found once, and remembered by seed and template: finding
them from a derivation would take seconds in Python, with the same result for whoever asks.
"""

from __future__ import annotations

from strongroom.crypto.tpm import digest, kdf_a, object_name
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.tickets import creation_ticket
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.objects.creation import Source, Wish, create, new_primes
from strongroom.twin.nitrotpm.objects.creation_data import creation_data, encode_creation
from strongroom.twin.nitrotpm.objects.templates import WISH, check_template
from strongroom.twin.nitrotpm.parameters import DATA, PCR_SELECTIONS, PUBLIC
from strongroom.twin.nitrotpm.profile import CONTEXT_HASH
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import HIERARCHY, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Hierarchy
from strongroom.twin.nitrotpm.state.objects import TpmObject, primary

MOST_REMEMBERED_KEYS = 1024
"""RSA keys whose primes are remembered for one seed, which takes 0.4 MB of the state file. None is given up for
another: the same template gives the same key for ever."""


@command(
    Cc.CREATE_PRIMARY,
    WISH,
    PUBLIC,
    DATA,
    PCR_SELECTIONS,
    handles=(HIERARCHY.authorized(),),
    traits=Trait.RETURNS_HANDLE | Trait.ENCRYPTS,
)
def create_primary(
    chip: Chip, call: Call, wish: Wish, template: PublicArea, outside: bytes, selections: tuple[PcrSelection, ...]
) -> Reply:
    """Make a primary object and load it."""
    transient.check_room(chip)
    check_template(None, template, wish)
    hierarchy = call.hierarchy(1)
    made = make_primary(chip, hierarchy, template, wish)
    data = creation_data(chip, call, made.public.name_alg, selections=selections, outside=outside)
    ticket = creation_ticket(chip, hierarchy.handle, made.name, digest(made.public.name_alg, data))
    handle = transient.add(chip, made)
    parameters = sized(made.public.encode()) + encode_creation(made.public.name_alg, data, ticket) + sized(made.name)
    return Reply(parameters, handle)


def make_primary(chip: Chip, hierarchy: Hierarchy, template: PublicArea, wish: Wish) -> TpmObject:
    """Return the primary object of a hierarchy that a checked template stands for."""
    public, sensitive = create(template, wish, _source(chip, hierarchy, object_name(template), wish.data))
    return primary(public, sensitive, hierarchy.handle)


def _source(chip: Chip, hierarchy: Hierarchy, template: bytes, data: bytes) -> Source:
    about = sized(template) + sized(data)

    def draw(purpose: str, size: int) -> bytes:
        proofs = b""
        if purpose == "SEED" and hierarchy.handle is Rh.ENDORSEMENT:
            # Clear changes these and not the seed: the same key comes back, and can no longer read its old children.
            proofs = chip.permanent.owner.proof + chip.permanent.endorsement.proof
        return kdf_a(CONTEXT_HASH, hierarchy.seed, f"PRIMARY {purpose}", u=about, v=proofs, bits=size * 8)

    return Source(draw, lambda key_bits: _remembered_primes(chip, hierarchy, about, key_bits))


def _remembered_primes(chip: Chip, hierarchy: Hierarchy, about: bytes, key_bits: int) -> tuple[bytes, bytes]:
    known = chip.permanent.primary_rsa
    under = f"{hierarchy.handle:08x}/"
    of_seed = under + kdf_a(CONTEXT_HASH, hierarchy.seed, "PRIMARY RSA", bits=128).hex() + "/"
    key = of_seed + digest(Alg.SHA256, about).hex()
    if key not in known:
        for old in [entry for entry in known if entry.startswith(under) and not entry.startswith(of_seed)]:
            del known[old]  # of a seed that is gone, and whose keys nobody can ask for again
        if sum(entry.startswith(under) for entry in known) >= MOST_REMEMBERED_KEYS:
            raise Refused(Rc.NV_SPACE)
        known[key] = b"".join(new_primes(key_bits))
        chip.changed = True
    primes = known[key]
    return primes[: len(primes) // 2], primes[len(primes) // 2 :]
