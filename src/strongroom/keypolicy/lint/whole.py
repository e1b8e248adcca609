# SPDX-License-Identifier: Apache-2.0
"""Rules on the policy as a whole: can any request open the key without an allowed document? And its grants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from strongroom.errors import Severity
from strongroom.formats.tree import Path
from strongroom.ids import AccountId
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs
from strongroom.keypolicy.decision import DecidedBy, Word
from strongroom.keypolicy.lint.openings import opens_by_role
from strongroom.keypolicy.lint.rule import Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import Fault, StatementView, account_of
from strongroom.keypolicy.principals import Principal, PrincipalKind
from strongroom.keypolicy.symbolic.answer import Answer, Undecided, Witness
from strongroom.keypolicy.symbolic.ask import opening_without_allowed_document
from strongroom.keypolicy.symbolic.demands import OPENING_OPERATIONS

_NOBODYS = AccountId("000000000000")
"""Stands for an account that the policy does not name."""
_STATEMENT = "statement "
_OF_RESOURCE = "aws:resource"
"""How condition keys begin that are facts of the key's account."""
_WITH_ACCOUNT = frozenset({PrincipalKind.ACCOUNT, PrincipalKind.ENTITY, PrincipalKind.SESSION})


def ask(subject: Subject) -> Iterator[Answer]:
    """Yield the answer for each account that the key may be in, until there is a witness.

    What opens for named roles on purpose is left out: `lint.opens-by-role` speaks of that.
    """
    kept = (each.statement for each in subject.statements if not (each.allows and opens_by_role(each, subject)))
    policy = replace(subject.policy, statements=tuple(kept))
    for account in _accounts(subject):
        answer = opening_without_allowed_document(
            policy,
            key_account=account,
            key_arn=subject.key_arn,
            allowed=subject.allowed or None,
            grants=subject.grants,
        )
        yield answer
        if isinstance(answer, Witness):
            return


def opens(subject: Subject) -> Iterator[Fault]:
    """Yield a request without an allowed document that the policy allows, if there is one."""
    for each in subject.answers:
        if isinstance(each, Witness):
            statement = _allowing(each)
            yield Fault(_place(subject, statement), f"{statement} allows {in_words(each.call)}", statement)


def undecided(subject: Subject) -> Iterator[Fault]:
    """Yield what keeps the answer from being one: each condition, or statement, that could not be decided on."""
    doubts = [doubt for each in subject.answers if isinstance(each, Undecided) for doubt in each.doubts]
    actions: dict[tuple[str, str, str], dict[str, None]] = {}
    for doubt in doubts:
        name = doubt.statement.removeprefix(_STATEMENT)  # else a grant, or all of it
        actions.setdefault((name, doubt.condition, doubt.why), {})[doubt.action] = None
    for (statement, condition, why), asked in actions.items():
        on = f" on {condition}" if condition else ""
        said = f"{statement}: it cannot be decided whether it allows {', '.join(asked)}{on}: {why}"
        yield Fault(_place(subject, statement, condition), said, statement)


def _allowing(witness: Witness) -> str:
    """Return the statement or the grant that opens the key, where a caller's own policy is what decided."""
    word = witness.decision.by_kind
    kinds = (word[kind] for kind in (DecidedBy.KEY_POLICY, DecidedBy.GRANT) if kind in word)
    return next((each.statement for each in kinds if each.word is Word.ALLOWS), witness.decision.statement)


def _accounts(subject: Subject) -> tuple[AccountId, ...]:
    """Return the accounts that the key may be in, as far as they make a difference.

    Everybody's own policies allow everything, so whom a statement names may do the same from anywhere. The account
    matters where a Resource or a condition asks for it; else one that is named and one that is not stand for all.
    """
    if subject.key_arn is not None:
        return tuple(subject.home)
    named = (account_of(m) for each in subject.statements for m in _named(each) if m.kind in _WITH_ACCOUNT)
    known = tuple(dict.fromkeys((*sorted(subject.home), *named)))
    asked = any(each.on(_OF_RESOURCE) or each.statement.resources.texts != ("*",) for each in subject.statements)
    return (*(known if asked else known[:1]), _NOBODYS)


def _named(view: StatementView) -> tuple[Principal, ...]:
    return view.statement.principals.members if view.statement.principals else ()


def _place(subject: Subject, label: str, condition: str = "") -> Path:
    """Return where a statement stands, or the condition of it that reads so."""
    for view in subject.statements:
        if view.label == label:
            read = (each for each in view.conditions if f"{each.condition.operator} {each.key}" == condition)
            return next((each.path for each in read), view.path)
    return ()


def in_words(call: Call) -> str:
    """Return a request as the end of a sentence."""
    said = [call.action, "by", call.caller.arn, _document(call)]
    if call.encryption_context:
        pairs = ", ".join(f"{name}={value}" for name, value in call.encryption_context.items())
        said.append(f"under the encryption context {pairs}")
    return " ".join(said)


def _document(call: Call) -> str:
    match call.attestation:
        case None:
            return "without an attestation document"
        case EnclavePcrs():
            return "with a document of a Nitro Enclave"
        case NitroTpmPcrs(pcrs):
            shown = ", ".join(f"PCR{index}={digest.hex()}" for index, digest in pcrs.items())
            return f"with a NitroTPM document that shows {shown}"


def planted_grant(subject: Subject) -> Iterator[Fault]:
    """Yield each grant on the key that gives out secrets."""
    for each in subject.grants:
        found = sorted(each.operations & OPENING_OPERATIONS)
        if found:
            yield Fault(
                (), f"grant {each.grant_id} lets {each.grantee.value} call {', '.join(found)} without a document"
            )


RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.opens",
        severity=Severity.ERROR,
        title="A request without an allowed document is allowed",
        fix="The request shows which statement lets it through; the other findings on that statement say what it "
        "lacks.",
        attacks=("K23",),
        check=opens,
    ),
    Rule(
        code="lint.undecided",
        severity=Severity.ERROR,
        title="It cannot be decided whether a request without an allowed document is allowed",
        fix="Write the statement that is named in simpler terms; do not take this for a yes.",
        attacks=("K23",),
        check=undecided,
    ),
    Rule(
        code="lint.planted-grant",
        severity=Severity.ERROR,
        title="A grant on the key gives out secrets without a document",
        fix="Revoke it, and find out who made it; deny CreateGrant to everybody.",
        attacks=("K4", "K20"),
        check=planted_grant,
    ),
)
