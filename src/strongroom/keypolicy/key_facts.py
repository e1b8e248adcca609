# SPDX-License-Identifier: Apache-2.0
"""What conditions can see of the KMS key, or of the one that CreateKey makes.

KMS Developer Guide, "AWS KMS condition keys": kms:KeySpec, kms:KeyUsage, kms:KeyOrigin, kms:MultiRegion,
kms:MultiRegionKeyType, kms:ResourceAliases, kms:EncryptionAlgorithm; "Using tags to control access to KMS keys".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.formats.arn import arn_account
from strongroom.ids import KeyArn
from strongroom.keypolicy.global_keys import RESOURCE_TAG
from strongroom.keypolicy.operations import OPERATIONS

SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"
"""Both a key spec and an algorithm (KMS API model, KeySpec and EncryptionAlgorithmSpec)."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Properties of a key, in AWS's words. `multi_region_type` is PRIMARY or REPLICA, and empty for other keys.

    `aliases` are names such as `alias/app`. `idle_days` is how long the key was not used, None where not known.
    """

    spec: str = SYMMETRIC_DEFAULT
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region_type: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    organization: str = ""
    organization_paths: tuple[str, ...] = ()
    idle_days: int | None = None


def facts_of_key(arn: KeyArn | None, key: KeyFacts | None) -> dict[str, tuple[str, ...]]:
    """Return what is known of a key; its account alone where `key` is None."""
    facts: dict[str, tuple[str, ...]] = {} if arn is None else {"aws:resourceaccount": (arn_account(arn),)}
    if key is None:
        return facts
    single = {
        "kms:keyspec": key.spec,
        "kms:customermasterkeyspec": key.spec,
        "kms:keyusage": key.usage,
        "kms:customermasterkeyusage": key.usage,
        "kms:keyorigin": key.origin,
        "kms:multiregion": "true" if key.multi_region_type else "false",
        "kms:multiregionkeytype": key.multi_region_type,
        "aws:resourceorgid": key.organization,
        "kms:trailingdayswithoutkeyusage": "" if key.idle_days is None else str(key.idle_days),
        **{f"{RESOURCE_TAG.lower()}{name.lower()}": value for name, value in key.tags.items()},
    }
    lists = {"kms:resourcealiases": key.aliases, "aws:resourceorgpaths": key.organization_paths}
    facts.update({name: (value,) for name, value in single.items() if value})
    facts.update({name: values for name, values in lists.items() if values})
    return facts


def algorithm_facts(action: str, key: KeyFacts | None) -> dict[str, tuple[str, ...]]:
    """Return the algorithm that is used when the request names none, which conditions see all the same.

    Data keys are always encrypted with SYMMETRIC_DEFAULT, and so is everything else under a symmetric key.
    """
    symmetric = action.startswith("kms:GenerateDataKey") or (key is not None and key.spec == SYMMETRIC_DEFAULT)
    if not symmetric or not OPERATIONS[action].takes_context:
        return {}
    return {"kms:encryptionalgorithm": (SYMMETRIC_DEFAULT,)}
