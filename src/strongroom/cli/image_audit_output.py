# SPDX-License-Identifier: Apache-2.0
"""What `strongroom image audit` says, as text or as one JSON object (as SARIF: image_audit_sarif.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console

from strongroom.cli.output import emit, print_line
from strongroom.cli.terminal import printable
from strongroom.errors import Severity
from strongroom.formats.audit_waivers import Waiver
from strongroom.imaging.audit.engine import AuditFinding
from strongroom.imaging.audit.report import Report
from strongroom.imaging.audit.subject import Part

FOUND = 1
"""Exit code: it ran, and there is something to put right."""


def emit_audit(report: Report, *, as_json: bool) -> None:
    """Print a report as text or JSON."""

    def human(console: Console) -> None:
        for line in _lines(report):
            print_line(console, line)

    emit(report.members(), as_json=as_json, human=human)


def _lines(report: Report) -> Iterator[str]:
    counts = report.counts
    told = ", ".join(_counted(counts[severity], severity.value) for severity in Severity if counts[severity])
    yield f"{printable(report.name)}, as {report.profile}: {told or 'nothing found'}"
    yield f"  looked at: {', '.join(report.parts) or 'nothing'}"
    yield from _not_applied_lines(report)
    told_rules: set[str] = set()
    for finding in report.findings.found:
        yield from _finding_lines(finding, known=finding.rule.code in told_rules)
        told_rules.add(finding.rule.code)
    yield from (f"  note: a waiver of {each.rule} expired on {each.expires}" for each in report.expired)
    yield from (f"  note: a waiver of {_waived(each)} covers nothing" for each in report.unused)


def _waived(waiver: Waiver) -> str:
    return printable(f"{waiver.rule} for {waiver.path}" if waiver.path else waiver.rule)


def _not_applied_lines(report: Report) -> Iterator[str]:
    missing = Counter(each.missing for each in report.findings.not_applied)
    for parts, number in missing.items():
        yield f"  not applied: {_counted(number, 'rule')} on the {' and the '.join(parts)}, which it does not have"


def _finding_lines(finding: AuditFinding, *, known: bool) -> Iterator[str]:
    """Yield a finding, and at the first one of a rule why it matters and what to do."""
    rule, fault = finding.rule, finding.fault
    yield f"  {rule.severity} {rule.code}: {printable(fault.message)}"
    line = "" if fault.line is None else f":{fault.line}"
    place = f"{fault.path}{line}" if fault.part is Part.TREE else f"{fault.part} {fault.path}{line}".strip()
    if place:
        yield f"      at: {printable(place)}"
    if finding.waiver is not None:
        yield f"      waived: {printable(finding.waiver)}"
    elif not known:
        stops = f" ({', '.join(rule.attacks)})" if rule.attacks else ""
        yield f"      why: {rule.why}{stops}"
        yield f"      fix: {rule.fix}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
