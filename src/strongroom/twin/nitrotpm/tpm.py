# SPDX-License-Identifier: Apache-2.0
"""The NitroTPM: bytes of a command in, bytes of its response out."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from strongroom.errors import LocalFault
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.frame import encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.chip import Chip, Permanent
from strongroom.twin.nitrotpm.dispatch import respond
from strongroom.twin.nitrotpm.nsm import SecurityModule
from strongroom.twin.nitrotpm.profile import DEFAULT_PROFILE, Profile


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

    `security_module` answers AWS's vendor command. Raises FormatError or LocalFault where the state in `store` cannot
    be read; a TPM that lost its state is another.
    """

    def __init__(
        self,
        store: StateStore | None = None,
        *,
        profile: Profile = DEFAULT_PROFILE,
        security_module: SecurityModule | None = None,
    ) -> None:
        self._store = store if store is not None else NoStore()
        self._lock = threading.Lock()
        self._chip = Chip(profile, self._store.load() or Permanent(), _monotonic_ms)
        if security_module is not None:
            self._chip.security_module = security_module

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return the response to a command that came from a locality, 0 to 4. Never raises for what it says.

        What a command changed for good was kept before this returns. Where that failed, the response is
        TPM_RC_NV_UNAVAILABLE, and it is tried again with the next command.
        """
        with self._lock:
            response = respond(self._chip, command, locality)
            if not self._chip.changed:
                return response
            try:
                self._store.save(self._chip.permanent)
            except LocalFault:
                return encode_response(Rc.NV_UNAVAILABLE)
            self._chip.changed = False
            return response

    def preset_pcr(self, bank: Alg, index: int, value: bytes) -> None:
        """Give a PCR the value that measurements left in it which nobody can repeat: firmware's, before any command."""
        with self._lock:
            self._chip.pcrs.values[bank, index] = value

    def cut_power(self) -> None:
        """Switch it off and on: what needs power is gone, and it waits for Startup (_TPM_Init)."""
        with self._lock:
            self._chip.cut_power()


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
