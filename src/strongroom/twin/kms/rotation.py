# SPDX-License-Identifier: Apache-2.0
"""Rotation of key material: what EnableKeyRotation, RotateKeyOnDemand and their likes do (KMS API Reference).

Only symmetric encryption keys rotate. The twin finishes a rotation on demand at once, so none is ever in progress;
automatic ones happen in `store.KeyStore.settle`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import expect_usable
from strongroom.twin.kms.key_specs import SYMMETRIC
from strongroom.twin.kms.keys import Key, KeyState, Material, Rotation, RotationType
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import managed_key, seconds
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.store import KeyStore

MIN_DAYS, MAX_DAYS = 90, 2560
DEFAULT_DAYS = 365
MAX_ON_DEMAND = 25
"""Rotations on demand of one key (KMS API Reference, RotateKeyOnDemand)."""
_ALL, _ROTATIONS = "ALL_KEY_MATERIAL", "ROTATIONS_ONLY"


class Rotations:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        return {
            "DisableKeyRotation": Operation(self.disable_key_rotation, read_only=False),
            "EnableKeyRotation": Operation(
                self.enable_key_rotation, read_only=False, shown=("KeyId", "RotationPeriodInDays")
            ),
            "GetKeyRotationStatus": Operation(self.get_key_rotation_status),
            "ListKeyRotations": Operation(
                self.list_key_rotations, shown=("KeyId", "IncludeKeyMaterial", "Limit", "Marker")
            ),
            "RotateKeyOnDemand": Operation(self.rotate_key_on_demand, read_only=False),
        }

    def enable_key_rotation(self, request: Request, parameters: Parameters) -> None:
        """EnableKeyRotation: the first one comes a period from now."""
        days = parameters.whole_number("RotationPeriodInDays", minimum=MIN_DAYS, maximum=MAX_DAYS) or DEFAULT_DAYS
        key = self._rotating(request, parameters)
        expect_usable(key)
        rotation = Rotation(days, request.clock.now() + timedelta(days=days))
        self._store.change_key(key.arn, lambda now: replace(now, rotation=rotation))

    def disable_key_rotation(self, request: Request, parameters: Parameters) -> None:
        """DisableKeyRotation."""
        key = self._rotating(request, parameters)
        expect_usable(key)
        self._store.change_key(key.arn, lambda now: replace(now, rotation=None))

    def get_key_rotation_status(self, request: Request, parameters: Parameters) -> Reply:
        """GetKeyRotationStatus: false while the key is to be deleted, whatever was asked for before."""
        key = self._rotating(request, parameters)
        rotation = None if key.state is KeyState.PENDING_DELETION else key.rotation
        reply: Reply = {"KeyRotationEnabled": rotation is not None, "KeyId": key.arn}
        if rotation is not None:
            reply |= {"RotationPeriodInDays": rotation.period_days, "NextRotationDate": seconds(rotation.due)}
        return reply

    def rotate_key_on_demand(self, request: Request, parameters: Parameters) -> Reply:
        """RotateKeyOnDemand: what was encrypted before still opens."""
        key = self._rotating(request, parameters)
        expect_usable(key)
        at = request.clock.now()

        def rotated(now: Key) -> Key:
            if sum(each.how is RotationType.ON_DEMAND for each in now.materials) >= MAX_ON_DEMAND:
                raise AwsFault("LimitExceededException", f"{now.arn} was rotated on demand {MAX_ON_DEMAND} times.")
            return now.rotated(RotationType.ON_DEMAND, at)

        self._store.change_key(key.arn, rotated)
        return {"KeyId": key.arn}

    def list_key_rotations(self, request: Request, parameters: Parameters) -> Reply:
        """ListKeyRotations: the rotations that were, or every key material with ALL_KEY_MATERIAL."""
        which = parameters.choice("IncludeKeyMaterial", (_ALL, _ROTATIONS), default=_ROTATIONS)
        key = self._rotating(request, parameters)
        numbered = [(f"{index:06}", each) for index, each in enumerate(key.materials) if each.how or which == _ALL]
        shown, more = page(parameters, numbered, name=lambda entry: entry[0], default=100, maximum=1000)
        entries = [_entry(key, each, named=which == _ALL) for _, each in shown]
        return {"Rotations": entries, **more}

    def _rotating(self, request: Request, parameters: Parameters) -> Key:
        key = managed_key(request, parameters, self._store)
        if key.spec.name != SYMMETRIC:
            raise AwsFault(
                "UnsupportedOperationException",
                f"{key.arn} key spec is {key.spec.name} which is not valid for this operation.",
            )
        return key


def _entry(key: Key, material: Material, *, named: bool) -> Reply:
    entry: Reply = {"KeyId": key.key_id, "KeyMaterialId": material.material_id}
    if named:
        entry["KeyMaterialState"] = "CURRENT" if material is key.material else "NON_CURRENT"
    if material.how is not None:
        entry |= {"RotationDate": seconds(material.created), "RotationType": material.how.value}
    return entry
