# SPDX-License-Identifier: Apache-2.0
"""Verify and appraise a document in one call, for those who hold measurements and sent a nonce."""

from __future__ import annotations

from datetime import datetime, timedelta

from strongroom.appraisal.appraise import MAX_AGE, UnsafeNoNonce, appraise
from strongroom.appraisal.deny_list import NOTHING_DENIED
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import VerifiedEvidence, verify_evidence
from strongroom.appraisal.policy import AppraisalPolicy
from strongroom.formats.deny_list import DenyList
from strongroom.formats.measurements import Measurements
from strongroom.ids import EvidenceBytes, Nonce


def verify_document(
    document: bytes,
    *,
    measurements: Measurements,
    nonce: bytes | UnsafeNoNonce,
    now: datetime,
    roots: NitroRoots | None = None,
    deny_list: DenyList = NOTHING_DENIED,
    max_age: timedelta = MAX_AGE,
) -> VerifiedEvidence:
    """Return what a NitroTPM document says, once it is authentic, fresh, and from a machine with these measurements.

    `now` needs a zone. `roots` are AWS's unless others are given; nothing is denied unless a `deny_list` names it.
    Raises FormatError for malformed bytes, NotAuthentic for a forged or denied document or one whose certificates have
    ended, NotTrusted, with every finding, for the rest.
    """
    evidence = verify_evidence(EvidenceBytes(document), roots=roots or NitroRoots.aws(), at=now, deny_list=deny_list)
    policy = AppraisalPolicy.of_images(measurements)
    expected = nonce if isinstance(nonce, UnsafeNoNonce) else Nonce(nonce)
    return appraise(evidence, policy, nonce=expected, now=now, max_age=max_age).require()
