# SPDX-License-Identifier: Apache-2.0
"""The SARIF log of `strongroom image audit`: one on stdout, with the exit code that the command has without it.

A malformed image is a result. What keeps the command from looking at it (an unreadable file, a missing program) is a
failed run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from strongroom.cli.image_audit_output import FOUND
from strongroom.cli.sarif import RuleText, SarifResult, SarifRun, artifact_uri
from strongroom.cli.sarif_output import error_finding, print_sarif, working_folder
from strongroom.errors import Finding, FormatError, StrongroomError
from strongroom.imaging.audit.engine import AuditFinding
from strongroom.imaging.audit.report import Report
from strongroom.imaging.audit.subject import Part

_MALFORMED = RuleText(
    "The image is malformed",
    "It is no image, or broken as a whole. The message names the place; docs/image-audit.md says what is read.",
)


def emit_audit_sarif(image: Path, ask: Callable[[], Report]) -> int:
    """Print the log of what `ask` reports or raises. Return the exit code."""
    uri = artifact_uri(image, base=working_folder())
    about = SarifRun("image audit", version("strongroom"), uri, exit_code=0)
    try:
        run = _reported(about, ask())
    except FormatError as error:
        result = SarifResult(error_finding(error), _MALFORMED, error.offset)
        run = replace(about, exit_code=error.exit_code, results=(result,), properties={"verdict": "malformed"})
    except StrongroomError as error:
        run = replace(about, exit_code=error.exit_code, failure=error_finding(error))
    return print_sarif(run)


def _reported(about: SarifRun, report: Report) -> SarifRun:
    code = 0 if report.passed else FOUND
    return replace(
        about,
        exit_code=code,
        results=tuple(map(_result, report.findings.found)),
        properties={"verdict": "findings" if code else "clean", "profile": report.profile.value},
    )


def _result(finding: AuditFinding) -> SarifResult:
    """Return a finding as a result about the image: a path inside of it is a logical location."""
    rule, fault = finding.rule, finding.fault
    place = fault.path if fault.part is Part.TREE else f"{fault.part}:{fault.path}"
    return SarifResult(
        Finding(rule.code, fault.message, rule.severity, part=place),
        RuleText(rule.title, f"{rule.why} {rule.fix}"),
        pointer=place if fault.line is None else f"{place}:{fault.line}",
        identity=place,
        accepted=finding.waiver is not None,
    )
