# SPDX-License-Identifier: Apache-2.0
"""The TPM that commands use. Only here is TPM_DEVICE read, which AWS's `nitro-tpm-attest` knows too."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from strongroom.tpm.device import TpmDevice, open_tpm

_VARIABLE = "TPM_DEVICE"


def this_tpm() -> AbstractContextManager[TpmDevice]:
    """Return the TPM of this machine, to be opened for a block. Raises TpmFault and LocalFault as `open_tpm`."""
    named = os.environ.get(_VARIABLE)
    return open_tpm(Path(named) if named else None)
