# SPDX-License-Identifier: Apache-2.0
"""What a TPM says about itself, signed: the part that all attestations share (Part 1, section 31; Part 3, 18)."""

from __future__ import annotations

from dataclasses import replace

from strongroom.crypto.tpm import digest, kdf_a
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import Attest, AttestType, ClockInfo
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.schemes import Scheme
from strongroom.formats.tpm.wire import sized, u16, u32
from strongroom.twin.nitrotpm.crypto.signing import sign
from strongroom.twin.nitrotpm.profile import CONTEXT_HASH
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

_TRUSTED = frozenset({Rh.ENDORSEMENT, Rh.PLATFORM})
"""Keys of these hierarchies tell resets and firmware as they are. Others cannot be used to tell which TPM it is."""


def statement(
    chip: Chip, key: TpmObject | None, scheme: Scheme, *, kind: AttestType, extra_data: bytes, attested: bytes
) -> bytes:
    """Return TPM2B_ATTEST and TPMT_SIGNATURE, as responses have them. No key: no signature. Raises Refused."""
    name = key.qualified_name if key is not None else u32(Rh.NULL)
    clock, firmware = chip.clock_info(), chip.profile.firmware_version
    if key is None or key.hierarchy not in _TRUSTED:
        clock, firmware = _obfuscated(chip, name, clock, firmware)
    said = Attest(kind, name, extra_data, clock, firmware, attested).encode()
    if key is None:
        return sized(said) + u16(Alg.NULL)
    signature = sign(chip, key, scheme, digest(scheme.hash, said)).encode()
    chip.void_shutdown()  # what was said of Clock must not be said again after a loss of power
    return sized(said) + signature


def _obfuscated(chip: Chip, name: bytes, clock: ClockInfo, firmware: int) -> tuple[ClockInfo, int]:
    """Add what only the owner's proof tells, another for each key (Part 1, section 36.7)."""
    made = kdf_a(CONTEXT_HASH, chip.permanent.owner.proof, "OBFUSCATE", u=name, bits=128)
    on_firmware, on_resets, on_restarts = (int.from_bytes(part) for part in (made[:8], made[8:12], made[12:]))
    hidden = replace(
        clock,
        reset_count=(clock.reset_count + on_resets) % (1 << 32),
        restart_count=(clock.restart_count + on_restarts) % (1 << 32),
    )
    return hidden, (firmware + on_firmware) % (1 << 64)
