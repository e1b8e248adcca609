# SPDX-License-Identifier: Apache-2.0
"""What the TPM remembers: for good, until the next reset, and while it has power."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import ClockInfo
from strongroom.formats.tpm.handles import Rh
from strongroom.twin.nitrotpm.nsm import AbsentModule, SecurityModule
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.state.entities import Hierarchy, NvIndex
from strongroom.twin.nitrotpm.state.lockout import Lockout
from strongroom.twin.nitrotpm.state.objects import Loaded, Sequence, TpmObject
from strongroom.twin.nitrotpm.state.pcrs import ALL_PCRS, PcrStore
from strongroom.twin.nitrotpm.state.powered_time import UPDATE_MS, PoweredTime
from strongroom.twin.nitrotpm.state.sessions import Session

SEED_BYTES = 64
PROOF_BYTES = 64
CONTEXT_KEY_BYTES = 32


def new_hierarchy(handle: Rh) -> Hierarchy:
    """Return a hierarchy with fresh secrets, and no authorization value."""
    return Hierarchy(handle, secrets.token_bytes(SEED_BYTES), secrets.token_bytes(PROOF_BYTES))


@dataclass(slots=True)
class ResetState:
    """What lives from one TPM Reset to the next: it survives Shutdown(STATE), and nothing else (Part 1, section 12.2).

    Saved contexts are under `context_key`, so they die with it.
    """

    null: Hierarchy = field(default_factory=lambda: new_hierarchy(Rh.NULL))
    context_key: bytes = field(default_factory=lambda: secrets.token_bytes(CONTEXT_KEY_BYTES), repr=False)
    context_sequence: int = 0
    saved_sessions: dict[int, int] = field(default_factory=dict)
    """By handle: the sequence number of the one context that may be loaded."""
    restart_count: int = 0
    clear_count: int = 0


@dataclass(slots=True)
class OrderlyState:
    """What Shutdown(STATE) keeps for the next Startup."""

    reset: ResetState
    pcrs: dict[tuple[Alg, int], bytes]
    pcr_counter: int
    platform: Hierarchy
    owner_enabled: bool
    endorsement_enabled: bool
    platform_nv_enabled: bool
    startup_locality: int


@dataclass(slots=True)
class Permanent:
    """What survives the loss of power."""

    owner: Hierarchy = field(default_factory=lambda: new_hierarchy(Rh.OWNER))
    endorsement: Hierarchy = field(default_factory=lambda: new_hierarchy(Rh.ENDORSEMENT))
    platform: Hierarchy = field(default_factory=lambda: new_hierarchy(Rh.PLATFORM))
    """Its seed and proof last; its authorization value and policy are empty after each start."""
    lockout_authority: Hierarchy = field(default_factory=lambda: Hierarchy(Rh.LOCKOUT))
    lockout: Lockout = field(default_factory=Lockout)
    nv: dict[int, NvIndex] = field(default_factory=dict)
    objects: dict[int, TpmObject] = field(default_factory=dict)
    primary_rsa: dict[str, bytes] = field(default_factory=dict)
    """Primes of primary RSA keys by seed and template: the same template has to give the same key for ever."""
    clear_disabled: bool = False
    reset_count: int = 0
    clock_ms: int = 0
    """Powered time, as of when it was last kept."""
    clock_unsafe_until_ms: int = 0
    """Below this, Clock may say what it said before power was lost without a shutdown (Part 1, section 36.3.2)."""
    max_count: int = 0
    """The most that a counter reached which is gone: none begins below (Part 3, section 31.8)."""
    banks: dict[Alg, int] | None = None
    """The PCRs of each bank, as PCR_Allocate wants them; None as they left the factory."""
    shutdown_ms: int | None = 0
    """Time at the Shutdown that nothing voided since; None where a loss of power would come as a surprise."""
    orderly: OrderlyState | None = None
    """What Shutdown(STATE) kept."""
    guesses_taken: bool = False
    """Whether an authorization that counts for the lockout was tried since power came."""


@dataclass(slots=True)
class Volatile:
    """What is gone without power."""

    pcrs: PcrStore
    reset: ResetState = field(default_factory=ResetState)
    started: bool = False
    objects: dict[int, Loaded] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)
    private_keys: dict[bytes, RSAPrivateKey | EllipticCurvePrivateKey] = field(default_factory=dict, repr=False)
    """Private keys as `cryptography` has them (`keys` keeps them): building one costs ten times what using it does."""
    saved_sequences: dict[int, Sequence] = field(default_factory=dict)
    """Sequences that were saved, by the number of their context."""
    platform_nv_enabled: bool = True
    boot: int = field(default_factory=lambda: secrets.randbits(63))
    """Tells one time with power from any other, of any process: a policy's end counts in the one that it was set in."""
    was_orderly: bool = True
    """Whether a Shutdown came before the last start."""
    startup_locality: int = 0
    reallocated: bool = False
    """Whether the banks of PCRs will be others after the next start."""


class Chip:
    """All of it, and the clock. A command function changes it; `changed` says that the lasting part has to be kept."""

    def __init__(self, profile: Profile, permanent: Permanent, monotonic_ms: Callable[[], int]) -> None:
        self.profile = profile
        self.permanent = permanent
        self.volatile = self._without_power()
        self.changed = False
        self.security_module: SecurityModule = AbsentModule()
        self.time = PoweredTime(monotonic_ms)
        self._settled_at_ms = 0
        """The time when `permanent.clock_ms` was Clock."""

    @property
    def hierarchies(self) -> Mapping[int, Hierarchy]:
        """Every permanent entity by its handle."""
        permanent = self.permanent
        return {
            Rh.OWNER: permanent.owner,
            Rh.ENDORSEMENT: permanent.endorsement,
            Rh.PLATFORM: permanent.platform,
            Rh.NULL: self.volatile.reset.null,
            Rh.LOCKOUT: permanent.lockout_authority,
        }

    @property
    def pcrs(self) -> PcrStore:
        """The PCRs."""
        return self.volatile.pcrs

    @property
    def next_banks(self) -> Mapping[Alg, int]:
        """The PCRs of each bank after the next start, as bits: what PCR_Allocate set, or as they left the factory."""
        return self.permanent.banks or dict.fromkeys(self.profile.banks, ALL_PCRS)

    def time_ms(self) -> int:
        """Milliseconds since power came (TPMS_TIME_INFO.time)."""
        return self.time.now_ms()

    def clock_ms(self) -> int:
        """Milliseconds of powered time in this TPM's life (TPMS_CLOCK_INFO.clock)."""
        return self.permanent.clock_ms + self.time_ms() - self._settled_at_ms

    def clock_info(self) -> ClockInfo:
        """Return what attestations say about time (TPMS_CLOCK_INFO), as it is: not obfuscated for any key."""
        clock_ms, permanent = self.clock_ms(), self.permanent
        safe = clock_ms >= permanent.clock_unsafe_until_ms
        return ClockInfo(clock_ms, permanent.reset_count, self.volatile.reset.restart_count, safe)

    def set_clock(self, clock_ms: int) -> None:
        """Move the clock forward."""
        self.permanent.clock_ms, self._settled_at_ms = clock_ms, self.time_ms()
        self.permanent.clock_unsafe_until_ms = 0
        self.changed = True

    def settle_clock(self) -> None:
        """Bring what is kept of Clock up to date: whoever saves the permanent part does this first."""
        self.permanent.clock_ms, self._settled_at_ms = self.clock_ms(), self.time_ms()

    @property
    def clock_lags(self) -> bool:
        """Whether Clock ran ahead of what is kept of it as far as it may."""
        return self.time_ms() - self._settled_at_ms >= UPDATE_MS

    def cut_power(self) -> None:
        """Lose what needs power. What a computer does when it is switched off and on (_TPM_Init)."""
        self.settle_clock()
        self.time.restart()
        self._settled_at_ms = 0
        self.volatile = self._without_power()

    def void_shutdown(self) -> None:
        """Take back what Shutdown said: something happened since that only lasts as long as power does."""
        if self.permanent.shutdown_ms is not None:
            self.permanent.shutdown_ms = self.permanent.orderly = None
            self.changed = True

    def _without_power(self) -> Volatile:
        return Volatile(PcrStore(self.next_banks))
