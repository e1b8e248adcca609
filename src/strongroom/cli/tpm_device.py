# SPDX-License-Identifier: Apache-2.0
"""The TPM that commands use. Only here is TPM_DEVICE read, which AWS's `nitro-tpm-attest` knows too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from strongroom.errors import LocalFault, TpmFault
from strongroom.ports import TpmTransport
from strongroom.tpm.device import TpmDevice, open_tpm

_VARIABLE = "TPM_DEVICE"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ABOUT_THE_PATH = frozenset({"tpm.absent", "tpm.not-a-device", "tpm.permission", "tpm.unopenable", "tpm.device"})


@contextmanager
def this_tpm() -> Iterator[TpmTransport]:
    """Open the TPM of this machine for a block. Raises TpmFault and LocalFault as `open_tpm`.

    Ctrl-C, SIGTERM and SIGHUP interrupt the block between two commands: what was put into the TPM is taken away
    before the program ends. A signal that the program was started to ignore (nohup) stays ignored.
    """
    with _device() as device:
        tpm = _Interruptible(device)
        heeded = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, tpm.heed) for number in heeded}
        try:
            yield tpm
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        tpm.stop_if_told()


@contextmanager
def _device() -> Iterator[TpmDevice]:
    """Open the device, and say of a fault of its path where the path comes from."""
    named = os.environ.get(_VARIABLE)
    try:
        with open_tpm(Path(named) if named else None) as device:
            yield device
    except (TpmFault, LocalFault) as fault:
        if named and fault.code in _ABOUT_THE_PATH:
            fault.add_note(f"The variable {_VARIABLE} names it.")
        raise


class _Interruptible:
    """A TPM whose answers are waited for, although a signal says to stop.

    A command that is given up may still be carried out, and nobody would know of the key, session or index that it
    made. So the first signal counts before the next command. The second counts at once: the TPM may not answer.
    """

    def __init__(self, tpm: TpmTransport) -> None:
        self._tpm = tpm
        self._is_told = False

    def heed(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal. Raises KeyboardInterrupt at the second."""
        if self._is_told:
            self.stop_if_told()
        self._is_told = True

    def transmit(self, command: bytes) -> bytes:
        """Return the response to a command. Raises KeyboardInterrupt after a signal, once, and sends nothing then."""
        self.stop_if_told()
        return self._tpm.transmit(command)

    def stop_if_told(self) -> None:
        """Raise KeyboardInterrupt where a signal came."""
        if self._is_told:
            self._is_told = False
            raise KeyboardInterrupt
