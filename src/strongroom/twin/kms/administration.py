# SPDX-License-Identifier: Apache-2.0
"""Keys as such: create, describe, list, enable, disable, schedule deletion (KMS API Reference, by their names).

What each state lets through is the table of the KMS Developer Guide, "Key states of AWS KMS keys".
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import authorize, authorize_without_key, expect_kept
from strongroom.twin.kms.key_specs import KEY_SPECS, KNOWN_ELSEWHERE, SYMMETRIC, KeySpec, KeyUsage
from strongroom.twin.kms.keys import ORIGIN, Key, KeyState, Material, RotationType
from strongroom.twin.kms.metadata import key_metadata
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.policies import MAX_POLICY_CHARACTERS, Policies, default_policy, expect_no_lockout
from strongroom.twin.kms.replies import managed_key, seconds
from strongroom.twin.kms.request import Operation, Question, Reply, Request
from strongroom.twin.kms.store import KeyStore
from strongroom.twin.kms.tags import MAX_TAGS, read_tags

MIN_WAITING_DAYS, MAX_WAITING_DAYS = 7, 30
MAX_DESCRIPTION = 8192
MAX_STORE_ID = 64
_ORIGINS = ("AWS_CLOUDHSM", ORIGIN, "EXTERNAL", "EXTERNAL_KEY_STORE")
_USAGES = (*KeyUsage, "ENCAPSULATE_DECAPSULATE")
_CREATION_DEFAULTS = {
    "Description": "",
    "KeyUsage": KeyUsage.ENCRYPT_DECRYPT.value,
    "Origin": ORIGIN,
    "BypassPolicyLockoutSafetyCheck": False,
    "MultiRegion": False,
}
"""What CloudTrail shows of CreateKey where the caller said nothing (Developer Guide, log entry of CreateKey)."""


class Administration:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        creation = (*_CREATION_DEFAULTS, "Policy", "Tags", "CustomKeyStoreId", "XksKeyId")
        waiting = {"PendingWindowInDays": MAX_WAITING_DAYS}
        return {
            "CancelKeyDeletion": Operation(self.cancel_key_deletion, read_only=False),
            "CreateKey": Operation(self.create_key, read_only=False, shown=creation, defaults=_CREATION_DEFAULTS),
            "DescribeKey": Operation(self.describe_key, takes_tokens=True),
            "DisableKey": Operation(self.disable_key, read_only=False),
            "EnableKey": Operation(self.enable_key, read_only=False),
            "ListKeys": Operation(self.list_keys, shown=("Limit", "Marker")),
            "ScheduleKeyDeletion": Operation(
                self.schedule_key_deletion, read_only=False, shown=("KeyId", "PendingWindowInDays"), defaults=waiting
            ),
            "UpdateKeyDescription": Operation(
                self.update_key_description, read_only=False, shown=("KeyId", "Description")
            ),
        }

    def create_key(self, request: Request, parameters: Parameters) -> Reply:
        """CreateKey: keys of one Region, with KMS's own material. Without a policy the account's default one is set."""
        spec, usage = _kind(parameters)
        tags = read_tags(parameters)
        request.shown |= {"KeySpec": spec.name, "CustomerMasterKeySpec": spec.name}
        facts = KeyFacts(spec=spec.name, usage=usage.value, origin=parameters.text("Origin", default=ORIGIN))
        authorize_without_key(request, Question(tags=tags), facts)
        _expect_own_kind(parameters, tags)
        text = parameters.optional_text("Policy", maximum=MAX_POLICY_CHARACTERS) or default_policy(request)
        stored = self._policies.read(parameters, text)
        now = request.clock.now()
        key = Key(
            key_id=str(uuid.uuid4()),
            account_id=request.place.account_id,
            region=request.place.region,
            created=now,
            description=parameters.text("Description", default="", minimum=0, maximum=MAX_DESCRIPTION),
            spec=spec,
            usage=usage,
            policy_text=stored.text,
            policy=stored.policy,
            pins=stored.pins,
            materials=(Material(spec.new_secret(), now),),
            tags=tags,
        )
        expect_no_lockout(request, parameters, key, stored.policy)
        self._store.add_key(key)
        request.resources.append(key.arn)
        return {"KeyMetadata": key_metadata(key)}

    def describe_key(self, request: Request, parameters: Parameters) -> Reply:
        """DescribeKey. It takes aliases, too."""
        key = self._store.resolve(request.place, parameters.text("KeyId"))
        authorize(request, key)
        return {"KeyMetadata": key_metadata(key)}

    def list_keys(self, request: Request, parameters: Parameters) -> Reply:
        """ListKeys: of the caller's account and region, whatever their state."""
        authorize_without_key(request)
        keys = self._store.keys_in(request.place)
        shown, more = page(parameters, keys, name=lambda key: key.key_id, default=100, maximum=1000)
        return {"Keys": [{"KeyId": key.key_id, "KeyArn": key.arn} for key in shown], **more}

    def update_key_description(self, request: Request, parameters: Parameters) -> None:
        """UpdateKeyDescription."""
        description = parameters.text("Description", minimum=0, maximum=MAX_DESCRIPTION)
        key = self._kept(request, parameters)
        self._store.change_key(key.arn, lambda now: replace(now, description=description))

    def disable_key(self, request: Request, parameters: Parameters) -> None:
        """DisableKey."""
        key = self._kept(request, parameters)
        self._store.change_key(key.arn, lambda now: replace(now, state=KeyState.DISABLED))

    def enable_key(self, request: Request, parameters: Parameters) -> None:
        """EnableKey. A rotation whose day passed while the key was disabled is made up for at once, and once."""
        key = self._kept(request, parameters)
        now = request.clock.now()
        self._store.change_key(key.arn, lambda found: _caught_up(replace(found, state=KeyState.ENABLED), now))

    def schedule_key_deletion(self, request: Request, parameters: Parameters) -> Reply:
        """ScheduleKeyDeletion: the key is unusable at once, and gone with the first call after its waiting period."""
        days = parameters.whole_number("PendingWindowInDays", minimum=MIN_WAITING_DAYS, maximum=MAX_WAITING_DAYS)
        days = days or MAX_WAITING_DAYS
        key = self._kept(request, parameters)
        deletion = request.clock.now() + timedelta(days=days)
        state = KeyState.PENDING_DELETION
        self._store.change_key(key.arn, lambda now: replace(now, state=state, deletion=deletion))
        return {
            "KeyId": key.arn,
            "DeletionDate": seconds(deletion),
            "KeyState": state.value,
            "PendingWindowInDays": days,
        }

    def cancel_key_deletion(self, request: Request, parameters: Parameters) -> Reply:
        """CancelKeyDeletion: the key is disabled then."""
        key = managed_key(request, parameters, self._store)
        if key.state is not KeyState.PENDING_DELETION:
            raise AwsFault("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
        self._store.change_key(key.arn, lambda now: replace(now, state=KeyState.DISABLED, deletion=None))
        return {"KeyId": key.arn}

    def _kept(self, request: Request, parameters: Parameters) -> Key:
        key = managed_key(request, parameters, self._store)
        expect_kept(key)
        return key


def _caught_up(key: Key, now: datetime) -> Key:
    """KMS API Reference, GetKeyRotationStatus, "Disabled"."""
    if key.rotation is None or key.rotation.due > now:
        return key
    rotation = replace(key.rotation, due=now + timedelta(days=key.rotation.period_days))
    return replace(key.rotated(RotationType.AUTOMATIC, now), rotation=rotation)


def _kind(parameters: Parameters) -> tuple[KeySpec, KeyUsage]:
    """Return what kind of key to make. Raises AwsFault."""
    both = [parameters.optional_text(name) for name in ("KeySpec", "CustomerMasterKeySpec")]
    if all(both):
        raise AwsFault(
            "ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request."
        )
    member = "CustomerMasterKeySpec" if both[1] else "KeySpec"
    name = parameters.choice(member, KEY_SPECS.keys() | KNOWN_ELSEWHERE, default=SYMMETRIC)
    if name not in KEY_SPECS:
        raise AwsFault("UnsupportedOperationException", f"The twin makes no keys with KeySpec {name}.")
    spec = KEY_SPECS[name]
    usage = parameters.choice("KeyUsage", _USAGES, default=spec.default_usage or "")
    if usage not in spec.algorithms:
        raise AwsFault("ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {name}.")
    return spec, KeyUsage(usage)


def _expect_own_kind(parameters: Parameters, tags: dict[str, str]) -> None:
    """Refuse what the twin has not: other origins, custom key stores, multi-Region keys. Raises AwsFault."""
    store_id = parameters.optional_text("CustomKeyStoreId", maximum=MAX_STORE_ID)
    if store_id is not None:
        raise AwsFault("CustomKeyStoreNotFoundException", f"Custom key store with ID {store_id} is not found.")
    origin = parameters.choice("Origin", _ORIGINS, default=ORIGIN)
    if origin != ORIGIN:
        raise AwsFault("UnsupportedOperationException", f"The twin makes keys with Origin {ORIGIN} only, not {origin}.")
    if parameters.flag("MultiRegion"):
        raise AwsFault("UnsupportedOperationException", "The twin makes single-Region keys only.")
    if len(tags) > MAX_TAGS:
        raise AwsFault("LimitExceededException", f"A key has at most {MAX_TAGS} tags, not {len(tags)}.")
