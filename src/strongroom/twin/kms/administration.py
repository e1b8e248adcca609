# SPDX-License-Identifier: Apache-2.0
"""Operations that manage keys: create, describe, policies, aliases, states (KMS API Reference, by their names)."""

from __future__ import annotations

from datetime import timedelta

from strongroom.errors import FormatError
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.model import KeyPolicy, parse_key_policy, pin_principals
from strongroom.twin.accounts import PARTITION, Directory
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import Request, authorize, authorize_without_key, decide, expect_usable
from strongroom.twin.kms.keys import Key, KeyState, KeyStore
from strongroom.twin.kms.parameters import Parameters

Reply = dict[str, object]

MAX_POLICY_CHARACTERS = 131_072
_ONLY = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS"}
_DEFAULT_WAITING_DAYS = 30


class Administration:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def create_key(self, request: Request, parameters: Parameters) -> Reply:
        """CreateKey: symmetric keys with KMS's own material. Without a policy the account's default one is set."""
        authorize_without_key(request)
        for name, only in _ONLY.items():
            if parameters.text(name, default=only) != only:
                raise AwsFault("UnsupportedOperationException", f"The twin makes keys with {name} {only} only.")
        if parameters.flag("MultiRegion"):
            raise AwsFault("UnsupportedOperationException", "The twin makes single-Region keys only.")
        text = parameters.text("Policy", default=_default_policy(request), maximum=MAX_POLICY_CHARACTERS)
        policy = self._read_policy(text)
        now = request.clock.now()
        description = parameters.optional_text("Description") or ""
        key = self._store.create(request.place, created=now, description=description, policy_text=text, policy=policy)
        request.key_arn = key.arn
        return {"KeyMetadata": _metadata(key)}

    def describe_key(self, request: Request, parameters: Parameters) -> Reply:
        """DescribeKey."""
        return {"KeyMetadata": _metadata(self._authorized(request, parameters))}

    def get_key_policy(self, request: Request, parameters: Parameters) -> Reply:
        """GetKeyPolicy: the text as it was put, where KMS returns one of the same meaning."""
        key = self._authorized(request, parameters)
        _expect_default_name(parameters)
        return {"Policy": key.policy_text, "PolicyName": "default"}

    def put_key_policy(self, request: Request, parameters: Parameters) -> Reply:
        """PutKeyPolicy, with the lockout safety check: the caller must be able to put the next one."""
        key = self._authorized(request, parameters)
        _expect_default_name(parameters)
        text = parameters.text("Policy", maximum=MAX_POLICY_CHARACTERS)
        policy = self._read_policy(text)
        if not parameters.flag("BypassPolicyLockoutSafetyCheck"):
            _expect_no_lockout(request, key, policy)
        self._store.put_policy(key.arn, policy_text=text, policy=policy)
        return {}

    def create_alias(self, request: Request, parameters: Parameters) -> Reply:
        """CreateAlias. Permission is asked on the key only, not on the alias."""
        key = self._store.resolve(request.place, parameters.text("TargetKeyId"))
        authorize(request, key)
        self._store.create_alias(request.place, parameters.text("AliasName"), key)
        return {}

    def disable_key(self, request: Request, parameters: Parameters) -> Reply:
        """DisableKey."""
        key = self._authorized(request, parameters)
        if key.state is KeyState.PENDING_DELETION:
            expect_usable(key)
        self._store.put_state(key.arn, KeyState.DISABLED)
        return {}

    def enable_key(self, request: Request, parameters: Parameters) -> Reply:
        """EnableKey."""
        key = self._authorized(request, parameters)
        if key.state is KeyState.PENDING_DELETION:
            expect_usable(key)
        self._store.put_state(key.arn, KeyState.ENABLED)
        return {}

    def schedule_key_deletion(self, request: Request, parameters: Parameters) -> Reply:
        """ScheduleKeyDeletion: the key is unusable at once; the twin never gets round to deleting it."""
        key = self._authorized(request, parameters)
        if key.state is KeyState.PENDING_DELETION:
            expect_usable(key)
        days = parameters.whole_number("PendingWindowInDays", maximum=_DEFAULT_WAITING_DAYS) or _DEFAULT_WAITING_DAYS
        deletion = request.clock.now() + timedelta(days=days)
        self._store.put_state(key.arn, KeyState.PENDING_DELETION, deletion=deletion)
        state = KeyState.PENDING_DELETION.value
        return {
            "KeyId": key.arn,
            "DeletionDate": deletion.timestamp(),
            "KeyState": state,
            "PendingWindowInDays": days,
        }

    def _authorized(self, request: Request, parameters: Parameters) -> Key:
        key = self._store.resolve(request.place, parameters.text("KeyId"))
        authorize(request, key)
        return key

    def _read_policy(self, text: str) -> KeyPolicy:
        try:
            return pin_principals(parse_key_policy(text), self._directory.unique_ids())
        except FormatError as error:
            raise AwsFault("MalformedPolicyDocumentException", str(error)) from error


def _default_policy(request: Request) -> str:
    """Return the policy of a key that was made without one (KMS Developer Guide, "Default key policy")."""
    root = f"arn:{PARTITION}:iam::{request.place.account_id}:root"
    return (
        '{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions",'
        f'"Effect":"Allow","Principal":{{"AWS":"{root}"}},"Action":"kms:*","Resource":"*"}}]}}'
    )


def _expect_default_name(parameters: Parameters) -> None:
    name = parameters.text("PolicyName", default="default")
    if name != "default":
        raise AwsFault("NotFoundException", f"No such policy exists: {name[:64]}")


def _expect_no_lockout(request: Request, key: Key, policy: KeyPolicy) -> None:
    """Ask the new policy whether the caller could replace it again (KMS Developer Guide, "Changing a key policy")."""
    allowed = (request.decision, request.failed_pcrs)
    outcome = decide(request, key.arn, policy).outcome
    request.decision, request.failed_pcrs = allowed
    if outcome is not Outcome.ALLOWED:
        raise AwsFault(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _metadata(key: Key) -> Reply:
    metadata: Reply = {
        "AWSAccountId": key.account_id,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": key.created.timestamp(),
        "Enabled": key.state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": _ONLY["KeyUsage"],
        "KeyState": key.state.value,
        "Origin": _ONLY["Origin"],
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": _ONLY["KeySpec"],
        "KeySpec": _ONLY["KeySpec"],
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    if key.deletion is not None:
        metadata["DeletionDate"] = key.deletion.timestamp()
    return metadata
