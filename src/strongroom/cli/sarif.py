# SPDX-License-Identifier: Apache-2.0
"""SARIF 2.1.0 (OASIS Standard with Errata 01): findings of a command as one log that other tools read.

A pure builder: it is told everything, and returns what is to be written as JSON. Text that came out of files is made
inert where SARIF gives characters a meaning of their own: placeholders (section 3.11.5) and embedded links (3.11.6),
which a viewer would turn into something to click (ATTACKS A16).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from strongroom.cli.findings import finding_members
from strongroom.cli.terminal import printable
from strongroom.errors import Finding
from strongroom.formats.json_places import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE = "%SRCROOT%"
"""What relative URIs are relative to; code scanning services take it for the root of the repository."""
_ABSOLUTE = ("file:", "arn:")
"""How URIs begin that stand for themselves. In a relative one a colon is escaped."""
_TAGS = ("attestation", "security")


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a code means: a title of one sentence, and what the reader can do about it."""

    title: str
    help: str


@dataclass(frozen=True, slots=True)
class SarifResult:
    """One finding in one file: `uri`, or the run's own where that is empty. What is known of the place is given.

    `offset` is the byte it is about, `span` the lines and columns, `pointer` the JSON pointer. `identity` tells it from
    others of its rule about the same part. `accepted`: somebody has said that it may stay.
    """

    finding: Finding
    text: RuleText
    offset: int | None = None
    uri: str = ""
    span: Span | None = None
    pointer: str = ""
    identity: str = ""
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class SarifRun:
    """One run of one command about one file."""

    command: str
    """As in `verify`."""
    version: str
    """Of Strongroom."""
    uri: str
    """Of the file (`artifact_uri`)."""
    exit_code: int
    results: tuple[SarifResult, ...] = ()
    notices: tuple[Finding, ...] = ()
    """About the run rather than about the file."""
    failure: Finding | None = None
    """Why the command could not do what it was asked to. Then there are no results to rely on."""
    properties: Mapping[str, object] = field(default_factory=dict)
    """Facts for programs, such as the values of PCRs."""


def sarif_log(run: SarifRun) -> dict[str, object]:
    """Return the log of one run, ready for `json.dumps`."""
    codes = tuple(dict.fromkeys(result.finding.code for result in run.results))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "Strongroom", "version": run.version, "rules": _rules(run.results, codes)}},
                "automationDetails": {"id": f"strongroom/{run.command}/"},
                "invocations": [_invocation(run)],
                "originalUriBaseIds": {BASE: {"description": _message("The folder in which the command ran.")}},
                "artifacts": [{"location": _location(run.uri), "roles": ["analysisTarget"]}],
                "results": [_result(result, run.uri, codes) for result in run.results],
                "columnKind": "unicodeCodePoints",
                "properties": {"exitCode": run.exit_code, **run.properties},
            }
        ],
    }


def artifact_uri(path: Path, *, base: Path | None) -> str:
    """Return a relative URI (RFC 3986) for a path at or below `base`, and for a relative one; else a file URI."""
    if not path.is_absolute():
        return quote(os.fsencode(path))
    return (
        path.as_uri() if base is None or not path.is_relative_to(base) else quote(os.fsencode(path.relative_to(base)))
    )


def inert(text: str) -> str:
    """Return text as a SARIF message in which nothing is a placeholder, a link, or a command to a terminal."""
    return printable(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _message(text: str) -> dict[str, object]:
    return {"text": inert(text)}


def _rules(results: Iterable[SarifResult], codes: tuple[str, ...]) -> list[dict[str, object]]:
    first = {result.finding.code: result for result in reversed(tuple(results))}
    return [
        {
            "id": code,
            "shortDescription": _message(first[code].text.title),
            "fullDescription": _message(first[code].text.title),
            "help": _message(first[code].text.help),
            "defaultConfiguration": {"level": first[code].finding.severity.value},
            "properties": {"tags": list(_TAGS)},
        }
        for code in codes
    ]


def _result(result: SarifResult, uri: str, codes: tuple[str, ...]) -> dict[str, object]:
    finding = result.finding
    place: dict[str, object] = {"physicalLocation": {"artifactLocation": _artifact(result, uri), **_region(result)}}
    if result.pointer:
        place["logicalLocations"] = [{"fullyQualifiedName": result.pointer}]
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": finding.severity.value,
        "message": _message(finding.message),
        "locations": [place],
        "partialFingerprints": {"strongroomFinding/v1": _fingerprint(result, result.uri or uri)},
        "properties": _known(finding),
        **({"suppressions": [{"kind": "external", "status": "accepted"}]} if result.accepted else {}),
    }


def _artifact(result: SarifResult, uri: str) -> dict[str, object]:
    return _location(result.uri) if result.uri else {**_location(uri), "index": 0}


def _region(result: SarifResult) -> dict[str, object]:
    if result.span is not None:
        span = result.span
        begin = {"startLine": span.line, "startColumn": span.column}
        return {"region": {**begin, "endLine": span.end_line, "endColumn": span.end_column}}
    return {} if result.offset is None else {"region": {"byteOffset": result.offset, "byteLength": 0}}


def _known(finding: Finding) -> dict[str, object]:
    members = finding_members(finding) | {"part": printable(finding.part)}
    shown = ("pcr", "part", "expected", "found", "meaning")
    return {key: members[key] for key in shown if members[key] not in (None, "", [])}


def _fingerprint(result: SarifResult, uri: str) -> str:
    """Return what stays the same from run to run: which rule, which file, which PCR, which part of the policy."""
    finding = result.finding
    named = (finding.code, uri, "" if finding.pcr is None else str(finding.pcr), finding.part)
    identity = "\n".join((*named, *([result.identity] if result.identity else [])))
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()


def _invocation(run: SarifRun) -> dict[str, object]:
    told = (*run.notices, *((run.failure,) if run.failure else ()))
    return {
        "executionSuccessful": run.failure is None,
        "exitCode": run.exit_code,
        "toolExecutionNotifications": [
            {"descriptor": {"id": each.code}, "level": each.severity.value, "message": _message(each.message)}
            for each in told
        ],
    }


def _location(uri: str) -> dict[str, object]:
    return {"uri": uri} if uri.startswith(_ABSOLUTE) else {"uri": uri, "uriBaseId": BASE}
