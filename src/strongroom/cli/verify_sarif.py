# SPDX-License-Identifier: Apache-2.0
"""The SARIF log of `strongroom verify`: one on stdout, whatever is found, with the exit code it would have without.

What is wrong with the document is a result: malformed, not authentic, not trusted. What keeps the command from looking
at it (a weak policy, an unreadable file) is a failed run without results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from strongroom.cli.finding_texts import MALFORMED, NOT_AUTHENTIC, TEXTS
from strongroom.cli.sarif import SarifResult, SarifRun, artifact_uri
from strongroom.cli.sarif_output import error_finding, print_sarif, working_folder
from strongroom.cli.verify_output import Judgement, document_facts
from strongroom.errors import Finding, FormatError, NotAuthentic, NotTrusted, Severity, StrongroomError

Question = TypeVar("Question")


def emit_sarif(document: Path, ask: Callable[[], Question], judge: Callable[[Path, Question], Judgement]) -> int:
    """Print the log of `judge(document, ask())`, or of what either raises. Return the exit code."""
    about = SarifRun("verify", version("strongroom"), artifact_uri(document, base=working_folder()), exit_code=0)
    try:
        question = ask()
        try:
            run = _judged(about, judge(document, question))
        except (FormatError, NotAuthentic, NotTrusted) as error:
            run = _refused(about, error)
    except StrongroomError as error:
        run = replace(about, exit_code=error.exit_code, failure=error_finding(error))
    return print_sarif(run)


def _judged(about: SarifRun, judgement: Judgement) -> SarifRun:
    told = (*judgement.findings, *judgement.flags)
    verdict = "not-trusted" if judgement.findings else judgement.verdict
    return replace(
        about,
        exit_code=NotTrusted.exit_code if judgement.findings else 0,
        results=tuple(SarifResult(each, TEXTS[each.code]) for each in told if not _of_the_run(each)),
        notices=tuple(each for each in told if _of_the_run(each)),
        properties={"verdict": verdict, **document_facts(judgement.evidence), **judgement.presented.facts},
    )


def _of_the_run(finding: Finding) -> bool:
    """Tell notes on how the command looked from what is to be said of the document."""
    return finding.severity is Severity.NOTE and finding.code.startswith("verify.")


def _refused(about: SarifRun, error: FormatError | NotAuthentic | NotTrusted) -> SarifRun:
    if isinstance(error, FormatError):
        verdict, result = "malformed", SarifResult(error_finding(error), MALFORMED, error.offset)
    elif isinstance(error, NotAuthentic):
        verdict, result = "not-authentic", SarifResult(error_finding(error), NOT_AUTHENTIC)
    else:
        verdict, result = "not-trusted", SarifResult(error_finding(error), TEXTS[error.code])
    return replace(about, exit_code=error.exit_code, results=(result,), properties={"verdict": verdict})
