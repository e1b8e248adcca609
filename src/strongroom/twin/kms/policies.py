# SPDX-License-Identifier: Apache-2.0
"""Key policies: GetKeyPolicy, PutKeyPolicy, ListKeyPolicies (KMS API Reference), and reading one to store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from strongroom.errors import FormatError
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.model import KeyPolicy, parse_key_policy, pin_principals
from strongroom.twin.accounts import PARTITION, Directory
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import decide_on_key
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import managed_key
from strongroom.twin.kms.request import Operation, Question, Reply, Request
from strongroom.twin.kms.store import KeyStore

DEFAULT_NAME = "default"
MAX_POLICY_CHARACTERS = 131_072
"""Of the API model; the quota is MAX_POLICY_BYTES (Developer Guide, "Resource quotas")."""
_MAX_NAME = 128
_POLICY_TEXT = re.compile(r"[\u0009\u000A\u000D\u0020-\u00FF]+")
"""KMS API Reference, PutKeyPolicy, Policy: printable Latin-1, tab, line feed and carriage return."""
_BYPASS = "BypassPolicyLockoutSafetyCheck"


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as KMS keeps it: its text, and its meaning with principals bound to the unique ids in `pins`."""

    text: str
    policy: KeyPolicy
    pins: Mapping[str, str]


class Policies:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        name, default = ("KeyId", "PolicyName"), {"PolicyName": DEFAULT_NAME}
        put = (*name, "Policy", _BYPASS)
        return {
            "GetKeyPolicy": Operation(self.get_key_policy, shown=name, defaults=default),
            "ListKeyPolicies": Operation(self.list_key_policies, shown=("KeyId", "Limit", "Marker")),
            "PutKeyPolicy": Operation(
                self.put_key_policy, read_only=False, shown=put, defaults={**default, _BYPASS: False}
            ),
        }

    def get_key_policy(self, request: Request, parameters: Parameters) -> Reply:
        """GetKeyPolicy: the text as it was put, where KMS returns one of the same meaning."""
        key = managed_key(request, parameters, self._store)
        _expect_default_name(parameters)
        return {"Policy": key.policy_text, "PolicyName": DEFAULT_NAME}

    def put_key_policy(self, request: Request, parameters: Parameters) -> None:
        """PutKeyPolicy, with the lockout safety check: the caller must be able to put the next one."""
        key = managed_key(request, parameters, self._store)
        _expect_default_name(parameters)
        stored = self.read(parameters, parameters.text("Policy", maximum=MAX_POLICY_CHARACTERS))
        expect_no_lockout(request, parameters, key, stored.policy)
        self._store.change_key(
            key.arn, lambda now: replace(now, policy_text=stored.text, policy=stored.policy, pins=stored.pins)
        )

    def list_key_policies(self, request: Request, parameters: Parameters) -> Reply:
        """ListKeyPolicies: every key has one policy, `default`."""
        managed_key(request, parameters, self._store)
        names, more = page(parameters, (DEFAULT_NAME,), name=str, default=100, maximum=1000)
        return {"PolicyNames": list(names), **more}

    def read(self, parameters: Parameters, text: str) -> StoredPolicy:
        """Read a policy to store: within the quota, well formed, of principals that exist. Raises AwsFault."""
        if not _POLICY_TEXT.fullmatch(text):
            parameters.matching("Policy", _POLICY_TEXT, maximum=MAX_POLICY_CHARACTERS)
        if len(text.encode()) > MAX_POLICY_BYTES:
            raise AwsFault(
                "LimitExceededException",
                f"The key policy has {len(text.encode())} bytes, and may have {MAX_POLICY_BYTES}.",
            )
        try:
            ids = self._directory.unique_ids()
            policy = pin_principals(parse_key_policy(text), ids)
        except FormatError as error:
            raise AwsFault("MalformedPolicyDocumentException", str(error)) from error
        return StoredPolicy(text, policy, _pins(policy))


def default_policy(request: Request) -> str:
    """Return the policy of a key that was made without one (KMS Developer Guide, "Default key policy")."""
    root = f"arn:{PARTITION}:iam::{request.place.account_id}:root"
    return (
        '{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions",'
        f'"Effect":"Allow","Principal":{{"AWS":"{root}"}},"Action":"kms:*","Resource":"*"}}]}}'
    )


def expect_no_lockout(request: Request, parameters: Parameters, key: Key, policy: KeyPolicy) -> None:
    """Ask a new policy whether the caller could replace it again (KMS API Reference, BypassPolicyLockoutSafetyCheck).

    Raises AwsFault (MalformedPolicyDocumentException) unless the caller told KMS not to ask.
    """
    if parameters.flag(_BYPASS):
        return
    allowed = (request.decision, request.failed_pcrs)
    outcome = decide_on_key(request, replace(key, policy=policy), Question(action="PutKeyPolicy")).outcome
    request.decision, request.failed_pcrs = allowed
    if outcome is not Outcome.ALLOWED:
        raise AwsFault(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _pins(policy: KeyPolicy) -> dict[str, str]:
    named = (member for each in policy.statements if each.principals for member in each.principals.members)
    return {member.value: member.pinned_id for member in named if member.pinned_id}


def _expect_default_name(parameters: Parameters) -> None:
    name = parameters.text("PolicyName", default=DEFAULT_NAME, maximum=_MAX_NAME)
    if name != DEFAULT_NAME:
        raise AwsFault("NotFoundException", f"No such policy exists: {name[:64]}")
