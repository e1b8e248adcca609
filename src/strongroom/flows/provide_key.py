# SPDX-License-Identifier: Apache-2.0
"""Provide a key: create it, or go on with what an earlier run has left.

1. Find the keys with the tags that ours are created with. A run that was interrupted, or did not hear KMS's answer, has
   left one that the project does not name.
2. Create one if there is none. It opens for nobody.
3. Put its policy on it, where there is one already, as `create_key` does.

Every step may be done again: an interrupted run is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from strongroom.errors import NotTrusted, StrongroomError, UsageError
from strongroom.flows.change_policy import Pause, read_key_policy
from strongroom.flows.create_key import create_shut_key, expect_no_grants, expect_plain_key, finish_key
from strongroom.ids import KeyArn, TenantId
from strongroom.keypolicy.difference import policy_differences
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import TenantKeySpec, VendorSpec
from strongroom.keypolicy.train import is_bootstrap, read_train
from strongroom.ports import KeyAdmin, KeyInventory

_GOING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


class Found(StrEnum):
    """What was there before."""

    NOTHING = "created"
    UNFINISHED = "found unfinished"
    FINISHED = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """What key is wanted: of a tenant, or the escrow key. Without a `policy` it stays shut.

    `known` is the key that the project names already.
    """

    vendor: VendorSpec
    tenant: TenantId | None
    tags: Mapping[str, str]
    description: str
    policy: KeyPolicy | None
    known: KeyArn | None = None


@dataclass(frozen=True, slots=True)
class ProvidedKey:
    """The key, and what was there. `policy` is what the key has now."""

    arn: KeyArn
    found: Found
    policy: KeyPolicy


def provide_key(admin: KeyAdmin, inventory: KeyInventory, order: KeyOrder, *, pause: Pause) -> ProvidedKey:
    """Return the key that was ordered. A key that has a policy of ours already is looked at and left as it is.

    Raises NotTrusted for a key that is not what was ordered, UsageError for several, and what the ports raise.
    """
    # 1. What is there.
    there = order.known or _find(admin, inventory, order)
    # 2. Create.
    arn = there or _create(admin, inventory, order)
    # 3. Its policy.
    found = _finish(admin, arn, order, pause)
    return ProvidedKey(arn, found if there else Found.NOTHING, read_key_policy(admin, arn))


def _create(admin: KeyAdmin, inventory: KeyInventory, order: KeyOrder) -> KeyArn:
    """Create a key, and be sure that the next run would find it: it would create another one if it may read no tags."""
    arn = create_shut_key(admin, vendor=order.vendor, description=order.description, tags=order.tags)
    try:
        inventory.expect_tags(arn, order.tags)
    except StrongroomError as error:
        error.add_note(f"The key {arn} was created, and a second run would not find it by its tags.")
        raise
    return arn


def _find(admin: KeyAdmin, inventory: KeyInventory, order: KeyOrder) -> KeyArn | None:
    found = [arn for arn in inventory.find_keys(order.tags) if admin.describe_key(arn).state not in _GOING]
    if len(found) > 1:
        raise UsageError(
            "key.several",
            f"expected at most one key with the tags {dict(order.tags)}, found {', '.join(found)}",
            remedy="Name the one that bundles are sealed under in the project. Of another one be sure that nothing is "
            "sealed under it; then schedule its deletion.",
        )
    return found[0] if found else None


def _finish(admin: KeyAdmin, arn: KeyArn, order: KeyOrder, pause: Pause) -> Found:
    expect_plain_key(admin.describe_key(arn))
    expect_no_grants(admin, arn)
    now = read_key_policy(admin, arn)
    if is_bootstrap(now, order.vendor):
        if order.policy is not None:
            finish_key(admin, arn, vendor=order.vendor, policy=order.policy, pause=pause)
        return Found.UNFINISHED
    if order.tenant is not None:
        _expect_train_of(order, read_train(now), arn)
    elif order.policy is not None and meaning(now) != meaning(order.policy):
        raise NotTrusted(
            "key.not-as-ordered",
            f"expected {arn} to have the policy of {order.description}, found another",
            findings=policy_differences(order.policy, now),
            remedy="Find out who changed it; `strongroom key policy` writes the one that it should have.",
        )
    return Found.FINISHED


def _expect_train_of(order: KeyOrder, train: TenantKeySpec, arn: KeyArn) -> None:
    if (train.vendor.product, train.tenant) != (order.vendor.product, order.tenant):
        raise NotTrusted(
            "key.other-tenant",
            f"expected {arn} to be the key of {order.description}, found the policy of product "
            f"{train.vendor.product}, tenant {train.tenant}",
        )
