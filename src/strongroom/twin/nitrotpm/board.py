# SPDX-License-Identifier: Apache-2.0
"""The board that the TPM sits on: it has the power switch, and says which locality a command comes from."""

from __future__ import annotations

from strongroom.twin.nitrotpm.tpm import NitroTpm


class Board:
    """A TPM as transports see it. Locality is a property of the whole board, as on swtpm's control channel."""

    def __init__(self, tpm: NitroTpm) -> None:
        self._tpm = tpm
        self.locality = 0

    def execute(self, command: bytes) -> bytes:
        """Return the response to a command."""
        return self._tpm.execute(command, self.locality)

    def power_cycle(self) -> None:
        """Switch off and on; the locality is 0 again."""
        self.locality = 0
        self._tpm.cut_power()
