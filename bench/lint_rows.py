# SPDX-License-Identifier: Apache-2.0
"""How long the lint of a key policy takes that is nearly as large as KMS allows, the symbolic answer included."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.race import cpu_time, race
from bench.row import Deadline, Row, Unit
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import AccountId, KeyArn, TenantId
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.lint.linter import LintQuestion, lint
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy_leniently
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

_ENDS = Deadline("limit", 1.0)
_VENDOR, _TENANT = AccountId("444455556666"), AccountId("111122223333")
_KEY = KeyArn(f"arn:aws:kms:eu-central-1:{_VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
_VERSIONS, _EPOCHS = 140, 24
"""What fits into 32,768 bytes: versions that share a statement, and versions with an epoch of their own."""
_NOW = datetime(2026, 11, 22, tzinfo=UTC)


def lint_rows(rounds: int) -> list[Row]:
    """Return a row about a train of versions in one statement, and one about as many statements as fit."""
    shared = tuple(_release(number, epoch=1) for number in range(_VERSIONS))
    apart = tuple(_release(number, epoch=number + 1) for number in range(_EPOCHS))
    return [
        _row(f"{_VERSIONS} versions in one statement", _policy(shared), rounds),
        _row(f"{_EPOCHS} versions in {_EPOCHS} statements", _policy(apart), rounds),
    ]


def _row(what: str, policy: str, rounds: int) -> Row:
    question = LintQuestion(key_policy=policy, now=_NOW, key_arn=_KEY)
    turns = {"ours": cpu_time(lint, [question]), "limit": cpu_time(parse_key_policy_leniently, [policy])}
    return Row(
        what=f"lint a key policy of {len(policy):,} bytes: {what}",
        unit=Unit.MILLISECONDS,
        goal=_ENDS,
        names={"limit": "reading the policy"},
        seconds=race(turns, rounds),
    )


def _policy(releases: tuple[AdmittedRelease, ...]) -> str:
    vendor = VendorSpec(product="acme", account=_VENDOR, sealer_role_arn=f"arn:aws:iam::{_VENDOR}:role/sealer")
    spec = TenantKeySpec(vendor=vendor, tenant=TenantId("globex"), accounts=(_TENANT,), releases=releases)
    return encode_key_policy(tenant_key_policy(spec))


def _release(number: int, epoch: int) -> AdmittedRelease:
    digest = number.to_bytes(48) if number else b"\xff" * 48
    pcrs = PcrDigests.of(
        {2: SEPARATOR_ONLY_SHA384, 4: digest, 7: SECURE_BOOT_OFF_PCR7_SHA384, 12: ZERO_SHA384, 13: ZERO_SHA384}
    )
    return AdmittedRelease(
        version=str(number), ring="general", pcrs=pcrs, epoch=epoch, secure_boot=SecureBoot.NOT_GATED
    )
