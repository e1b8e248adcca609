# SPDX-License-Identifier: Apache-2.0
"""KMS as other services use it in the name of their callers: the caller has to be allowed to use the key himself.

KMS Developer Guide, "kms:ViaService", and "How Amazon EBS uses AWS KMS" (the encryption context, aws:ebs:id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.context import Call, Sender, kms_request
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.twin.accounts import Credentials
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import expect_usable
from strongroom.twin.kms.condition_facts import credential_facts, key_facts
from strongroom.twin.kms.key_specs import KeyUsage
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.store import KeyStore


@dataclass(frozen=True, slots=True)
class Use:
    """What a service is to do with a key. `via` is the service's name, such as `ec2.eu-central-1.amazonaws.com`."""

    caller: Credentials
    operation: str
    key_arn: KeyArn
    region: Region
    via: str
    context: Mapping[str, str]


def expect_use(store: KeyStore, use: Use, now: datetime) -> None:
    """Require a key that is there, symmetric and enabled, and that the caller may have used so. Raises AwsFault."""
    store.settle(now)
    key = store.key(use.key_arn)
    if not _allowed(store, use, key, now):
        raise AwsFault(
            "AccessDeniedException",
            f"User: {use.caller.caller_arn} is not authorized to perform: kms:{use.operation} on resource: {key.arn}",
        )
    expect_usable(key)
    if key.spec.is_asymmetric or key.usage is not KeyUsage.ENCRYPT_DECRYPT:
        raise AwsFault("InvalidKeyUsageException", f"{key.arn} is no symmetric key for encryption.")


def _allowed(store: KeyStore, use: Use, key: Key, now: datetime) -> bool:
    call = Call(
        action=f"kms:{use.operation}",
        caller=use.caller.caller,
        key_arn=key.arn,
        now=now,
        sender=Sender(region=use.region, via_service=use.via),
        encryption_context=use.context,
        credentials=credential_facts(use.caller),
        key=key_facts(key, store.aliases_of(key.arn)),
    )
    decision = evaluate(
        kms_request(call),
        key_policy=key.policy,
        identity_policies=use.caller.principal.policies,
        grants=[kept.grant for kept in store.grants_on(key.arn)],
    )
    return decision.outcome is Outcome.ALLOWED
