# SPDX-License-Identifier: Apache-2.0
"""How commands say what an image can do to the account that runs it: as questions with answers, or as JSON."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from strongroom.cli.output import emit, print_line
from strongroom.imaging.host_report.fact import QUESTIONS, Basis, Fact, Topic
from strongroom.imaging.host_report.report import CANNOT_KNOW, HostReport

_MARKS = {Basis.STATED: "", Basis.POSSIBLE: "possible: ", Basis.RULED_OUT: "ruled out: "}


def emit_host_report(image: Path, report: HostReport, *, as_json: bool) -> None:
    """Print a report: as one JSON object with stable keys, or as questions with their answers."""
    emit(
        {"image": str(image), **host_report_members(report)},
        as_json=as_json,
        human=lambda console: _print(console, image, report),
    )


def host_report_members(report: HostReport) -> dict[str, object]:
    """Return a report as `--json` prints it, and as a release carries it; its keys are stable."""
    return {
        "host_report": {topic.value: [_members(fact) for fact in report.about(topic)] for topic in Topic},
        "unread": list(report.unread),
        "cannot_know": list(CANNOT_KNOW),
    }


def _members(fact: Fact) -> dict[str, object]:
    return {"basis": fact.basis.value, "text": fact.text, "path": fact.path or None, "line": fact.line}


def _print(console: Console, image: Path, report: HostReport) -> None:
    print_line(console, f"What {image} can do to the account that runs it, as its files say.")
    console.print("Not marked: stated by a file that is used at boot. Possible: it is there, and may be used.")
    for topic in Topic:
        console.print(f"\n{QUESTIONS[topic]}", markup=False)
        answers = report.about(topic)
        for fact in answers:
            print_line(console, f"  {_MARKS[fact.basis]}{fact.text}{_place(fact)}")
        if not answers:
            console.print("  Nothing was found.")
    console.print("\nWhat was not there to be read:" if report.unread else "\nNothing was left unread.")
    for words in report.unread:
        print_line(console, f"  {words}")
    console.print("\nWhat no file says:")
    for words in CANNOT_KNOW:
        console.print(f"  {words}", markup=False)


def _place(fact: Fact) -> str:
    if not fact.path:
        return ""
    return f"  ({fact.path}:{fact.line})" if fact.line else f"  ({fact.path})"
