# SPDX-License-Identifier: Apache-2.0
"""What `strongroom key lint` says, as text or as one JSON object (as SARIF: key_lint_sarif.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import emit, print_line
from strongroom.cli.terminal import printable
from strongroom.errors import Finding, Severity
from strongroom.formats.json_places import Span, find_spans
from strongroom.formats.tree import Path as TreePath
from strongroom.keypolicy.lint.linter import LintQuestion
from strongroom.keypolicy.lint.rule import LintFinding

FOUND = 1
"""Exit code: it ran, and there is something to put right."""
_OPENS = ("lint.opens", "lint.undecided")


@dataclass(frozen=True)
class Report:
    """What was found in the policy called `name`.

    `files` are the files of the key policy and of the identity policies: None where lines say nothing.
    """

    name: str
    findings: tuple[LintFinding, ...]
    question: LintQuestion
    files: tuple[Path | None, ...]
    notices: tuple[Finding, ...] = ()

    def exit_code(self, accepted: Collection[str]) -> int:
        """Return 1 for an error or a warning that nobody accepts, else 0."""
        return FOUND if any(is_counted(each, accepted) for each in self.findings) else 0

    def span(self, finding: LintFinding) -> Span | None:
        """Return the lines of a finding, where its policy is a file as it stands."""
        if self.files[finding.policy] is None or not finding.fault.path:
            return None
        return self._spans[finding.policy].get(finding.fault.path)

    @cached_property
    def _spans(self) -> tuple[Mapping[TreePath, Span], ...]:
        return tuple(map(find_spans, (self.question.key_policy, *self.question.identity_policies)))

    @property
    def answer(self) -> str:
        """Return in words what was proved, or nothing where it was not."""
        if any(each.rule.code in _OPENS for each in self.findings):
            return ""
        document = "one of the given documents" if self.question.allowed else "a document of a NitroTPM"
        spared = any(each.rule.code == "lint.opens-by-role" for each in self.findings)
        but = ", but those of the roles below" if spared else ""
        grants = "; its grants were not looked at" if self.question.grants is None else ""
        return f"without {document} no request opens the key{but}{grants}"


def is_counted(finding: LintFinding, accepted: Collection[str]) -> bool:
    """Tell whether a finding makes the command answer no."""
    return finding.rule.severity is not Severity.NOTE and finding.rule.code not in accepted


def emit_report(report: Report, accepted: Collection[str], *, as_json: bool) -> None:
    """Print a report as text or JSON."""
    counts = Counter(each.rule.severity for each in report.findings)
    said = {
        "policy": report.name,
        "clean": report.exit_code(accepted) == 0,
        "proved": report.answer,
        **{f"{severity}s": counts[severity] for severity in Severity},
        "findings": [_members(report, each, accepted) for each in report.findings],
        "notices": [finding_members(notice) for notice in report.notices],
    }

    def human(console: Console) -> None:
        for line in _lines(report, counts, accepted):
            print_line(console, line)

    emit(said, as_json=as_json, human=human)


def _members(report: Report, finding: LintFinding, accepted: Collection[str]) -> dict[str, object]:
    file, span = report.files[finding.policy], report.span(finding)
    return {
        "rule": finding.rule.code,
        "severity": finding.rule.severity.value,
        "message": finding.fault.message,
        "statement": finding.fault.statement,
        "file": None if file is None else str(file),
        "pointer": finding.pointer,
        "line": None if span is None else span.line,
        "column": None if span is None else span.column,
        "fix": finding.rule.fix,
        "attacks": list(finding.rule.attacks),
        "accepted": finding.rule.code in accepted,
    }


def _lines(report: Report, counts: Mapping[Severity, int], accepted: Collection[str]) -> Iterator[str]:
    told = ", ".join(_counted(counts[severity], severity.value) for severity in Severity if counts[severity])
    yield f"{printable(report.name)}: {told or 'nothing found'}"
    if report.answer:
        yield f"  proved: {report.answer}"
    fixed: set[str] = set()
    for finding in report.findings:
        yield from _finding_lines(report, finding, accepted)
        if finding.rule.code not in fixed:
            yield f"      {finding.rule.fix}"
        fixed.add(finding.rule.code)
    yield from flag_lines(report.notices)


def _finding_lines(report: Report, finding: LintFinding, accepted: Collection[str]) -> Iterator[str]:
    rule, span = finding.rule, report.span(finding)
    known = " (accepted)" if rule.code in accepted else ""
    yield f"  {rule.severity} {rule.code}: {printable(finding.fault.message)}{known}"
    file = report.files[finding.policy]
    where = f"{file}:{span.line}:{span.column} " if span is not None else ""
    if finding.pointer:
        yield f"      {printable(f'{where}{finding.pointer}')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
