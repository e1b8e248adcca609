# SPDX-License-Identifier: Apache-2.0
"""What `strongroom verify` says of a document, as text or as one JSON object (as SARIF: verify_sarif.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rich.console import Console

from strongroom.appraisal.appraise import AttestationResult
from strongroom.appraisal.evidence import VerifiedEnclaveEvidence, VerifiedEvidence
from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import emit
from strongroom.cli.pcr_output import hex_member, pcr_members
from strongroom.cli.terminal import printable
from strongroom.cli.verify_console import Presented
from strongroom.cli.verify_trust import root_facts, root_line
from strongroom.errors import Finding

Evidence: TypeAlias = VerifiedEvidence | VerifiedEnclaveEvidence
Result: TypeAlias = AttestationResult[VerifiedEvidence] | AttestationResult[VerifiedEnclaveEvidence]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of an authentic document. `verdict` is the word for it, if the result holds no finding."""

    evidence: Evidence
    presented: Presented
    """Where the evidence was found."""
    verdict: str
    result: Result | None
    """None: nothing was compared."""
    notices: tuple[Finding, ...]
    """What the reader should know of how it was judged."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every reason to refuse."""
        return self.result.findings if self.result else ()

    @property
    def matched(self) -> tuple[str, ...]:
        """The names of the alternatives that fit."""
        return self.result.matched if self.result else ()

    @property
    def flags(self) -> tuple[Finding, ...]:
        """Everything else that the reader should know."""
        return (*self.notices, *(self.result.flags if self.result else ()))


def emit_judgement(judgement: Judgement, *, as_json: bool) -> None:
    """Print a judgement as text or JSON. Raises NotTrusted for one with findings."""
    if judgement.result is not None:
        judgement.result.require()
    evidence = judgement.evidence

    def human(console: Console) -> None:
        word = judgement.verdict.upper().replace("-", " ")
        console.print(f"{word}: {evidence.module_id} in {evidence.region}", markup=False)
        console.print(f"  made at {evidence.timestamp:%Y-%m-%d %H:%M:%S.%f} UTC", markup=False)
        console.print(f"  its certificates end at {evidence.certificate_expires:%Y-%m-%d %H:%M:%S} UTC", markup=False)
        for line in (root_line(evidence), *judgement.presented.lines, *_fits(judgement.matched)):
            console.print(f"  {line}", markup=False)
        for line in flag_lines(judgement.flags):
            console.print(line, markup=False)

    said = {
        "verdict": judgement.verdict,
        **document_facts(evidence),
        **judgement.presented.facts,
        "matched": list(judgement.matched),
        "findings": [finding_members(finding) for finding in judgement.findings],
        "flags": [finding_members(flag) for flag in judgement.flags],
        "notices": list(dict.fromkeys(flag.message for flag in judgement.flags)),
    }
    emit(said, as_json=as_json, human=human)


def _fits(matched: tuple[str, ...]) -> tuple[str, ...]:
    return (f"fits: {'; '.join(map(printable, matched))}",) if matched else ()


def document_facts(evidence: Evidence) -> dict[str, object]:
    """Return what an authentic document says, for programs. The keys are stable."""
    return {
        "module_id": evidence.module_id,
        "instance_id": evidence.instance_id,
        "region": evidence.region,
        "timestamp": evidence.timestamp.isoformat(),
        "certificate_expires": evidence.certificate_expires.isoformat(),
        "digest": evidence.digest.hex(),
        "pcrs": pcr_members(evidence.pcrs),
        "public_key": hex_member(evidence.public_key),
        "user_data": hex_member(evidence.user_data),
        "nonce": hex_member(evidence.nonce),
        **root_facts(evidence),
    }
