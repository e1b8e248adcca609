# SPDX-License-Identifier: Apache-2.0
"""States, policies, tags and rotations of keys."""

from __future__ import annotations

import json
import uuid
from typing import Any

from conformance.aws.answers import error_of, outcome
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.statements import MANAGE, document
from conformance.aws.workbench import Workbench

_ALL_BUT_PUTTING = tuple(action for action in MANAGE if action != "kms:PutKeyPolicy")
"""Of a policy that should be refused, and under which the key could be deleted if it were not."""
_NO_TAGS = 49
"""Further tags of a probe's key that has two: with these it would have one too many."""


@probe("lockout", keys=1)
def lockout(bench: Workbench) -> Ask:
    """A policy under which its author could not put another."""
    key = bench.key()
    policy = json.dumps(document([bench.delegated(*_ALL_BUT_PUTTING)]))
    return lambda: {"error": outcome(bench.kms.put_key_policy, KeyId=key, Policy=policy)}


@probe("lockout-at-creation", keys=1)
def lockout_at_creation(bench: Workbench) -> Ask:
    """The same for a new key."""
    policy = json.dumps(document([bench.delegated(*_ALL_BUT_PUTTING)]))
    refused = bench.refused_key(Policy=policy)
    return lambda: {"error": refused()}


@probe("custom-key-store", keys=1)
def custom_key_store(bench: Workbench) -> Ask:
    """A key in a store that nobody has."""
    refused = bench.refused_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=f"cks-{uuid.uuid4().hex[:17]}")
    return lambda: {"error": refused()}


@probe("key-states", keys=2)
def key_states(bench: Workbench) -> Ask:
    """A disabled key, and one that waits for its deletion."""
    disabled, pending, kms = bench.key(), bench.key(), bench.kms
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=pending, PendingWindowInDays=7)

    def ask() -> Seen:
        first, second = (error_of(kms.encrypt, KeyId=key, Plaintext=b"probe") for key in (disabled, pending))
        return {
            "disabled": first[0],
            "pending": second[0],
            "change": outcome(kms.update_key_description, KeyId=pending, Description="probe"),
            "disabled_sentence": bench.without_names(first[1], disabled),
            "pending_sentence": bench.without_names(second[1], pending),
        }

    return ask


@probe("key-states-open", keys=2)
def key_states_open(bench: Workbench) -> Ask:
    """Where AWS's table of key states names two errors for a key that waits for its deletion."""
    key, signing, kms = bench.key(), bench.key(spec="ECC_NIST_P256", usage="SIGN_VERIFY"), bench.kms
    for each in (key, signing):
        kms.schedule_key_deletion(KeyId=each, PendingWindowInDays=7)
    signature = {"Message": b"probe", "SigningAlgorithm": "ECDSA_SHA_256"}
    return lambda: {
        "enable": outcome(kms.enable_key, KeyId=key),
        "sign": outcome(kms.sign, KeyId=signing, **signature),
    }


@probe("waiting-period", keys=1)
def waiting_period(bench: Workbench) -> Ask:
    """Too short, too long, and none given."""
    key, kms = bench.key(), bench.kms
    default = kms.schedule_key_deletion(KeyId=key)["PendingWindowInDays"]
    kms.cancel_key_deletion(KeyId=key)
    return lambda: {
        "six": outcome(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6),
        "thirty_one": outcome(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=31),
        "default": str(default),
    }


@probe("rotation", keys=1, rotations=1)
def rotation(bench: Workbench) -> Ask:
    """What was encrypted before a rotation, and periods of automatic ones."""
    key, kms = bench.key(), bench.kms
    blob = kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    kms.enable_key_rotation(KeyId=key)
    return lambda: {
        "old_ciphertext": outcome(kms.decrypt, KeyId=key, CiphertextBlob=blob),
        "short_period": outcome(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=89),
        "default_period": str(kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays")),
    }


@probe("quotas", keys=1)
def quotas(bench: Workbench) -> Ask:
    """One tag too many, and a policy that is too long."""
    key, kms = bench.key(), bench.target.clients.connect("kms", attempts=1)  # botocore would try again: it is a limit
    tags = [{"TagKey": f"probe{number}", "TagValue": ""} for number in range(_NO_TAGS)]
    padding = [bench.delegated("kms:DescribeKey", sid=f"Probe{number}") for number in range(300)]
    policy = json.dumps(document([bench.delegated("kms:*"), *padding]))
    return lambda: {
        "tags": outcome(kms.tag_resource, KeyId=key, Tags=tags),
        "policy": outcome(kms.put_key_policy, KeyId=key, Policy=policy),
    }


@probe("pages", keys=1)
def pages(bench: Workbench) -> Ask:
    """A list in two pages, and a marker that nobody gave."""
    key, kms = bench.key(), bench.kms

    def shown(answer: Any) -> str:
        return f"{len(answer['Tags'])}" + (", more" if answer["Truncated"] else "")

    def ask() -> Seen:
        first = kms.list_resource_tags(KeyId=key, Limit=1)
        second = kms.list_resource_tags(KeyId=key, Limit=1, Marker=first.get("NextMarker", ""))
        foreign = outcome(kms.list_resource_tags, KeyId=key, Limit=1, Marker="bm9ib2R5IGdhdmUgdGhpcw==")
        return {"first": shown(first), "second": shown(second), "foreign_marker": foreign}

    return ask


@probe("not-of-this-key", keys=1)
def not_of_this_key(bench: Workbench) -> Ask:
    """Importing material into a key that has KMS's own."""
    key = bench.key()

    def ask() -> Seen:
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        code, sentence = error_of(bench.kms.get_parameters_for_import, KeyId=key, **wrapping)
        return {"error": code, "sentence": bench.without_names(sentence, key)}

    return ask


@probe("foreign-key-missing")
def foreign_key_missing(bench: Workbench) -> Ask:
    """A key that is not there, in an account of AWS's examples."""
    clients = bench.target.clients
    key = f"arn:{clients.partition}:kms:{clients.region}:111122223333:key/{uuid.uuid4()}"
    return lambda: {"error": outcome(bench.kms.describe_key, KeyId=key)}
