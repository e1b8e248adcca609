# SPDX-License-Identifier: Apache-2.0
"""Access keys, sessions, and who may become a role."""

from __future__ import annotations

from conformance.aws.answers import outcome
from conformance.aws.principals import AccessKey
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.statements import may
from conformance.aws.workbench import Workbench

UNKNOWN = AccessKey("AKIA" + "A" * 16, "nobody has this secret")


@probe("unknown-key")
def unknown_key(bench: Workbench) -> Ask:
    """An access key that nobody has, and the runner's with a wrong secret."""
    connect = bench.target.clients.connect
    calls = {
        "kms": connect("kms", UNKNOWN).list_keys,
        "sts": connect("sts", UNKNOWN).get_caller_identity,
        "ec2": connect("ec2", UNKNOWN).describe_instances,
        "s3": connect("s3", UNKNOWN).list_buckets,
    }
    return lambda: {service: outcome(call) for service, call in calls.items()}


@probe("open-session", keys=1, principals=1)
def open_session(bench: Workbench) -> Ask:
    """A session that is open when its role's policy changes."""
    role, key = bench.role(), bench.key()
    role.allow(may("kms:Encrypt", key))
    call = {"KeyId": key, "Plaintext": b"probe", "DryRun": True}
    before = bench.eventually(role.kms.encrypt, **call)
    role.allow(may("kms:DescribeKey", key))
    return lambda: {"before": before, "after": outcome(role.kms.encrypt, **call)}


@probe("deleted-session", principals=1)
def deleted_session(bench: Workbench) -> Ask:
    """A session whose role is removed and made again."""
    role = bench.role()
    sts = role.client("sts")
    before = outcome(sts.get_caller_identity)
    role.make_anew()
    return lambda: {"before": before, "after": outcome(sts.get_caller_identity)}


@probe("assume-role", principals=3)
def assume_role(bench: Workbench) -> Ask:
    """A role that trusts its account, assumed by somebody with that permission and by somebody without."""
    role, able, unable = bench.role(), bench.role("able"), bench.role("unable")
    able.allow(may("sts:AssumeRole", role.arn))
    call = {"RoleArn": role.arn, "RoleSessionName": "probe"}

    def ask() -> Seen:
        able.kms  # noqa: B018 -- from here on its policy is known
        return {
            "permitted": outcome(able.client("sts").assume_role, **call),
            "not_permitted": outcome(unable.client("sts").assume_role, **call),
        }

    return ask


@probe("assume-nothing", principals=2)
def assume_nothing(bench: Workbench) -> Ask:
    """A role that does not exist, and one that may not be assumed."""
    role, unable = bench.role(), bench.role("unable")

    def ask() -> Seen:
        sts = unable.client("sts")
        missing = role.arn + "-missing"
        return {
            "there": outcome(sts.assume_role, RoleArn=role.arn, RoleSessionName="probe"),
            "missing": outcome(sts.assume_role, RoleArn=missing, RoleSessionName="probe"),
        }

    return ask
