# SPDX-License-Identifier: Apache-2.0
"""Audit an image or a tree, and tell what came of it: for people's programs as JSON (docs/image-audit.md)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import Severity, UsageError
from strongroom.formats.audit_waivers import Waiver
from strongroom.formats.partition import Profile
from strongroom.imaging.apt import Progress
from strongroom.imaging.audit.engine import AuditFinding, Findings, apply_rules
from strongroom.imaging.audit.opening import open_subject
from strongroom.imaging.audit.rules import RULES
from strongroom.imaging.audit.scratch import room_in_memory, scratch_space
from strongroom.imaging.audit.subject import Part

VERSION = 1
"""Of the JSON."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found in what is called `name`."""

    name: str
    profile: Profile
    """What it was audited as."""
    parts: tuple[Part, ...]
    """Which parts of an image were there."""
    findings: Findings
    expired: tuple[Waiver, ...] = ()
    """Waivers that do not hold any more."""
    unused: tuple[Waiver, ...] = ()
    """Waivers that covered nothing."""

    @property
    def passed(self) -> bool:
        """Whether it found no error that nobody waived."""
        return self.findings.passed

    @property
    def counts(self) -> Counter[Severity]:
        """How many findings of each severity count: those that are waived do not."""
        return Counter(each.rule.severity for each in self.findings.found if each.waiver is None)

    def members(self) -> dict[str, object]:
        """Return it as JSON has it; the keys are stable, and nothing depends on when or where it was made."""
        return {
            "version": VERSION,
            "image": self.name,
            "profile": self.profile.value,
            "passed": self.passed,
            "parts": [part.value for part in self.parts],
            **{f"{severity}s": self.counts[severity] for severity in Severity},
            "waived": sum(each.waiver is not None for each in self.findings.found),
            "findings": [_finding(each) for each in self.findings.found],
            "not_applied": [
                {"rule": each.rule.code, "missing": [part.value for part in each.missing]}
                for each in self.findings.not_applied
            ],
            "expired_waivers": [_waiver(each) for each in self.expired],
            "unused_waivers": [_waiver(each) for each in self.unused],
        }


def audit_image(
    image: Path,
    *,
    profile: Profile = Profile.PRODUCTION,
    waivers: Iterable[Waiver] = (),
    today: dt.date,
    scratch: Path | None = None,
    cache: Path | None = None,
    progress: Progress = lambda _: None,
    name: str = "",
) -> Report:
    """Audit a raw disk, a UKI, a file system, a folder, a tar file or an OCI layout.

    `today` is the day in UTC that waivers are judged at. What has to be unpacked goes below `scratch`, or else into
    memory where it has ample room, or where temporary files go; it is gone on return. In `cache` the parts of a helper
    guest are kept, which reads what nothing else here does; without it such a file system is a problem of the image.

    Raises UsageError for a waiver of a rule that does not exist or may not be waived, FormatError for what is no image
    or is broken as a whole, LocalFault where this machine is at fault, ServiceFault where the parts of a helper guest
    cannot be had.
    """
    given = tuple(waivers)
    _expect_rules(given)
    held = [each for each in given if each.holds(today)]
    with scratch_space(scratch or room_in_memory(image), cache=cache, progress=progress) as space:
        subject = open_subject(image, profile, space)
        findings = apply_rules(subject, waivers=held)
        return Report(
            name=name or image.name,
            profile=profile,
            parts=tuple(part for part in Part if subject.has(part)),
            findings=findings,
            expired=tuple(each for each in given if each not in held),
            unused=tuple(each for each in held if not _covers_any(each, findings)),
        )


def _covers_any(waiver: Waiver, findings: Findings) -> bool:
    return any(each.rule.code == waiver.rule and each.waiver == waiver.reason for each in findings.found)


def _expect_rules(waivers: Iterable[Waiver]) -> None:
    for waiver in waivers:
        if waiver.rule not in RULES:
            raise UsageError(
                "audit.unknown-rule",
                f"expected the id of an audit rule to waive, found {waiver.rule!r}",
                remedy="docs/reference/audit.md lists them.",
            )
        if not RULES[waiver.rule].waivable:
            raise UsageError(
                "audit.not-waivable",
                f"expected a rule that can be waived, found {waiver.rule}: {RULES[waiver.rule].title}",
            )


def _finding(finding: AuditFinding) -> dict[str, object]:
    rule, fault = finding.rule, finding.fault
    return {
        "rule": rule.code,
        "severity": rule.severity.value,
        "title": rule.title,
        "message": fault.message,
        "part": fault.part.value,
        "path": fault.path or None,
        "line": fault.line,
        "why": rule.why,
        "fix": rule.fix,
        "attacks": list(rule.attacks),
        "waiver": finding.waiver,
    }


def _waiver(waiver: Waiver) -> dict[str, object]:
    expires = None if waiver.expires is None else waiver.expires.isoformat()
    return {"rule": waiver.rule, "reason": waiver.reason, "path": waiver.path or None, "expires": expires}
