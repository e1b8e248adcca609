# SPDX-License-Identifier: Apache-2.0
"""What conditions of policies can see of a call: its parameters, its key, its caller's credentials.

KMS Developer Guide, "AWS KMS condition keys": each is a parameter of the request under another name, or a property of
the key. Which of them is present for which action is `keypolicy.condition_keys`' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strongroom.keypolicy.caller_facts import Credentials as CredentialFacts
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.twin.accounts import Credentials
from strongroom.twin.kms.keys import ORIGIN, Alias, Key
from strongroom.twin.kms.parameters import Parameters

REQUEST_ALIAS = "kms:RequestAlias"
ENCRYPTION_ALGORITHM = "kms:EncryptionAlgorithm"
SAME_KEY = "kms:ReEncryptOnSameKey"
_PARAMETERS = {
    "BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck",
    "EncryptionAlgorithm": ENCRYPTION_ALGORITHM,
    "ExpirationModel": "kms:ExpirationModel",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "PrimaryRegion": "kms:PrimaryRegion",
    "ReplicaRegion": "kms:ReplicaRegion",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
}
"""Condition key by parameter."""


def parameter_facts(parameters: Parameters, defaults: Mapping[str, object]) -> dict[str, str]:
    """Return condition keys for the parameters of a call, and for what KMS takes where the caller said nothing."""
    members = {**defaults, **parameters.members}
    facts = {key: _text(members[name]) for name, key in _PARAMETERS.items() if isinstance(members.get(name), str | int)}
    return facts | alias_fact(members.get("KeyId"))


def alias_fact(identifier: object) -> dict[str, str]:
    """Return the alias that a call named its key by, if it did (KMS Developer Guide, kms:RequestAlias)."""
    name = f"alias/{identifier.partition('alias/')[2]}" if isinstance(identifier, str) else ""
    return {REQUEST_ALIAS: name} if name not in {"", "alias/"} else {}


def key_facts(key: Key, aliases: Iterable[Alias]) -> KeyFacts:
    """Return the properties of a key that conditions can see."""
    names = tuple(alias.name for alias in aliases)
    return KeyFacts(spec=key.spec.name, usage=key.usage.value, origin=ORIGIN, aliases=names, tags=key.tags)


def credential_facts(caller: Credentials) -> CredentialFacts:
    """Return what the caller signed with: temporary credentials say when they were issued."""
    return CredentialFacts(issued_at=caller.issued_at)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
