# SPDX-License-Identifier: Apache-2.0
"""What the agent says on the console, where nobody can log in: a receipt at boot, a line for each failure.

Both are for programs (docs/formats/console.md). Neither holds a secret: a receipt is a document that KMS cannot use, a
failure has room for a code, its remedy and PCRs (ATTACKS B13).
"""

from __future__ import annotations

import os
from pathlib import Path

from strongroom.crypto.public_keys import key_of_nobody
from strongroom.errors import LocalFault, StrongroomError
from strongroom.formats.console import encode_failure, encode_receipt
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.pcrs import PcrDigests
from strongroom.ports import EvidenceSource

_OPEN = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC


def print_receipt(console: Path, evidence_source: EvidenceSource) -> None:
    """Print a receipt of this boot. Raises what the source raises, FormatError, and LocalFault for the console."""
    _print(console, encode_receipt(evidence_source.attest(public_key=key_of_nobody())))


def print_failure(console: Path, error: StrongroomError, pcrs: PcrDigests) -> None:
    """Print one failure. Raises LocalFault for the console."""
    _print(console, encode_failure(ConsoleFailure.of(error, pcrs)))


def _print(console: Path, lines: bytes) -> None:
    """Write each line in one piece: others write to the console, too."""
    try:
        descriptor = os.open(console, _OPEN)
        try:
            for line in lines.splitlines(keepends=True):
                written = os.write(descriptor, line)
                if written != len(line):
                    raise OSError(0, f"it took {written} of {len(line)} bytes")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LocalFault(
            "agent.console",
            f"cannot write to the console {console}: {error.strerror}",
            remedy="Boot with a console, such as console=ttyS0: EC2 keeps what is printed there.",
        ) from error
