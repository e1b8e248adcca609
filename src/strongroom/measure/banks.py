# SPDX-License-Identifier: Apache-2.0
"""The hash function of each PCR bank, and the one thing that a TPM does with it (TPM 2.0 part 1, section 17)."""

from __future__ import annotations

import hashlib

from strongroom.errors import LocalFault
from strongroom.formats.pcrs import PcrBank

_NAMES = {PcrBank.SM3_256: "sm3"}
"""Where hashlib's name is not the TCG's in small letters."""


def bank_digest(bank: PcrBank, data: bytes) -> bytes:
    """Return the digest of `data` in a bank. Raises LocalFault where Python's OpenSSL lacks the function (SM3)."""
    try:
        digest = hashlib.new(_NAMES.get(bank, bank.lower()), data, usedforsecurity=False)  # whatever the TPM used
    except ValueError as error:
        raise LocalFault("event-log.no-hash", f"expected a Python that knows {bank}, found one without") from error
    return digest.digest()


def extend(bank: PcrBank, value: bytes, digest: bytes) -> bytes:
    """Return what a PCR holds after an extend: H(value || digest)."""
    return bank_digest(bank, value + digest)
