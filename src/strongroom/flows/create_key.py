# SPDX-License-Identifier: Apache-2.0
"""Create a key that never opens before it is finished (docs/formats/key-policy.md; ATTACKS K20).

1. Create it under the bootstrap policy, which denies every opening and every grant to everybody.
2. Look at what was created: made by KMS, in one region, usable; under that policy; without grants.
3. Put the final policy, in one call.
4. Read it back and compare by meaning: what KMS holds is what was asked for.
5. Look for grants again. Whoever could replace the policy for a moment may have planted one, before step 3 or since.

Between 2 and 3 any time may pass: `finish_key` looks at everything again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.errors import Finding, NotTrusted
from strongroom.flows.change_policy import Pause, PolicyChange, at_once, expect_policy, put_policy
from strongroom.ids import KeyArn
from strongroom.keypolicy.generate import bootstrap_key_policy
from strongroom.keypolicy.grant_list import parse_grant_list
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy
from strongroom.keypolicy.spec import VendorSpec
from strongroom.ports import KeyAdmin, KeyFacts

NO_TAGS: Mapping[str, str] = MappingProxyType({})
_ORIGIN = "AWS_KMS"
_STATE = "Enabled"


def create_key(
    admin: KeyAdmin, *, vendor: VendorSpec, policy: KeyPolicy, description: str, pause: Pause = at_once
) -> KeyArn:
    """Return the ARN of a new key under `policy`. Without a `pause` nothing is waited for, which is for a twin.

    Raises NotTrusted when the key, its grants or its policy are not what was asked for; nothing may be sealed under it
    then. Raises what the port raises.
    """
    key_arn = create_shut_key(admin, vendor=vendor, description=description)
    finish_key(admin, key_arn, vendor=vendor, policy=policy, pause=pause)
    return key_arn


def create_shut_key(
    admin: KeyAdmin, *, vendor: VendorSpec, description: str, tags: Mapping[str, str] = NO_TAGS
) -> KeyArn:
    """Return the ARN of a new key that opens for nobody: steps 1 and 2. Raises as `create_key`."""
    # 1. Under the bootstrap policy.
    shut = bootstrap_key_policy(vendor)
    facts = admin.create_key(policy=encode_key_policy(shut), description=description, tags=tags)
    # 2. What was created.
    expect_plain_key(facts)
    expect_policy(admin, facts.arn, shut)
    expect_no_grants(admin, facts.arn)
    return facts.arn


def finish_key(admin: KeyAdmin, key_arn: KeyArn, *, vendor: VendorSpec, policy: KeyPolicy, pause: Pause) -> None:
    """Put the first policy that opens on a key that was created shut: steps 2 to 5. Raises as `create_key`."""
    shut = bootstrap_key_policy(vendor)
    # 2. Still what was created. That it is still under the bootstrap policy is seen last, in `put_policy`.
    expect_plain_key(admin.describe_key(key_arn))
    expect_no_grants(admin, key_arn)
    # 3 and 4. The final policy, in one call, and read back.
    put_policy(admin, PolicyChange(key_arn, shut, policy), pause=pause)
    # 5. Nobody planted a grant meanwhile.
    expect_no_grants(admin, key_arn)


def expect_plain_key(facts: KeyFacts) -> None:
    """Raise NotTrusted for a key with imported material, in several regions, or out of use."""
    if facts.origin != _ORIGIN:
        raise NotTrusted("key.origin", f"expected {facts.arn} to be made by KMS ({_ORIGIN}), found {facts.origin}")
    if facts.multi_region:
        raise NotTrusted("key.multi-region", f"expected {facts.arn} to live in one region, found a multi-region key")
    if facts.state != _STATE:
        raise NotTrusted("key.state", f"expected {facts.arn} to be {_STATE}, found {facts.state}")


def expect_no_grants(admin: KeyAdmin, key_arn: KeyArn) -> None:
    """Raise NotTrusted for a key with grants: every policy we write denies CreateGrant, so somebody replaced one."""
    grants = parse_grant_list(admin.key_grants(key_arn).encode())
    if grants:
        raise NotTrusted(
            "key.grants",
            f"expected no grants on {key_arn}, found {len(grants)}",
            findings=[
                Finding(
                    "key.grant",
                    f"grant {each.grant_id} of {each.grantee.value}: {', '.join(sorted(each.operations))}",
                )
                for each in grants
            ],
            remedy="Seal nothing under this key. Find out in CloudTrail who replaced its policy and made the grant; "
            "then schedule its deletion and create another.",
        )
