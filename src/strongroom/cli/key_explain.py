# SPDX-License-Identifier: Apache-2.0
"""`strongroom key explain`: why KMS allows or denies a request, and what would change the answer."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.key_console import read_failure
from strongroom.cli.key_event import Recorded, explain_event, read_event
from strongroom.cli.key_explain_output import event_facts, explanation_facts, print_explanation
from strongroom.cli.key_request import DEFAULT_ACTION, RequestOptions, ask, request_options
from strongroom.cli.key_simulate import decision_facts, exit_code, request_facts
from strongroom.cli.key_source import KeyChoice, KeySource, key_source_options
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.errors import UsageError
from strongroom.keypolicy.explain.explanation import explain


@click.command("explain")
@key_source_options
@request_options
@click.option("--event", type=PATH, help="A call that CloudTrail recorded, instead of the options of a request.")
@click.option("--event-id", metavar="ID", help="Which one, where the file holds several.")
@click.option("--console", type=PATH, help="A saved console: the PCRs of the agent's last failure in it.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    choice: KeyChoice,
    asked: RequestOptions,
    event: Path | None,
    event_id: str | None,
    console: Path | None,
    as_json: bool,
) -> None:
    """Say why a request is allowed or denied: the statement, the condition, expected and seen, and what to do.

    Takes what `strongroom key simulate` takes. Instead of a document, --console takes the failure that an agent printed
    at boot; instead of a request, --event takes a record of CloudTrail, with --document where the call was denied, as
    CloudTrail does not show documents of denied calls.

    Changes that would allow it are found by evaluating each: none is a guess. Of an allowed request it says whether it
    would have been allowed without its document, too.

    Exits with 0: allowed; 6: denied.

    \b
    Example:  strongroom key explain policy.json --key ARN --caller ARN
              strongroom key explain policy.json --event event.json
              strongroom key explain --key ARN --caller ARN --console boot.txt
    """
    _expect_fitting(asked, event=event, event_id=event_id, console=console)
    source = choice.read(with_grants=asked.policies.grants is None)
    recorded = _recorded(asked, source, event=event, event_id=event_id, console=console)
    found = recorded.explanation
    facts = {**decision_facts(found.decision), **explanation_facts(found), **request_facts(recorded.asked, source)}
    emit(
        facts | event_facts(recorded),
        as_json=as_json,
        human=lambda out: print_explanation(out, recorded),
    )
    context.exit(exit_code(found.decision))


def _recorded(
    asked: RequestOptions, source: KeySource, *, event: Path | None, event_id: str | None, console: Path | None
) -> Recorded:
    if event is not None:
        return explain_event(read_event(event, event_id), asked, source)
    question = ask(asked, source, None if console is None else read_failure(console))
    return Recorded(None, question, explain(question.inquiry))


def _expect_fitting(asked: RequestOptions, *, event: Path | None, event_id: str | None, console: Path | None) -> None:
    if console is not None and (asked.document.given or event is not None):
        raise UsageError("key.which-document", "expected --console alone: it says which PCRs the boot had")
    if event is None and event_id is not None:
        raise UsageError("key.which-event", "expected --event with --event-id, found none")
    if event is not None and (asked.at is not None or asked.via_service or asked.action != DEFAULT_ACTION):
        raise UsageError("key.which-event", "expected --event without --action, --at, --via-service: it says them all")
