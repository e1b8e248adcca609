# SPDX-License-Identifier: Apache-2.0
"""Ship software into AWS accounts you do not control, and keep its secrets there.

The names in `__all__` are the library; everything else may change between versions. `strongroom.errors` has the
errors. A name's module is imported when the name is first asked for, so that the agent loads what it uses and no more.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.appraisal.appraise import NOBODY_CHALLENGED, AttestationResult, appraise
    from strongroom.appraisal.endorsements import NitroRoots
    from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, VerifiedEvidence, verify_evidence
    from strongroom.appraisal.policy import AppraisalPolicy
    from strongroom.aws.sdk.attested_kms import attested_kms_client
    from strongroom.errors import StrongroomError
    from strongroom.flows.open import open_bundle
    from strongroom.flows.seal import seal
    from strongroom.flows.verify import verify_document
    from strongroom.formats.deny_list import parse_deny_list
    from strongroom.formats.measurements import Measurements, parse_measurements
    from strongroom.keypolicy.evaluate import evaluate as evaluate_policy
    from strongroom.measure.predict import measure_image

__all__ = [
    "AT_DOCUMENT_TIME",
    "NOBODY_CHALLENGED",
    "AppraisalPolicy",
    "AttestationResult",
    "Measurements",
    "NitroRoots",
    "StrongroomError",
    "VerifiedEvidence",
    "appraise",
    "attested_kms_client",
    "evaluate_policy",
    "measure_image",
    "open_bundle",
    "parse_deny_list",
    "parse_measurements",
    "seal",
    "verify_document",
    "verify_evidence",
]

_HOMES = {
    "AT_DOCUMENT_TIME": "appraisal.evidence:AT_DOCUMENT_TIME",
    "NOBODY_CHALLENGED": "appraisal.appraise:NOBODY_CHALLENGED",
    "AppraisalPolicy": "appraisal.policy:AppraisalPolicy",
    "AttestationResult": "appraisal.appraise:AttestationResult",
    "Measurements": "formats.measurements:Measurements",
    "NitroRoots": "appraisal.endorsements:NitroRoots",
    "StrongroomError": "errors:StrongroomError",
    "VerifiedEvidence": "appraisal.evidence:VerifiedEvidence",
    "appraise": "appraisal.appraise:appraise",
    "attested_kms_client": "aws.sdk.attested_kms:attested_kms_client",
    "evaluate_policy": "keypolicy.evaluate:evaluate",
    "measure_image": "measure.predict:measure_image",
    "open_bundle": "flows.open:open_bundle",
    "parse_deny_list": "formats.deny_list:parse_deny_list",
    "parse_measurements": "formats.measurements:parse_measurements",
    "seal": "flows.seal:seal",
    "verify_document": "flows.verify:verify_document",
    "verify_evidence": "appraisal.evidence:verify_evidence",
}
"""Where each name lives (PEP 562)."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    return getattr(importlib.import_module(f"strongroom.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
