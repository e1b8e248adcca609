# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify`: whether a document is authentic, and the machine one that runs what it should.

There is no verdict without a policy: a call without one is a usage error, and `--authentic-only` says in its name and
loudly in its output what it leaves out (ATTACKS A25).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack

import click

from strongroom.appraisal.appraise import UnsafeNoNonce, appraise, appraise_enclave
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import (
    AtDocumentTime,
    VerifiedEnclaveEvidence,
    verify_enclave_evidence,
    verify_evidence,
)
from strongroom.cli.expectations import Expectations, Options, read_expectations, read_time
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH, named
from strongroom.cli.verify_console import console_notices, expect_own_console, read_presented
from strongroom.cli.verify_output import Evidence, Judgement, Result, emit_judgement
from strongroom.cli.verify_sarif import emit_sarif
from strongroom.cli.verify_trust import deny_notices, read_deny_lists, read_roots
from strongroom.errors import Finding, Severity, UsageError
from strongroom.formats.deny_list import DenyList
from strongroom.ids import Nonce


class _Context(TypedDict):
    nonce: Nonce | UnsafeNoNonce
    now: datetime
    max_age: timedelta | None
    public_key: bytes | None
    user_data: bytes | None


@dataclass(frozen=True, slots=True)
class _Question:
    """Everything that the command was told, read and understood, before it looks at the document."""

    expected: Expectations | None
    """None: authentic only."""
    at: datetime | AtDocumentTime
    at_option: str | None
    roots: NitroRoots
    deny_list: DenyList
    deny_notices: tuple[Finding, ...]
    enclave: bool


_AUTHENTIC_ONLY = Finding(
    "verify.authentic-only",
    "signature, certificates and time hold, AND NOTHING ELSE WAS LOOKED AT: no PCR was compared and nobody challenged "
    "the machine. This says neither what it runs nor that the document is no copy",
    severity=Severity.WARNING,
)
_ARCHIVED = Finding(
    "verify.document-time",
    "judged as of the document's own time: that says nothing about today, and its age was not measured",
    severity=Severity.NOTE,
)
_GIVEN_TIME = Finding(
    "verify.given-time",
    "judged as of the time that --at gave: that says nothing about today",
    severity=Severity.NOTE,
)
_UNCHALLENGED = Finding(
    "verify.unchallenged",
    "no nonce was compared: within its age the document may be a copy",
    severity=Severity.WARNING,
)
_BOOT_ONLY = Finding(
    "verify.boot-state",
    "this speaks of the boot state: what happened to the running system since then does not show in PCRs",
    severity=Severity.NOTE,
)


@click.command()
@click.argument("document", type=PATH)
@click.option("--measurements", multiple=True, type=PATH, help="Measurements of an acceptable image; may be repeated.")
@click.option("--policy", type=PATH, help="A policy file (docs/formats/appraisal-policy.md).")
@click.option("--pcr", multiple=True, metavar="N=HEX", help="An acceptable value of one PCR; may be repeated.")
@click.option("--allow-partial", is_flag=True, help="Accept a policy without the whole gate set (PCR 2, 4, 12, 13).")
@click.option("--nonce", metavar="HEX", help="The nonce that the machine was challenged with.")
@click.option("--no-nonce", is_flag=True, help="Nobody challenged the machine; the document may be a copy.")
@click.option("--public-key", type=PATH, help="The document must carry exactly these bytes as its public key.")
@click.option("--user-data", type=PATH, help="The document must carry exactly these bytes as its user data.")
@click.option("--at", metavar="TIME", help="When to judge at: now (the default), document, or RFC 3339.")
@click.option("--max-age", metavar="DURATION", help="How old it may be: 30s, 5m, 2h, 1d; see below.")
@click.option("--root", multiple=True, type=PATH, help="PEM file of roots to trust, instead of AWS's; may be repeated.")
@click.option("--root-sha256", multiple=True, metavar="HEX", help="The same by fingerprint: SHA-256 of a root's DER.")
@click.option("--deny", multiple=True, type=PATH, help="What not to believe (AWS revokes nothing); may be repeated.")
@click.option("--enclave", is_flag=True, help="Read a Nitro Enclaves document instead of a NitroTPM one.")
@click.option("--authentic-only", is_flag=True, help="Signature, certificates and time only: no policy and no nonce.")
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print one SARIF 2.1.0 log on stdout, for code scanning.")
@click.pass_context
def command(context: click.Context, document: Path, **options: Unpack[Options]) -> None:
    """Verify an attestation DOCUMENT, or the last receipt in a saved console, and compare it with what you expect.

    \b
    Example:  strongroom verify doc.cbor --measurements ref.json --nonce 6f1d2a40
              strongroom verify doc.cbor --policy acme.json --no-nonce --sarif
              strongroom verify old.cbor --authentic-only --at document
              strongroom verify boot.txt --policy p.json --no-nonce --at document

    Exits with 0: yes; 2: usage; 3: malformed; 4: not authentic; 5: authentic, not trusted; 9: this machine.

    How old the document may be: what --max-age says, and what the policy file says. Without --max-age and without an
    age in the policy file, 5m. With both, the stricter wins.
    """
    if options["as_sarif"]:
        context.exit(emit_sarif(document, lambda: _ask(options), _judge))
    emit_judgement(_judge(document, _ask(options)), as_json=options["as_json"])


def _ask(options: Options) -> _Question:
    if options["as_json"] and options["as_sarif"]:
        raise UsageError("verify.output", "expected either --json or --sarif, found both")
    return _Question(
        expected=read_expectations(options),
        at=read_time(options["at"], now=datetime.now(UTC)),
        at_option=options["at"],
        roots=read_roots(options["root"], options["root_sha256"]),
        deny_list=read_deny_lists(options["deny"]),
        deny_notices=deny_notices(options["deny"]),
        enclave=options["enclave"],
    )


def _judge(document: Path, question: _Question) -> Judgement:
    verify = verify_enclave_evidence if question.enclave else verify_evidence
    with named(document):
        presented = read_presented(document)
        evidence = verify(presented.evidence, roots=question.roots, at=question.at, deny_list=question.deny_list)
    expect_own_console(presented, evidence)
    given = (
        *_time_notice(question.at_option),
        *console_notices(presented, evidence),
        *question.deny_notices,
    )
    if question.expected is None:
        return Judgement(evidence, presented, "authentic-only", None, (_AUTHENTIC_ONLY, *given))
    verdict = "trusted" if question.at_option in (None, "now") else "trusted-as-of-then"
    notices = (_BOOT_ONLY, *given, *_appraisal_notices(question.expected))
    return Judgement(evidence, presented, verdict, _appraise(evidence, question.expected, question.at), notices)


def _appraise(evidence: Evidence, expected: Expectations, at: datetime | AtDocumentTime) -> Result:
    now = evidence.timestamp if isinstance(at, AtDocumentTime) else at
    context = _Context(
        nonce=expected.nonce,
        now=now,
        max_age=expected.max_age,
        public_key=expected.public_key,
        user_data=expected.user_data,
    )
    if isinstance(evidence, VerifiedEnclaveEvidence):
        return appraise_enclave(evidence, expected.policy, **context)  # type: ignore[arg-type]  # --enclave made both
    return appraise(evidence, expected.policy, **context)  # type: ignore[arg-type]


def _time_notice(at: str | None) -> tuple[Finding, ...]:
    if at in (None, "now"):
        return ()
    return (_ARCHIVED,) if at == "document" else (_GIVEN_TIME,)


def _appraisal_notices(expected: Expectations) -> tuple[Finding, ...]:
    unchallenged = (_UNCHALLENGED,) if isinstance(expected.nonce, UnsafeNoNonce) else ()
    return (*unchallenged, *expected.notices)
