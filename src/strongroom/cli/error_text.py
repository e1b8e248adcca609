# SPDX-License-Identifier: Apache-2.0
"""An error of ours as lines for people, and as the object that `--json` prints. `main` decides when, and exits."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.cli.findings import finding_lines, finding_members
from strongroom.cli.terminal import printable
from strongroom.errors import FormatError, KeyRefused, NotTrusted, ServiceFault, StrongroomError, TpmFault


def describe(error: StrongroomError) -> dict[str, object]:
    """Return an error as the object that `--json` prints on stdout."""
    about: dict[str, object] = {"code": error.code, "message": error.message, "remedy": error.remedy}
    if notes := getattr(error, "__notes__", None):
        about["notes"] = notes
    match error:
        case FormatError():
            about |= {"offset": error.offset, "spec": error.spec}
        case KeyRefused():
            about["statement"] = error.statement
        case ServiceFault():
            about["retryable"] = error.retryable
        case TpmFault():
            about["rc"] = error.rc
    if isinstance(error, NotTrusted):
        about["findings"] = [finding_members(finding) for finding in error.findings]
    return {"ok": False, "error": about}


def error_lines(about: str, error: StrongroomError) -> Iterator[str]:
    """Yield what was wrong with `about`, the findings, the notes and the remedy."""
    said = error.message if isinstance(error, NotTrusted) else str(error)  # its findings follow, one a line
    yield f"{about}: {printable(said)} [{error.code}]"
    if isinstance(error, NotTrusted):
        for finding in error.findings:
            yield from finding_lines(finding)
    for line in (*getattr(error, "__notes__", ()), *([error.remedy] if error.remedy else [])):
        yield f"  {printable(line)}"
