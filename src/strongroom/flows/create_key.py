# SPDX-License-Identifier: Apache-2.0
"""Create a key that never opens before it is finished (docs/formats/key-policy.md; ATTACKS K20).

1. Create it under the bootstrap policy, which denies every opening to everybody.
2. Look at what was created: made by KMS, in one region, usable.
3. Put the final policy, in one call.
4. Read it back and compare by meaning: what KMS holds is what was asked for.
"""

from __future__ import annotations

from strongroom.errors import NotTrusted
from strongroom.ids import KeyArn
from strongroom.keypolicy.generate import bootstrap_key_policy
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy, parse_key_policy
from strongroom.keypolicy.spec import VendorSpec
from strongroom.ports import KeyAdmin, KeyFacts

_ORIGIN = "AWS_KMS"
_STATE = "Enabled"


def create_key(admin: KeyAdmin, *, vendor: VendorSpec, policy: KeyPolicy, description: str) -> KeyArn:
    """Return the ARN of a new key under `policy`.

    Raises NotTrusted when the key or its policy is not what was asked for; it then opens for nobody or needs a look.
    Raises what the port raises.
    """
    # 1. Under the bootstrap policy.
    facts = admin.create_key(policy=encode_key_policy(bootstrap_key_policy(vendor)), description=description)
    # 2. What was created.
    expect_plain_key(facts)
    # 3. The final policy.
    admin.put_key_policy(facts.arn, encode_key_policy(policy))
    # 4. Read back.
    expect_policy(admin, facts.arn, policy)
    return facts.arn


def expect_plain_key(facts: KeyFacts) -> None:
    """Raise NotTrusted for a key with imported material, in several regions, or out of use."""
    if facts.origin != _ORIGIN:
        raise NotTrusted("key.origin", f"expected {facts.arn} to be made by KMS ({_ORIGIN}), found {facts.origin}")
    if facts.multi_region:
        raise NotTrusted("key.multi-region", f"expected {facts.arn} to live in one region, found a multi-region key")
    if facts.state != _STATE:
        raise NotTrusted("key.state", f"expected {facts.arn} to be {_STATE}, found {facts.state}")


def expect_policy(admin: KeyAdmin, key_arn: KeyArn, policy: KeyPolicy) -> None:
    """Raise NotTrusted unless KMS holds a policy of the same meaning."""
    if meaning(parse_key_policy(admin.key_policy(key_arn))) != meaning(policy):
        raise NotTrusted(
            "key.policy",
            f"expected the policy that was put on {key_arn}, found another",
            remedy="Somebody else changes this key's policy. Find out who before anything is sealed under it.",
        )
