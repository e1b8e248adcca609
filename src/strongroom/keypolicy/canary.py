# SPDX-License-Identifier: Apache-2.0
"""The policy of a canary key: that of a tenant's key, with the vendor in the place of tenant and sealer.

Every gate and every Deny is, byte for byte, what the tenant's key gets, so that whoever holds the vendor's credentials
and a document of a running instance can ask the real KMS what it says to them. The key guards nothing.
"""

from __future__ import annotations

from dataclasses import replace

from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.spec import TenantKeySpec


def canary_key_policy(spec: TenantKeySpec) -> KeyPolicy:
    """Return the policy. Raises UsageError as `tenant_key_policy`."""
    policy = tenant_key_policy(replace(spec, accounts=(spec.vendor.account,), role_patterns=()))
    vendor = next(each.principals for each in policy.statements if each.sid == "Admin")
    sealed = (replace(each, principals=vendor) if each.sid == "Seal" else each for each in policy.statements)
    return replace(policy, statements=tuple(sealed))
