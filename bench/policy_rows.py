# SPDX-License-Identifier: Apache-2.0
"""How many requests are decided in a second of one core, under the policy of a tenant's key."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.race import cpu_time, race
from bench.row import Goal, Row, Unit
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import AccountId, KeyArn, Region, TenantId
from strongroom.keypolicy.context import Call, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.model import parse_identity_policy
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.request import KmsRequest
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

_GOAL_PER_SECOND = 20_000
_STATEMENTS = 9
"""Admin, Seal, one Open, four Denies of PCRs (Secure Boot is not gated), the epochs, the side doors."""
_VENDOR, _TENANT = AccountId("444455556666"), AccountId("111122223333")
_KEY = KeyArn(f"arn:aws:kms:eu-central-1:{_VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
_ROLE = f"arn:aws:iam::{_TENANT}:role/app"
_PCRS = PcrDigests.of(
    {2: SEPARATOR_ONLY_SHA384, 4: bytes(range(48)), 7: SECURE_BOOT_OFF_PCR7_SHA384, 12: ZERO_SHA384, 13: ZERO_SHA384}
)
_CONTEXT = {
    "strongroom:product": "acme",
    "strongroom:tenant": "globex",
    "strongroom:purpose": "secret",
    "strongroom:name": "db",
    "strongroom:epoch": "1",
}
_OWN = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}'


def policy_row(requests: int, rounds: int) -> Row:
    """Return the row about an attested Decrypt from the tenant's account, which is allowed: no step is left out."""
    vendor = VendorSpec(product="acme", account=_VENDOR, sealer_role_arn=f"arn:aws:iam::{_VENDOR}:role/sealer")
    release = AdmittedRelease(version="1", ring="general", pcrs=_PCRS, epoch=1, secure_boot=SecureBoot.NOT_GATED)
    policy = tenant_key_policy(
        TenantKeySpec(vendor=vendor, tenant=TenantId("globex"), accounts=(_TENANT,), releases=(release,))
    )
    if len(policy.statements) != _STATEMENTS:
        raise RuntimeError(f"expected a policy of {_STATEMENTS} statements, found {len(policy.statements)}")
    own = [parse_identity_policy(_OWN)]

    def decide(request: KmsRequest) -> None:
        evaluate(request, key_policy=policy, identity_policies=own).require()

    seconds = race({"ours": cpu_time(decide, [_request()] * requests)}, rounds)["ours"]
    return Row(
        what=f"decide an attested Decrypt under a key policy of {_STATEMENTS} statements",
        unit=Unit.DECISIONS_PER_SECOND,
        goal=Goal("limit", 1.0),
        names={"limit": f"{_GOAL_PER_SECOND:,} a second, what was to be reached"},
        seconds={"ours": seconds, "limit": [1 / _GOAL_PER_SECOND] * rounds},
    )


def _request() -> KmsRequest:
    caller = Caller(_TENANT, f"arn:aws:sts::{_TENANT}:assumed-role/app/s", _ROLE)
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    sender = Sender(Region("eu-central-1"))
    return kms_request(Call("kms:Decrypt", caller, _KEY, now, sender, NitroTpmPcrs(_PCRS), _CONTEXT))
