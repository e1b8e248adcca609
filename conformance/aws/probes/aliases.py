# SPDX-License-Identifier: Apache-2.0
"""Names of keys."""

from __future__ import annotations

import json
from typing import Any

from conformance.aws.answers import error_of, outcome
from conformance.aws.probe import Ask, probe
from conformance.aws.statements import document, may
from conformance.aws.workbench import Workbench


@probe("bare-names", keys=1, aliases=1)
def bare_names(bench: Workbench) -> Ask:
    """A key by its id, its alias, and the ARN of that."""
    key = bench.key()
    alias = bench.alias(key)
    arn = key.rpartition(":")[0] + ":" + alias
    data = {"KeySpec": "AES_256"}
    return lambda: {
        "id": outcome(bench.kms.generate_data_key, KeyId=key.rpartition("/")[2], **data),
        "alias": outcome(bench.kms.generate_data_key, KeyId=alias, **data),
        "alias_arn": outcome(bench.kms.generate_data_key, KeyId=arn, **data),
    }


@probe("no-alias-to-manage", keys=1, aliases=1)
def no_alias_to_manage(bench: Workbench) -> Ask:
    """Operations that manage keys, on an alias."""
    kms, key = bench.kms, bench.key()
    alias = bench.alias(key)
    policy = json.dumps(document([bench.delegated("kms:*")]))
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "DisableKey": (kms.disable_key, {}),
        "EnableKeyRotation": (kms.enable_key_rotation, {}),
        "GetKeyPolicy": (kms.get_key_policy, {}),
        "ListGrants": (kms.list_grants, {}),
        "PutKeyPolicy": (kms.put_key_policy, {"Policy": policy}),
        "ScheduleKeyDeletion": (kms.schedule_key_deletion, {"PendingWindowInDays": 7}),
    }
    return lambda: {name: outcome(call, KeyId=alias, **more) for name, (call, more) in calls.items()}


@probe("no-alias-sentence", keys=1, aliases=1)
def no_alias_sentence(bench: Workbench) -> Ask:
    """What one of them says."""
    alias = bench.alias(bench.key())
    return lambda: {"sentence": error_of(bench.kms.disable_key, KeyId=alias)[1].replace(alias, "ALIAS")}


@probe("alias-permissions", keys=1, principals=2, aliases=2)
def alias_permissions(bench: Workbench) -> Ask:
    """A new alias, by somebody who may do that to the key alone, and to the alias alone."""
    key, first, second = bench.key(), bench.role("key"), bench.role("alias")
    by_first = bench.refused_alias(key, "first", by=lambda: first.kms)
    by_second = bench.refused_alias(key, "second", by=lambda: second.kms)
    first.allow(may("kms:CreateAlias", key))
    second.allow(may("kms:CreateAlias", f"{key.rpartition(':')[0]}:alias/{bench.prefix}second"))
    return lambda: {"key_alone": by_first(), "alias_alone": by_second()}


@probe("alias-type", keys=2, aliases=1)
def alias_type(bench: Workbench) -> Ask:
    """An alias of a symmetric key, moved to one for signatures."""
    alias = bench.alias(bench.key())
    signing = bench.key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    return lambda: {"error": outcome(bench.kms.update_alias, AliasName=alias, TargetKeyId=signing)}
