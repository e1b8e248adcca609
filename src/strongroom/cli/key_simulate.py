# SPDX-License-Identifier: Apache-2.0
"""`strongroom key simulate`: whether KMS would allow a request under a key policy."""

from __future__ import annotations

from functools import partial

import click
from rich.console import Console

from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.key_request import Asked, RequestOptions, ask, request_options
from strongroom.cli.key_source import KeyChoice, KeySource, key_source_options
from strongroom.cli.output import emit, json_option, print_line
from strongroom.errors import KeyRefused
from strongroom.keypolicy.decision import Decision, Outcome, Word
from strongroom.keypolicy.request import KmsRequest


@click.command("simulate")
@key_source_options
@request_options
@json_option
@click.pass_context
def command(context: click.Context, *, choice: KeyChoice, asked: RequestOptions, as_json: bool) -> None:
    """Say whether KMS would allow a request under a key policy, and which statement decides.

    The policy is a FILE (the document, or what `aws kms get-key-policy` prints; name its key with --key), that of a key
    in KMS, or that of a tenant's key. A document is verified, as of its own time or of --at, before its PCRs are used.
    Nothing is decrypted, and KMS is asked for the policy and the grants only.

    Without --identity-policy the caller's IAM policies are taken to allow everything, and the answer says whether it
    hangs on that. Several --scp (or --rcp) of one LEVEL hang on the same place of the organization; every level has to
    allow, and FullAWSAccess is a file like any other. A role's ARN stands for a session of it, an account's id for a
    role that no policy names.

    Exits with 0: allowed; 6: denied. `strongroom key explain` says why.

    \b
    Example:  strongroom key simulate policy.json --key ARN --caller ARN
              strongroom key simulate --key ARN --caller ARN --document doc.cbor
              strongroom key simulate --tenant globex --caller ARN
    """
    source = choice.read(with_grants=asked.policies.grants is None)
    question = ask(asked, source)
    decision = question.inquiry.decide()
    emit(
        {**decision_facts(decision), **request_facts(question, source)},
        as_json=as_json,
        human=lambda console: _print(console, decision, question),
    )
    context.exit(exit_code(decision))


def exit_code(decision: Decision) -> int:
    """Return what a command that asks for a decision exits with."""
    return 0 if decision.outcome is Outcome.ALLOWED else KeyRefused.exit_code


def decision_facts(decision: Decision) -> dict[str, object]:
    """Return a decision for programs. The keys are stable."""
    return {
        "allowed": decision.outcome is Outcome.ALLOWED,
        "outcome": decision.outcome.value,
        "decided_by": decision.decided_by.value,
        "statement": decision.statement or None,
        "lacking": None if decision.lacking is None else decision.lacking.value,
        "reason": decision.reason,
        "by_kind": {
            kind.value: {"says": verdict.word.value, "statement": verdict.statement or None}
            for kind, verdict in decision.by_kind.items()
        },
    }


def request_facts(question: Asked, source: KeySource) -> dict[str, object]:
    """Return what was asked, for programs."""
    request: KmsRequest = question.inquiry.request
    return {
        "policy": source.name,
        "action": request.action,
        "key": request.key_arn,
        "caller": request.caller.arn,
        "context": {key: list(values) for key, values in sorted(request.context.items())},
        "flags": [finding_members(notice) for notice in question.notices],
    }


def _print(console: Console, decision: Decision, question: Asked) -> None:
    line = partial(print_line, console)

    line(f"{'allowed' if decision.outcome is Outcome.ALLOWED else 'denied'}: {decision.reason}")
    for kind, verdict in decision.by_kind.items():
        named = f" ({verdict.statement})" if verdict.word is not Word.SILENT else ""
        line(f"  {kind}: {verdict.word}{named}")
    for text in flag_lines(question.notices):
        line(text)
