# SPDX-License-Identifier: Apache-2.0
"""Which kind of image it is: production, rehearsal or debug (docs/formats/trust.md)."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import FormatError, Severity
from strongroom.formats.image_spec_model import DEBUG
from strongroom.formats.partition import Profile
from strongroom.formats.trust import parse_trust
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import OS_RELEASE, TRUST, Part, Subject

_NOTHING = frozenset[Part]()
"""Rules that look at whatever is there."""


def _debug(subject: Subject) -> Iterator[Fault]:
    if subject.os_release.get("VARIANT_ID") == DEBUG:
        yield Fault(OS_RELEASE, "expected VARIANT_ID to be production or rehearsal, found debug")
    if subject.uki is not None and variant_of(bytes(subject.uki.section(".osrel") or b"")) == DEBUG:
        yield Fault("", "expected VARIANT_ID in .osrel to be production or rehearsal, found debug", Part.UKI)


def variant_of(os_release: bytes) -> str:
    """Return VARIANT_ID of an os-release file; empty where it has none."""
    for line in os_release.decode("utf-8", "replace").splitlines():
        key, _, value = line.strip("\0 ").partition("=")
        if key == "VARIANT_ID":
            return value.strip("\"'")
    return ""


def _rehearsal(subject: Subject) -> Iterator[Fault]:
    if subject.trust is not None and subject.trust.profile is not subject.profile:
        yield Fault(TRUST, f"expected the profile {subject.profile}, found {subject.trust.profile}")


def _trust(subject: Subject) -> Iterator[Fault]:
    node = subject.files.resolve(TRUST)
    if node is None:
        yield Fault(TRUST, "expected a trust.json, found none")
        return
    try:
        parse_trust(subject.files.read(TRUST))
    except FormatError as error:
        yield Fault(TRUST, f"expected a trust.json that the agent takes: {error}")


RULES = (
    Rule(
        code="audit.debug-variant",
        severity=Severity.ERROR,
        title="It is a debug image",
        why="A debug image has a way to log in. Whoever logs in reads what the image was given.",
        fix="Build the image without --debug. No waiver makes a debug image pass.",
        attacks=("B13", "B14"),
        needs=_NOTHING,
        waivable=False,
        check=_debug,
    ),
    Rule(
        code="audit.other-profile",
        severity=Severity.ERROR,
        title="Its trust.json is for another profile",
        why="A rehearsal image takes the twin's roots and endpoints for AWS's. Whoever has a twin is AWS for it, and "
        "may hand it documents, keys and identities of their own making.",
        fix=f"Build the image with a trust.json of the {Profile.PRODUCTION} profile, or audit it with "
        f"`--profile {Profile.REHEARSAL}`, as what it is. No waiver makes it pass.",
        attacks=("K14", "K15"),
        waivable=False,
        check=_rehearsal,
    ),
    Rule(
        code="audit.no-trust",
        severity=Severity.WARNING,
        title="It has no trust.json that the agent takes",
        why="Without it the agent trusts nobody and opens nothing; whatever opens secrets here instead of the agent "
        "was not looked at.",
        fix=f"Put the file that `strongroom signer trust` writes to {TRUST}.",
        check=_trust,
    ),
)
