# SPDX-License-Identifier: Apache-2.0
"""How commands show findings: as lines of text, and as objects with stable keys for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from strongroom.cli.terminal import printable
from strongroom.errors import Finding, Severity


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield a finding as lines, without their ends: what it is, who wants it so, the PCR in words."""
    kind = "" if finding.severity is Severity.ERROR else f"{finding.severity} "
    yield f"  {kind}{finding.code}: {printable(finding.message)}"
    if finding.part:
        yield f"      from: {printable(finding.part)}"
    if finding.pcr is not None and finding.meaning:
        yield f"      PCR{finding.pcr} is {printable(finding.meaning)}"


def finding_members(finding: Finding) -> dict[str, object]:
    """Return a finding as the object that `--json` prints. Every key is always there."""
    return {
        "code": finding.code,
        "message": finding.message,
        "severity": finding.severity.value,
        "pcr": finding.pcr,
        "part": finding.part,
        "expected": list(finding.expected),
        "found": finding.found,
        "meaning": finding.meaning,
    }


def flag_lines(flags: Iterable[Finding]) -> Iterator[str]:
    """Yield what the reader of a good verdict should know, each sentence once; warnings are written large."""
    for flag in dict.fromkeys((flag.severity, flag.code, flag.message) for flag in flags):
        severity, code, message = flag
        lead = "note" if severity is Severity.NOTE else f"{severity.upper()} {code}"
        yield f"  {lead}: {printable(message)}"
