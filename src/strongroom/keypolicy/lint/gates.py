# SPDX-License-Identifier: Apache-2.0
"""Rules on what a caller has to show before the key opens: a document, and which PCRs of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from strongroom.errors import Severity
from strongroom.formats.pcrs import RESETTABLE, PcrIndex
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT
from strongroom.keypolicy.lint.openings import ATTESTATION, Opening, openings, opens_by_role
from strongroom.keypolicy.lint.rule import BOTH, Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import ConditionView, Fault, StatementView
from strongroom.keypolicy.operators import Quantifier
from strongroom.keypolicy.principals import PrincipalKind
from strongroom.keypolicy.statements import ATTESTED

_CONTEXT = ENCRYPTION_CONTEXT.lower()
_OF_IMAGE = frozenset(map(PcrIndex, (4, 7)))
"""What tells one image, or the keys that it was signed with, from another; the other gates are constants."""
_OF_FIRMWARE = frozenset(map(PcrIndex, (0, 1, 3, 5, 6)))
_OF_SYSTEM = frozenset(map(PcrIndex, (8, 9, 10, 11, 14, 15, 17, 18, 19, 20, 21, 22)))
_WHO = {PrincipalKind.ANYONE: "anyone", PrincipalKind.ACCOUNT: "whoever IAM lets through in"}


def unattested(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow of the four operations that asks for no document."""
    for view, found in _by_statement(subject):
        open_actions = [each.action for each in found if not each.asks_for_document]
        if open_actions:
            yield view.fault(
                view.path, f"lets {_whom(view)} call {', '.join(open_actions)} without an attestation document"
            )


def by_role(subject: Subject) -> Iterator[Fault]:
    """Yield each statement that opens for a role and nobody else, on purpose."""
    for view in subject.allows:
        if opens_by_role(view, subject) and set(ATTESTED) & view.covered - subject.shut:
            yield view.fault(view.path, f"opens for {_whom(view)} without a document, and for nobody else")


def _not_gated(index: int, subject: Subject) -> Iterator[Fault]:
    """Yield each opening that asks for a document, and takes any value of one PCR."""
    for view, found in _by_statement(subject):
        if any(each.asks_for_document and PcrIndex(index) not in each.pins for each in found):
            yield view.fault(view.path, f"opens whatever PCR{index} is")


def constants_only(subject: Subject) -> Iterator[Fault]:
    """Yield each opening that asks only for what every instance shows."""
    for view, found in _by_statement(subject):
        pins = (each.pins for each in found if each.pins)
        constant = next((each for each in pins if not each & (_OF_IMAGE | _OF_SYSTEM | RESETTABLE)), None)
        if constant is not None:
            shown = ", ".join(f"PCR{index}" for index in sorted(constant))
            yield view.fault(view.path, f"asks for {shown} alone, which every instance of EC2 shows")


def passes_when_missing(subject: Subject) -> Iterator[Fault]:
    """Yield each condition of an Allow on a document or the context that holds when there is none."""
    for view in subject.allows:
        for each in view.on(ATTESTATION, _CONTEXT):
            if each.holds_without_key and (each.if_exists or each.quantifier is Quantifier.ALL):
                yield view.fault(each.path, f"has {each.condition.operator}, which holds when {each.key} is missing")


def deny_needs_key(subject: Subject) -> Iterator[Fault]:
    """Yield each condition of a Deny on a document that holds back the Deny when there is none, and no other denies."""
    for view in subject.denies:
        open_to = [action for action in ATTESTED if action in view.covered and not _asks_everybody(subject, action)]
        for each in view.on(ATTESTATION) if open_to else ():
            if each.demands:
                yield view.fault(each.path, f"does not deny a request without a document: {each.key} is missing then")


def _asks_everybody(subject: Subject, action: str) -> bool:
    """Tell whether a Deny elsewhere keeps out everybody without a document."""
    fences = subject.fences.get(action, ())
    return action in subject.shut or any(each.lookup.startswith(ATTESTATION) for each in fences)


def negated_together(subject: Subject) -> Iterator[Fault]:
    """Yield each Deny with several PCRs in negated conditions: it fires only when all of them differ."""
    for view in subject.denies:
        negated = [each for each in view.conditions if each.pcr is not None and each.negated]
        if len({each.pcr for each in negated}) > 1:
            names = " and ".join(f"PCR{each.pcr}" for each in negated)
            yield view.fault(negated[1].path, f"denies only when {names} all differ")


def cross_product(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that takes several values of several PCRs, in any combination."""
    for view in subject.allows:
        lists = [each for each in view.conditions if each.pcr is not None and len(set(each.values)) > 1]
        if len({each.pcr for each in lists}) > 1:
            names = " and ".join(f"PCR{each.pcr}" for each in lists)
            yield view.fault(lists[1].path, f"takes {names} of different releases together")


def resettable(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on PCRs that software can set to anything."""
    return _on_pcrs(subject, RESETTABLE, "which software sets to what it likes")


def of_system(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on PCRs that the running system extends."""
    return _on_pcrs(subject, _OF_SYSTEM, "which is for the running system to extend")


def of_firmware(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on PCRs of AWS's firmware and of the disk's layout."""
    return _on_pcrs(subject, _OF_FIRMWARE, "which changes with EC2's firmware or the disk, and not with the image")


def _on_pcrs(subject: Subject, indices: frozenset[PcrIndex], why: str) -> Iterator[Fault]:
    for view, each in pcr_conditions(subject):
        if each.pcr in indices:
            yield view.fault(each.path, f"compares PCR{each.pcr}, {why}")


def pcr_conditions(subject: Subject) -> Iterator[tuple[StatementView, ConditionView]]:
    """Yield every condition on a PCR of a NitroTPM document, with its statement."""
    for view in subject.statements:
        for each in view.conditions:
            if each.pcr is not None and not each.unread:
                yield view, each


def _by_statement(subject: Subject) -> Iterator[tuple[StatementView, list[Opening]]]:
    found: dict[int, tuple[StatementView, list[Opening]]] = {}
    for each in openings(subject):
        found.setdefault(id(each.view), (each.view, []))[1].append(each)
    yield from found.values()


def _whom(view: StatementView) -> str:
    principals = view.statement.principals
    members = principals.members if principals else ()
    return " and ".join(f"{_WHO.get(each.kind, '')} {each.value}".strip() for each in members[:3]) or "its holder"


def _gate_rule(index: int, code: str, attacks: tuple[str, ...], why: str) -> Rule:
    return Rule(
        code=code,
        severity=Severity.ERROR,
        title=f"The key opens whatever PCR {index} is",
        fix=f"Compare PCR {index} in the Allow with StringEqualsIgnoreCase, and deny every other value. {why}",
        attacks=attacks,
        check=partial(_not_gated, index),
    )


RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.unattested",
        severity=Severity.ERROR,
        title="The key opens without an attestation document",
        fix="Deny the four operations (Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair) to "
        "everybody unless each gated PCR has its value, with one Deny for each PCR; give administrators a list "
        "of actions without these.",
        attacks=("K1",),
        check=unattested,
    ),
    Rule(
        code="lint.opens-by-role",
        severity=Severity.NOTE,
        title="The key opens for a role without an attestation document, and for nobody else",
        fix="Nothing to do when this is an escrow key. Keep the role apart, and watch its sessions.",
        attacks=("K1",),
        check=by_role,
    ),
    _gate_rule(
        2, "lint.pcr2-not-gated", ("B20",), "It shows drivers that UEFI ran before the image; it is one separator."
    ),
    _gate_rule(
        4, "lint.pcr4-not-gated", ("B6", "B7"), "It names the image; PCR 7 alone admits all that a key ever signed."
    ),
    _gate_rule(12, "lint.pcr12-not-gated", ("B1", "B2"), "It shows added command lines and credentials; it is zero."),
    _gate_rule(13, "lint.pcr13-not-gated", ("B3",), "It shows added system extensions; it is zero."),
    Rule(
        code="lint.constants-only",
        severity=Severity.ERROR,
        title="The key asks only for PCRs that are the same on every instance",
        fix="Compare PCR 4, which names the image, beside the constants.",
        attacks=("K22",),
        check=constants_only,
    ),
    Rule(
        code="lint.passes-when-missing",
        severity=Severity.ERROR,
        title="A condition holds when what it is about is missing",
        fix="Take the operator without IfExists and without ForAllValues:.",
        attacks=("K2",),
        kinds=BOTH,
        check=passes_when_missing,
    ),
    Rule(
        code="lint.deny-needs-document",
        severity=Severity.WARNING,
        title="A Deny does not apply to requests without a document",
        fix="Write it with a negated operator without a set operator: StringNotEqualsIgnoreCase holds when the key "
        "is missing.",
        attacks=("K1", "K2"),
        kinds=BOTH,
        check=deny_needs_key,
    ),
    Rule(
        code="lint.negated-together",
        severity=Severity.ERROR,
        title="A Deny asks for several PCRs at once, and applies only when all of them differ",
        fix="Write one Deny for each PCR.",
        attacks=("K24",),
        kinds=BOTH,
        check=negated_together,
    ),
    Rule(
        code="lint.cross-product",
        severity=Severity.WARNING,
        title="Lists of several PCRs in one Allow let releases mix",
        fix="Write one Allow for each combination; only PCR 4 may be a list.",
        attacks=("K25",),
        kinds=BOTH,
        check=cross_product,
    ),
    Rule(
        code="lint.resettable-pcr",
        severity=Severity.ERROR,
        title="A PCR is compared that software can set to anything",
        fix="Leave PCR 16 and 23 out.",
        attacks=("A17",),
        kinds=BOTH,
        check=resettable,
    ),
    Rule(
        code="lint.system-pcr",
        severity=Severity.WARNING,
        title="A PCR is compared that the running system extends",
        fix="Gate PCR 2, 4, 12 and 13 (and 7 with Secure Boot). PCR 8 to 11, 14 and 15 hold what software put "
        "there, in an order that you have to know; 17 to 22 hold nothing on NitroTPM.",
        attacks=("A17",),
        kinds=BOTH,
        check=of_system,
    ),
    Rule(
        code="lint.firmware-pcr",
        severity=Severity.WARNING,
        title="A PCR is compared that says nothing of the image",
        fix="Leave PCR 0, 1, 3, 5 and 6 out: they shut the key when EC2 changes, and stop nobody.",
        attacks=("K22",),
        kinds=BOTH,
        check=of_firmware,
    ),
)
