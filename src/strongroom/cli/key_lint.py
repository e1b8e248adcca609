# SPDX-License-Identifier: Apache-2.0
"""`strongroom key lint`: the holes of a key policy, and whether any request opens the key without what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.cli.key_lint_output import Report, emit_report
from strongroom.cli.key_lint_sarif import emit_lint_sarif
from strongroom.cli.key_releases import gates_of
from strongroom.cli.key_source import (
    MAX_POLICY_FILE_BYTES,
    KeyChoice,
    KeySource,
    key_source_options,
    policy_text,
    read_grants_file,
)
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH, named
from strongroom.cli.policy_file import read_measurements_file
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.keypolicy.lint.linter import LintQuestion, lint
from strongroom.keypolicy.lint.rules import RULES
from strongroom.keypolicy.model import parse_identity_policy_leniently


class _Options(TypedDict):
    allowed: tuple[Path, ...]
    identity_policy: tuple[Path, ...]
    grants: Path | None
    accept: tuple[str, ...]
    as_json: bool
    as_sarif: bool


@click.command("lint")
@key_source_options
@click.option("--allowed", multiple=True, type=PATH, metavar="FILE", help="Measurements that may open; may repeat.")
@click.option(
    "--identity-policy", multiple=True, type=PATH, metavar="FILE", help="An IAM policy beside it; may repeat."
)
@click.option("--grants", type=PATH, metavar="FILE", help="The key's grants, as `aws kms list-grants` prints them.")
@click.option("--accept", multiple=True, metavar="RULE", help="A rule whose findings are meant; may repeat.")
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print one SARIF 2.1.0 log on stdout, for code scanning.")
@click.pass_context
def command(context: click.Context, choice: KeyChoice, **options: Unpack[_Options]) -> None:
    """Find the holes in a key policy: of a FILE, of a key in KMS, or of a tenant's key.

    \b
    Example:  strongroom key lint policy.json
              strongroom key lint policy.json --allowed pcr_measurements.json
              strongroom key lint --key ARN --sarif

    Every rule stands in docs/reference/lint.md. Beside them it answers one question over all requests: does any open
    the key without an allowed document? Without --allowed, any document of a NitroTPM is allowed.

    Exits with 0: at most notes, or what --accept names; 1: an error or a warning; 2: usage; 3: malformed.
    """
    accepted = _accepted(options)
    if options["as_sarif"]:
        context.exit(emit_lint_sarif(choice, lambda: _report(choice, options), accepted))
    report = _report(choice, options)
    emit_report(report, accepted, as_json=options["as_json"])
    context.exit(report.exit_code(accepted))


def _accepted(options: _Options) -> frozenset[str]:
    if options["as_json"] and options["as_sarif"]:
        raise UsageError("key.output", "expected either --json or --sarif, found both")
    for code in options["accept"]:
        if code not in RULES:
            raise UsageError(
                "key.unknown-rule",
                f"expected the id of a rule with --accept, found {code!r}",
                remedy="docs/reference/lint.md lists them.",
            )
    return frozenset(options["accept"])


def _report(choice: KeyChoice, options: _Options) -> Report:
    grants = options["grants"]
    source = choice.read(with_grants=grants is None)
    measured = tuple(map(read_measurements_file, options["allowed"]))
    beside = tuple(map(_read_identity_policy, options["identity_policy"]))
    question = LintQuestion(
        key_policy=source.text,
        now=datetime.now(UTC),
        key_arn=source.key.arn if source.key else None,
        allowed=tuple(map(gates_of, measured)),
        attested_only=choice.tenant is not None,
        identity_policies=beside,
        grants=source.grants if grants is None else read_grants_file(grants),
    )
    return Report(
        source.name,
        lint(question),
        question,
        files=(_own_file(choice, source), *options["identity_policy"]),
        notices=tuple(notice for each in measured for notice in each.findings),
    )


def _read_identity_policy(path: Path) -> str:
    with named(path):
        text = policy_text(read_file(path, maximum_bytes=MAX_POLICY_FILE_BYTES))
        parse_identity_policy_leniently(text)
        return text


def _own_file(choice: KeyChoice, source: KeySource) -> Path | None:
    """Return the file whose lines are those of the policy: not one that holds it as a string, nor a pipe."""
    path = choice.policy_file
    if path is None or not path.is_file():
        return None
    return path if read_file(path, maximum_bytes=MAX_POLICY_FILE_BYTES) == source.text.encode() else None
