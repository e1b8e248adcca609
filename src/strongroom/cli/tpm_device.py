# SPDX-License-Identifier: Apache-2.0
"""The TPM that commands use. Only here is TPM_DEVICE read, which AWS's `nitro-tpm-attest` knows too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.errors import LocalFault, TpmFault
from strongroom.tpm.device import TpmDevice, open_tpm

_VARIABLE = "TPM_DEVICE"
_ABOUT_THE_PATH = frozenset({"tpm.absent", "tpm.not-a-device", "tpm.permission", "tpm.unopenable", "tpm.device"})


@contextmanager
def this_tpm() -> Iterator[TpmDevice]:
    """Open the TPM of this machine for a block. Raises TpmFault and LocalFault as `open_tpm`.

    SIGTERM interrupts the block as Ctrl-C does: what was put into the TPM is taken away before the program ends.
    """
    named = os.environ.get(_VARIABLE)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with open_tpm(Path(named) if named else None) as tpm:
            yield tpm
    except (TpmFault, LocalFault) as fault:
        if named and fault.code in _ABOUT_THE_PATH:
            fault.add_note(f"The variable {_VARIABLE} names it.")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
