# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify`: whether a document is authentic, and the machine one that booted what it should.

There is no verdict without a policy: a call without one is a usage error, and `--authentic-only` says in its name and
loudly in its output what it leaves out (ATTACKS A25).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias, TypedDict, Unpack

import click
from rich.console import Console

from strongroom.appraisal.appraise import AttestationResult, UnsafeNoNonce, appraise, appraise_enclave
from strongroom.appraisal.evidence import (
    AtDocumentTime,
    VerifiedEnclaveEvidence,
    VerifiedEvidence,
    verify_enclave_evidence,
    verify_evidence,
)
from strongroom.appraisal.policy import UnsafePartialMeasurementsPolicy
from strongroom.cli.expectations import Expectations, Options, read_expectations, read_time
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.verify_console import Presented, console_notices, expect_own_console, read_presented
from strongroom.cli.verify_trust import deny_notices, read_deny_lists, read_roots, root_facts, root_line
from strongroom.ids import Nonce

Evidence: TypeAlias = VerifiedEvidence | VerifiedEnclaveEvidence


class _Context(TypedDict):
    nonce: Nonce | UnsafeNoNonce
    now: datetime
    max_age: timedelta
    public_key: bytes | None
    user_data: bytes | None


_AUTHENTIC_ONLY = (
    "signature, certificates and time hold, AND NOTHING ELSE WAS LOOKED AT: no PCR was compared and nobody challenged "
    "the machine. This says neither what it runs nor that the document is no copy"
)
_ARCHIVED = "judged as of the document's own time: that says nothing about today, and its age was not measured"
_GIVEN_TIME = "judged as of the time that --at gave: that says nothing about today"
_UNCHALLENGED = "no nonce was compared: within its age the document may be a copy"
_PARTIAL = "the policy leaves out a part of the gate set (PCR 2, 4, 12, 13): what it does not name may be anything"
_BOOT_ONLY = "this speaks of the boot state: what happened to the running system since then does not show in PCRs"


@click.command()
@click.argument("document", type=PATH)
@click.option("--measurements", multiple=True, type=PATH, help="Measurements of an acceptable image; may be repeated.")
@click.option("--pcr", multiple=True, metavar="N=HEX", help="An acceptable value of one PCR; may be repeated.")
@click.option("--allow-partial", is_flag=True, help="Accept --pcr rules without the whole gate set (PCR 2, 4, 12, 13).")
@click.option("--nonce", metavar="HEX", help="The nonce that the machine was challenged with.")
@click.option("--no-nonce", is_flag=True, help="Nobody challenged the machine; the document may be a copy.")
@click.option("--public-key", type=PATH, help="The document must carry exactly these bytes as its public key.")
@click.option("--user-data", type=PATH, help="The document must carry exactly these bytes as its user data.")
@click.option("--at", metavar="TIME", help="When to judge at: now (the default), document, or RFC 3339.")
@click.option("--max-age", metavar="DURATION", help="How old the document may be: 30s, 5m (the default), 2h, 1d.")
@click.option("--root", multiple=True, type=PATH, help="PEM file of roots to trust, instead of AWS's; may be repeated.")
@click.option("--root-sha256", multiple=True, metavar="HEX", help="The same by fingerprint: SHA-256 of a root's DER.")
@click.option("--deny", multiple=True, type=PATH, help="What not to believe (AWS revokes nothing); may be repeated.")
@click.option("--enclave", is_flag=True, help="Read a Nitro Enclaves document instead of a NitroTPM one.")
@click.option("--authentic-only", is_flag=True, help="Signature, certificates and time only: no policy and no nonce.")
@json_option
def command(document: Path, **options: Unpack[Options]) -> None:
    """Verify an attestation DOCUMENT, or the last receipt in a saved console, and compare it with what you expect.

    \b
    Example:  strongroom verify document.cbor --measurements pcr_measurements.json --nonce 6f1d2a40
              strongroom verify old.cbor --authentic-only --at document
              strongroom verify console.txt --measurements pcr_measurements.json --no-nonce --at document
    """
    expected = read_expectations(options)
    at = read_time(options["at"], now=datetime.now(UTC))
    roots = read_roots(options["root"], options["root_sha256"])
    deny_list = read_deny_lists(options["deny"])
    presented = read_presented(document)
    verify = verify_enclave_evidence if options["enclave"] else verify_evidence
    evidence = verify(presented.evidence, roots=roots, at=at, deny_list=deny_list)
    expect_own_console(presented, evidence)
    given = (*_time_notice(options["at"]), *console_notices(presented, evidence), *deny_notices(options["deny"]))
    if expected is None:
        _emit(evidence, "authentic-only", (_AUTHENTIC_ONLY, *given), presented, as_json=options["as_json"])
        return
    _appraise(evidence, expected, at).require()
    notices = (_BOOT_ONLY, *given, *_appraisal_notices(expected))
    verdict = "trusted" if options["at"] in (None, "now") else "trusted-as-of-then"
    _emit(evidence, verdict, notices, presented, as_json=options["as_json"])


def _appraise(
    evidence: Evidence, expected: Expectations, at: datetime | AtDocumentTime
) -> AttestationResult[VerifiedEvidence] | AttestationResult[VerifiedEnclaveEvidence]:
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


def _time_notice(at: str | None) -> tuple[str, ...]:
    if at in (None, "now"):
        return ()
    return (_ARCHIVED,) if at == "document" else (_GIVEN_TIME,)


def _appraisal_notices(expected: Expectations) -> tuple[str, ...]:
    unchallenged = (_UNCHALLENGED,) if isinstance(expected.nonce, UnsafeNoNonce) else ()
    partial = (_PARTIAL,) if isinstance(expected.policy, UnsafePartialMeasurementsPolicy) else ()
    return (*unchallenged, *partial, *(finding.message for finding in expected.notices))


def _emit(evidence: Evidence, verdict: str, notices: tuple[str, ...], presented: Presented, *, as_json: bool) -> None:
    def human(console: Console) -> None:
        console.print(f"{verdict.upper().replace('-', ' ')}: {evidence.module_id} in {evidence.region}", markup=False)
        console.print(f"  made at {evidence.timestamp:%Y-%m-%d %H:%M:%S.%f} UTC", markup=False)
        console.print(f"  its certificates end at {evidence.certificate_expires:%Y-%m-%d %H:%M:%S} UTC", markup=False)
        for line in (root_line(evidence), *presented.lines):
            console.print(f"  {line}", markup=False)
        for notice in notices:
            console.print(f"  note: {notice}", markup=False)

    facts = {**_facts(evidence), **root_facts(evidence), **presented.facts}
    emit({"verdict": verdict, **facts, "notices": list(notices)}, as_json=as_json, human=human)


def _facts(evidence: Evidence) -> dict[str, object]:
    return {
        "module_id": evidence.module_id,
        "instance_id": evidence.instance_id,
        "region": evidence.region,
        "timestamp": evidence.timestamp.isoformat(),
        "certificate_expires": evidence.certificate_expires.isoformat(),
        "digest": evidence.digest.hex(),
        "pcrs": {str(index): digest.hex() for index, digest in evidence.pcrs.items()},
        "public_key": _hex(evidence.public_key),
        "user_data": _hex(evidence.user_data),
        "nonce": _hex(evidence.nonce),
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
