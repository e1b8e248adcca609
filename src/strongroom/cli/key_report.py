# SPDX-License-Identifier: Apache-2.0
"""How `strongroom key` shows a train: lines for people, and members with stable keys for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from strongroom.cli.key_plan import Plan
from strongroom.errors import Finding, Severity
from strongroom.formats.pcrs import GATES, PcrIndex
from strongroom.formats.times import aws_time
from strongroom.keypolicy.model import KeyPolicy, budget
from strongroom.keypolicy.room import Room, room_in
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec
from strongroom.keypolicy.train import VERSION_DIGITS

SHUT = "It opens for nobody."


def release_members(release: AdmittedRelease) -> dict[str, object]:
    """Return one version of a train."""
    gates = {f"PCR{index}": gate for index in GATES if (gate := _gate(release, index)) is not None}
    return {
        "version": release.version,
        "pcrs": gates,
        "ring": release.ring,
        "epoch": release.epoch,
        "expires": aws_time(release.expires) if release.expires else None,
        "secure_boot": release.secure_boot is SecureBoot.GATED,
    }


def train_members(train: TenantKeySpec | None, policy: KeyPolicy) -> dict[str, object]:
    """Return the train that a policy admits, and its size; no versions where the key opens for nobody."""
    size = budget(policy)
    members: dict[str, object] = {"bytes": size.used_bytes, "limit_bytes": size.limit_bytes}
    if train is None:
        return members | {"versions": [], "more_alike": None, "more_apart": None}
    room = room_in(train)
    versions = [release_members(each) for each in train.releases]
    return members | {"versions": versions, "more_alike": room.more_alike, "more_apart": room.more_apart}


def plan_members(plan: Plan) -> dict[str, object]:
    """Return what a plan changes, and the train afterwards."""
    changes = {"added": plan.added, "removed": plan.removed, "rescheduled": plan.rescheduled}
    shown: dict[str, object] = {name: [release_members(each) for each in some] for name, some in changes.items()}
    return shown | train_members(plan.train, plan.after)


def plan_lines(plan: Plan, *, now: datetime) -> Iterator[str]:
    """Yield what a plan changes, and the train afterwards."""
    for sign, some in (("+", plan.added), ("-", plan.removed), ("~", plan.rescheduled)):
        yield from (f"  {sign} {_line(each, now)}" for each in some)
    yield from train_lines(plan.train, plan.after, now=now)


def train_lines(train: TenantKeySpec | None, policy: KeyPolicy, *, now: datetime) -> Iterator[str]:
    """Yield the versions that a key opens for, and how many more fit."""
    if train is None:
        yield f"  {SHUT}"
        return
    yield f"  It opens for {len(train.releases)} {_versions(train.releases)}:"
    yield from (f"    {_line(each, now)}" for each in train.releases)
    yield f"  {room_line(room_in(train), budget(policy).used_bytes)}"


def room_line(room: Room, used_bytes: int) -> str:
    """Return how many versions more fit, in words."""
    return (
        f"{used_bytes:,} of {room.limit_bytes:,} bytes; {room.more_alike} versions more fit if they share epoch and "
        f"expiry with the last one, {room.more_apart} if each has an expiry of its own"
    )


def constant_findings(train: TenantKeySpec | None) -> Iterator[Finding]:
    """Yield what a train takes for a gate that is the same for every clean boot: a version's name does not show it.

    Whoever may replace the policy can admit another command line for a version that was admitted (ATTACKS B1).
    """
    for release in train.releases if train else ():
        for index, value in release.overrides.items():
            said = f"PCR4 {release.version}… opens with PCR{index} {value.hex()}, not the constant of a clean boot"
            yield Finding("key.other-constant", said, Severity.WARNING)


def _versions(releases: Sequence[AdmittedRelease]) -> str:
    return "version" if len(releases) == 1 else "versions"


def _line(release: AdmittedRelease, now: datetime) -> str:
    gated = ", Secure Boot" if release.secure_boot is SecureBoot.GATED else ""
    others = "".join(f", PCR{index} {value.hex()[:VERSION_DIGITS]}…" for index, value in release.overrides.items())
    return f"PCR4 {release.version}…  ring {release.ring}  epoch {release.epoch}  {_end(release, now)}{gated}{others}"


def _end(release: AdmittedRelease, now: datetime) -> str:
    if release.expires is None:
        return "no expiry"
    return f"until {aws_time(release.expires)}" + (" (over)" if release.expires <= now else "")


def _gate(release: AdmittedRelease, index: PcrIndex) -> str | None:
    return release.gate(index) if index in release.pcrs else None
