# SPDX-License-Identifier: Apache-2.0
"""`python -m conformance.aws`: asks a real account whether AWS behaves as the twin takes for granted.

Without --confirm it prints the plan and stops. docs/aws-conformance.md says what it does, needs and costs.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore
import conformance.aws.probes  # noqa: F401 -- enters the probes
from botocore.exceptions import BotoCoreError, ClientError
from conformance.aws.behaviours import load_behaviours
from conformance.aws.clearing import Left, clear_away
from conformance.aws.connect import NoRegionError, connect
from conformance.aws.documents import read_documents
from conformance.aws.journal import RUN, BadJournalError, Journal, JournalInUseError
from conformance.aws.plan import Plan, questions
from conformance.aws.principals import Principals
from conformance.aws.report import Report
from conformance.aws.runner import Run
from conformance.aws.target import Clients, Target

from strongroom.errors import FormatError

HOME = Path(".cache/aws-conformance")
USAGE, UNWHOLE = 2, 3
_REFUSALS = (BadJournalError, JournalInUseError, NoRegionError, LookupError, OSError, FormatError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the plan, or carry it out, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        clients = connect()
        if options.confirm and options.confirm != clients.account:
            _say(f"refused: these credentials are of account {clients.account}, and not of {options.confirm}")
            return USAGE
        name = f"{clients.account}-{clients.region}.journal"
        with Journal(options.journal or HOME / name) as journal:
            return _with_journal(options, clients, journal)
    except (*_REFUSALS, ClientError, BotoCoreError) as error:
        _say(f"refused: {error}")
        return USAGE
    except KeyboardInterrupt:
        _say("interrupted before everything was cleared away: the next run does that, by the journal")
        return UNWHOLE


def _with_journal(options: argparse.Namespace, clients: Clients, journal: Journal) -> int:
    target = Target(
        clients=clients,
        principals=Principals(clients.connect("iam"), clients.connect("sts"), clients.root, patience=options.patience),
        journal=journal,
        documents=read_documents(options.document),
        run=f"{RUN}{secrets.token_hex(4)}",
        now=lambda: datetime.now(UTC),
        patience=options.patience,
    )
    plan = Plan(questions(load_behaviours(), target, only=options.only))
    _say(plan.text(target))
    if not options.confirm:
        if journal.left:
            _say(f"\n{len(journal.left)} things of an earlier run are left. A confirmed run clears them away first.")
        _say("\nNothing was done. To do it: make aws-conformance CONFIRM=<the account above>")
        return 0
    return _carry_out(plan, target, options)


def _carry_out(plan: Plan, target: Target, options: argparse.Namespace) -> int:
    if target.journal.left:
        _say(f"\nclearing away {len(target.journal.left)} things of an earlier run")
    earlier = clear_away(target.journal.left, target.journal, target.clients.kms, target.principals, own=False)
    begun, run = target.now(), Run(plan, target, settle=options.settle, tell=_say)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        run()
    finally:
        signal.signal(signal.SIGTERM, before)
    report = _report(run, target, begun, [*earlier, *run.left])
    _say("\n" + report.text())
    _keep(report, options.report)
    return report.exit_code


def _report(run: Run, target: Target, begun: datetime, left: Sequence[Left]) -> Report:
    return Report(
        run.findings,
        run=target.run,
        account=target.clients.account,
        caller_arn=target.clients.caller_arn,
        region=target.clients.region,
        endpoint=target.clients.kms.meta.endpoint_url,
        begun=begun,
        versions={"python": platform.python_version(), "boto3": boto3.__version__, "botocore": botocore.__version__},
        left=[f"{each.thing.kind} {each.thing.arn or each.thing.name}: {each.why}" for each in left],
        interrupted=run.interrupted,
    )


def _keep(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{report.begun:%Y%m%dT%H%M%SZ}-{report.region}"
    for ending, text in (("json", report.json()), ("md", report.markdown())):
        (folder / f"{name}.{ending}").write_text(text)
    _say(f"kept as {folder / name}.json and .md")


def _interrupt(*_: object) -> None:
    """End as Ctrl-C does: whoever stops the process wants it to clear away."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance.aws", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--confirm", metavar="ACCOUNT", help="do it, in this account and no other")
    parser.add_argument(
        "--document", action="append", type=Path, default=[], metavar="FILE", help="an attestation document; repeatable"
    )
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only rows that begin so; repeatable")
    parser.add_argument("--journal", type=Path, metavar="FILE", help=f"default: one for each account in {HOME}")
    parser.add_argument(
        "--report", type=Path, default=Path("build/aws-conformance"), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument(
        "--settle", type=float, default=20, metavar="SECONDS", help="between setting up and asking (default: 20)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=60,
        metavar="SECONDS",
        help="to ask again, as IAM takes its time (default: 60)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
