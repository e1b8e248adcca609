# SPDX-License-Identifier: Apache-2.0
"""The SARIF log of `strongroom key lint`: one on stdout, whatever is found, with the exit code it would have without.

A malformed policy is a result. What keeps the command from looking at it (an unreadable file, KMS) is a failed run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from importlib.metadata import version

from strongroom.cli.key_lint_output import Report
from strongroom.cli.key_source import KeyChoice
from strongroom.cli.sarif import RuleText, SarifResult, SarifRun, artifact_uri
from strongroom.cli.sarif_output import error_finding, print_sarif, working_folder
from strongroom.errors import Finding, FormatError, StrongroomError
from strongroom.keypolicy.lint.rule import LintFinding

_MALFORMED = RuleText(
    "The policy is malformed",
    "It is no policy that KMS takes. The message names the place; docs/formats/key-policy.md says what is read.",
)


def emit_lint_sarif(choice: KeyChoice, ask: Callable[[], Report], accepted: Collection[str]) -> int:
    """Print the log of what `ask` reports or raises. Return the exit code."""
    about = SarifRun("key lint", version("strongroom"), _uri(choice), exit_code=0)
    try:
        report = ask()
        run = _reported(about, report, accepted)
    except FormatError as error:
        result = SarifResult(error_finding(error), _MALFORMED, error.offset)
        run = replace(about, exit_code=error.exit_code, results=(result,), properties={"verdict": "malformed"})
    except StrongroomError as error:
        run = replace(about, exit_code=error.exit_code, failure=error_finding(error))
    return print_sarif(run)


def _uri(choice: KeyChoice) -> str:
    """Return the URI of what is linted: of the file, or the key's ARN, which is one; of a tenant, the project file."""
    if choice.policy_file is not None:
        return artifact_uri(choice.policy_file, base=working_folder())
    return choice.key or artifact_uri(choice.project_path, base=working_folder())


def _reported(about: SarifRun, report: Report, accepted: Collection[str]) -> SarifRun:
    code = report.exit_code(accepted)
    return replace(
        about,
        exit_code=code,
        results=tuple(_result(report, each, accepted) for each in report.findings),
        notices=report.notices,
        properties={"verdict": "findings" if code else "clean", "proved": report.answer},
    )


def _result(report: Report, finding: LintFinding, accepted: Collection[str]) -> SarifResult:
    rule, fault = finding.rule, finding.fault
    file = report.files[finding.policy]
    beside = artifact_uri(file, base=working_folder()) if finding.policy and file is not None else ""
    return SarifResult(
        Finding(rule.code, fault.message, rule.severity, part=fault.statement),
        RuleText(rule.title, rule.fix),
        uri=beside,
        span=report.span(finding),
        pointer=finding.pointer,
        # Without the number of the statement, which changes when another is added before it.
        identity="/".join(str(step) for step in fault.path if not isinstance(step, int)),
        accepted=rule.code in accepted,
    )
