# SPDX-License-Identifier: Apache-2.0
"""Ship software into AWS accounts you do not control, and keep its secrets there.

The names below are the library; everything else may change between versions. `strongroom.errors` has the errors.
"""

from strongroom.appraisal.appraise import NOBODY_CHALLENGED, AttestationResult, appraise
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, VerifiedEvidence, verify_evidence
from strongroom.appraisal.policy import MeasurementsPolicy
from strongroom.errors import StrongroomError
from strongroom.flows.open import open_bundle
from strongroom.flows.seal import seal
from strongroom.flows.verify import verify_document
from strongroom.formats.measurements import Measurements, parse_measurements
from strongroom.keypolicy.evaluate import evaluate as evaluate_policy
from strongroom.measure.predict import measure_image

__all__ = [
    "AT_DOCUMENT_TIME",
    "NOBODY_CHALLENGED",
    "AttestationResult",
    "Measurements",
    "MeasurementsPolicy",
    "NitroRoots",
    "StrongroomError",
    "VerifiedEvidence",
    "appraise",
    "evaluate_policy",
    "measure_image",
    "open_bundle",
    "parse_measurements",
    "seal",
    "verify_document",
    "verify_evidence",
]
