# SPDX-License-Identifier: Apache-2.0
"""The NitroTPM: bytes of a command in, bytes of its response out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from strongroom.errors import LocalFault
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.frame import encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.dispatch import respond
from strongroom.twin.nitrotpm.nsm import SecurityModule
from strongroom.twin.nitrotpm.profile import DEFAULT_PROFILE, Profile
from strongroom.twin.nitrotpm.state.chip import Chip, Permanent
from strongroom.twin.nitrotpm.state.file import encode_state


class StateStore(Protocol):
    """Where the lasting state lies."""

    def load(self) -> Permanent | None:
        """Return the state, None where there is none yet. Raises FormatError and LocalFault."""

    def save(self, permanent: Permanent) -> None:
        """Keep the state: all of it or, where that fails, the one before. Raises LocalFault."""


class NoStore:
    """Keeps nothing: the TPM is as new each time."""

    def load(self) -> Permanent | None:
        """Return nothing."""
        return None

    def save(self, permanent: Permanent) -> None:
        """Do nothing."""


class NitroTpm:
    """One TPM. Any number may live in a process; each takes one command at a time.

    `security_module` answers AWS's vendor command; `monotonic_ms` is the machine's clock, which counts powered time.
    Raises FormatError or LocalFault where the state in `store` cannot be read; a TPM that lost its state is another.
    """

    def __init__(
        self,
        store: StateStore | None = None,
        *,
        profile: Profile = DEFAULT_PROFILE,
        security_module: SecurityModule | None = None,
        monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._store = store if store is not None else NoStore()
        self._lock = threading.Lock()
        self._chip = Chip(profile, self._store.load() or Permanent(), monotonic_ms)
        if security_module is not None:
            self._chip.security_module = security_module

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return the response to a command that came from a locality, 0 to 4. Never raises for what it says.

        What a command changed for good was kept before this returns. Where that failed, the response is
        TPM_RC_NV_UNAVAILABLE, and so is that to every command until the state could be kept: nobody sees what may be
        gone with the power. The command that failed to be kept was carried out all the same.
        """
        chip = self._chip
        with self._lock:
            if chip.changed and not self._keep():
                return encode_response(Rc.NV_UNAVAILABLE)
            response = respond(chip, command, locality)
            if (chip.changed or chip.clock_lags) and not self._keep():
                return encode_response(Rc.NV_UNAVAILABLE)
            return response

    def preset_pcr(self, bank: Alg, index: int, value: bytes) -> None:
        """Give a PCR the value that measurements left in it which nobody can repeat: firmware's, before any command."""
        with self._lock:
            self._chip.pcrs.values[bank, index] = value

    def pcrs(self) -> PcrDigests:
        """Return the PCRs of its SHA-384 bank as they are: none where it has no such bank."""
        with self._lock:
            values = self._chip.pcrs.values
            return PcrDigests.of({index: value for (bank, index), value in values.items() if bank == Alg.SHA384})

    def _keep(self) -> bool:
        """Save the state; say whether that went well."""
        self._chip.settle_clock()
        self._chip.changed = True
        try:
            self._store.save(self._chip.permanent)
        except LocalFault:
            return False
        self._chip.changed = False
        return True

    def cut_power(self) -> None:
        """Switch it off and on: what needs power is gone, and it waits for Startup (_TPM_Init)."""
        with self._lock:
            self._chip.cut_power()

    def kept(self) -> bytes:
        """Return what it keeps for good, as its state file holds it."""
        with self._lock:
            return encode_state(self._chip.permanent)
