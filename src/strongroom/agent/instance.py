# SPDX-License-Identifier: Apache-2.0
"""Who we are and what time it is, from AWS's signatures alone (ATTACKS A14, K13).

`establish_instance` takes these steps; the code repeats their numbers:

 1. ask our own NitroTPM for a document with a fresh nonce
 2. verify it against the trusted Nitro roots, at its own time                         appraisal/evidence
 3. compare the nonce: the document was made now, so its time is the time
 4. compare the system clock with that time
 5. verify the instance identity document against the certificate of its region        appraisal/identity
 6. compare its instance and region with those of our own document: it is about        appraisal/identity_comparison
    this machine, not about another
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.agent.trusted import AgentTrust
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, VerifiedEvidence, verify_evidence
from strongroom.appraisal.identity import verify_identity_document
from strongroom.appraisal.identity_comparison import expect_same_instance
from strongroom.errors import NotTrusted
from strongroom.ids import AccountId, ImageId, InstanceId, Region
from strongroom.ports import Clock, EvidenceSource, IdentitySource

NONCE_BYTES = 32
MAX_CLOCK_OFFSET = timedelta(minutes=5)
"""As long as KMS accepts a document (KMS Developer Guide, "ValidationException" of attested calls)."""


@dataclass(frozen=True, slots=True)
class VerifiedInstance:
    """This instance, as AWS vouches for it. Made by `establish_instance`."""

    instance_id: InstanceId
    account: AccountId
    """The tenant is found by it: a bundle is for us when this account stands in its signed header."""
    region: Region
    image_id: ImageId
    attested_at: datetime
    """The time by the Nitro system when we asked."""
    clock_offset: timedelta
    """System clock less attested time, at most five minutes either way."""


def establish_instance(
    evidence_source: EvidenceSource,
    identity_source: IdentitySource,
    *,
    trust: AgentTrust,
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> VerifiedInstance:
    """Return who and when we are. `entropy` gives that many unpredictable bytes.

    Raises FormatError, NotAuthentic, NotTrusted, and what the two sources raise.
    """
    nonce = entropy(NONCE_BYTES)
    evidence_bytes = evidence_source.attest(nonce=nonce)  # step 1
    system_time = clock.now()
    evidence = verify_evidence(evidence_bytes, roots=trust.nitro_roots, at=AT_DOCUMENT_TIME)  # step 2
    _expect_fresh(evidence, nonce)  # step 3
    offset = system_time - evidence.timestamp
    _expect_right_clock(offset)  # step 4
    identity = verify_identity_document(  # step 5
        identity_source.identity_document(), certificates=trust.identity_certificates
    )
    expect_same_instance(identity, evidence)  # step 6
    return VerifiedInstance(
        instance_id=evidence.instance_id,
        account=identity.account_id,
        region=evidence.region,
        image_id=identity.image_id,
        attested_at=evidence.timestamp,
        clock_offset=offset,
    )


def _expect_fresh(evidence: VerifiedEvidence, nonce: bytes) -> None:
    if not hmac.compare_digest(evidence.nonce or b"", nonce):
        raise NotTrusted(
            "instance.nonce",
            "expected a document with the nonce of this request, found another: it is old, or somebody else's",
            remedy="Something stands between the agent and its TPM.",
        )


def _expect_right_clock(offset: timedelta) -> None:
    if abs(offset) > MAX_CLOCK_OFFSET:
        raise NotTrusted(
            "instance.clock",
            f"expected a system clock within {MAX_CLOCK_OFFSET} of the attested time, found it {abs(offset)} "
            f"{'ahead' if offset > timedelta() else 'behind'}",
            remedy="Set the clock from the Amazon Time Sync Service at 169.254.169.123, then start the agent again.",
        )
