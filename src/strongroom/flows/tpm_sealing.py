# SPDX-License-Identifier: Apache-2.0
"""Sealing for a boot state that means something: it has to be as strong as an appraisal policy."""

from __future__ import annotations

from strongroom.appraisal.policy import AppraisalPolicy
from strongroom.errors import Finding
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.sealed import SealedSecret
from strongroom.tpm.connection import Connection
from strongroom.tpm.sealing import seal_secret


def seal_for_boot_state(
    connection: Connection, secret: bytes, pcrs: PcrDigests, *, strength: type[AppraisalPolicy] = AppraisalPolicy
) -> tuple[SealedSecret, tuple[Finding, ...]]:
    """Seal for these PCRs, and return with it what its user should know about them.

    Raises UsageError, before the TPM is asked, for PCRs that do not hold the gate set, and for zeros in PCR 4 or 7
    (ATTACKS L6, A12). `UnsafePartialPolicy` as `strength` lets less than the gate set pass, never the zeros.
    """
    policy = strength.of({index: (digest,) for index, digest in pcrs.items()})
    return seal_secret(connection, secret, pcrs), policy.flags
