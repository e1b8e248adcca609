# SPDX-License-Identifier: Apache-2.0
"""The file of an appraisal policy (docs/formats/appraisal-policy.md): bytes to frozen types, and back.

A `PolicyFile` says what the file says: paths of measurements files are not followed here, and nothing here judges how
strong the rules are. `appraisal/policy_file.py` makes a policy of it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from strongroom.formats import strict_json
from strongroom.formats.durations import EXAMPLES, read_duration, write_duration
from strongroom.formats.measurements import Measurements, encode_measurements, read_digest, read_measurements
from strongroom.formats.pcrs import ALWAYS_MEASURED, PCR_COUNT, ZERO_SHA384, PcrIndex
from strongroom.formats.tree import Node, shown
from strongroom.ids import InstanceId, Region

VERSION = 1
MAX_BYTES = 1 << 20
MAX_DEPTH: Final = 8
"""Levels of `all_of` and `any_of` within each other."""
MAX_RULES = 1024
MAX_NAME = 256
"""Characters. A note has at most `tree.MAX_TEXT`."""
_MAX_DIGESTS = 64
_MAX_REGIONS = 64
_MAX_INSTANCES = 1024
_SPEC = "docs/formats/appraisal-policy.md"
_LABELS = ("name", "note")
_CONDITIONS = ("measurements", "pcrs", "max_age", "regions", "instances")
_NESTED = ("all_of", "any_of")
_ONE_LINE = re.compile(r"[^\n]+")
_INDEX = re.compile(r"[12]?[0-9]|3[01]")
_INDICES = "a PCR index from 0 to 31, in decimal"


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: everything that is there must hold. At least one of the members from `measurements` on is there."""

    place: str
    """Key and number in the rule that holds it, such as `any_of[1]`; empty for the whole file."""
    name: str = ""
    note: str = ""
    measurements: Measurements | str | None = None
    """Of one image, or the path of their file, as it was written."""
    pcrs: tuple[tuple[PcrIndex, tuple[bytes, ...]], ...] = ()
    """PCRs in ascending order, each with its acceptable digests."""
    max_age: timedelta | None = None
    regions: tuple[Region, ...] = ()
    instances: tuple[InstanceId, ...] = ()
    all_of: tuple[PolicyRule, ...] = ()
    any_of: tuple[PolicyRule, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The content of one policy file."""

    rule: PolicyRule

    def paths(self) -> tuple[str, ...]:
        """Return the paths of measurements files, as they were written, each once."""
        named = (rule.measurements for rule in self.rules())
        return tuple(dict.fromkeys(path for path in named if isinstance(path, str)))

    def rules(self) -> Iterator[PolicyRule]:
        """Yield every rule, outer ones first."""
        waiting = [self.rule]
        for rule in waiting:
            yield rule
            waiting.extend((*rule.all_of, *rule.any_of))


def parse_appraisal_policy(data: bytes) -> PolicyFile:
    """Read a policy file. Raises FormatError with the place for anything unknown, duplicate, missing or too much."""
    root = strict_json.parse(data, maximum_bytes=MAX_BYTES, spec=_SPEC)
    root.members(("version",))["version"].integer(VERSION, VERSION)
    return PolicyFile(_tree(root))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rule stands: how deep, in which other rule, under which key."""

    depth: int
    holder: int
    key: str


def _tree(root: Node) -> PolicyRule:
    """Read the rules level by level, then put the inner ones into the outer ones: no recursion on what is read."""
    waiting = [(root, _Place(0, -1, ""))]
    rules: list[PolicyRule] = []
    for number, (node, place) in enumerate(waiting):
        members = node.record(("version",) if place.depth == 0 else (), (*_LABELS, *_CONDITIONS, *_NESTED))
        _expect_condition(node, members)
        for key in _NESTED:
            nested = members[key].items(minimum=1) if key in members else ()
            _expect_few(node, place.depth + bool(nested), len(waiting) + len(nested))
            waiting.extend((inner, _Place(place.depth + 1, number, key)) for inner in nested)
        rules.append(_rule(node, members))
    return _assembled(rules, [place for _, place in waiting])


def _assembled(rules: list[PolicyRule], places: list[_Place]) -> PolicyRule:
    inner: dict[tuple[int, str], list[PolicyRule]] = defaultdict(list)
    for number in range(len(rules) - 1, -1, -1):  # whatever is inside a rule stands after it
        all_of, any_of = (tuple(reversed(inner[number, key])) for key in _NESTED)
        whole = replace(rules[number], all_of=all_of, any_of=any_of)
        inner[places[number].holder, places[number].key].append(whole)
    return inner[-1, ""][0]


def _expect_condition(node: Node, members: Mapping[str, Node]) -> None:
    if not members.keys() & {*_CONDITIONS, *_NESTED}:
        raise node.refused(
            "policy-file.no-condition", f"expected at least one of {', '.join((*_CONDITIONS, *_NESTED))}, found none"
        )


def _expect_few(node: Node, depth: int, count: int) -> None:
    if depth > MAX_DEPTH:
        raise node.refused("policy-file.too-deep", f"expected rules within rules to a depth of {MAX_DEPTH}, found more")
    if count > MAX_RULES:
        raise node.refused("policy-file.too-many", f"expected at most {MAX_RULES} rules, found more")


def _rule(node: Node, members: Mapping[str, Node]) -> PolicyRule:
    return PolicyRule(
        place="{}[{}]".format(*node.path[-2:]) if node.path else "",
        name=_name(members["name"]) if "name" in members else "",
        note=members["note"].text() if "note" in members else "",
        measurements=_measurements(members["measurements"]) if "measurements" in members else None,
        pcrs=_pcrs(members["pcrs"]) if "pcrs" in members else (),
        max_age=_duration(members["max_age"]) if "max_age" in members else None,
        regions=_regions(members["regions"]) if "regions" in members else (),
        instances=_instances(members["instances"]) if "instances" in members else (),
    )


def _name(node: Node) -> str:
    node.string(maximum=MAX_NAME)
    return node.text(_ONE_LINE, wanted="one line of text")


def _measurements(node: Node) -> Measurements | str:
    return node.text() if isinstance(node.value, str) else read_measurements(node)


def _pcrs(node: Node) -> tuple[tuple[PcrIndex, tuple[bytes, ...]], ...]:
    members = node.table(minimum=1, maximum=PCR_COUNT)
    pcrs = {PcrIndex(int(member.key().text(_INDEX, wanted=_INDICES))): _digests(member) for _, member in members}
    for index in ALWAYS_MEASURED:
        if ZERO_SHA384 in pcrs.get(index, ()):
            raise node.refused(
                "policy-file.zero-pcr",
                f"expected a measured value for PCR{index}, found all zeros: nothing was measured into it",
                remedy="Measure the image again; a value of zeros would admit a machine that measured nothing.",
            )
    return tuple(sorted(pcrs.items()))


def _digests(node: Node) -> tuple[bytes, ...]:
    digests = [read_digest(member) for member in node.items(minimum=1, maximum=_MAX_DIGESTS)]
    return tuple(map(bytes.fromhex, node.distinct(digest.hex() for digest in digests)))


def _duration(node: Node) -> timedelta:
    duration = read_duration(node.text())
    if not duration:
        raise node.refused(
            "policy-file.duration", f"expected a duration above zero such as {EXAMPLES}, found {shown(node.value)}"
        )
    return duration


def _regions(node: Node) -> tuple[Region, ...]:
    regions = [member.region() for member in node.items(minimum=1, maximum=_MAX_REGIONS)]
    return tuple(map(Region, node.distinct(regions)))


def _instances(node: Node) -> tuple[InstanceId, ...]:
    ids = [member.instance_id() for member in node.items(minimum=1, maximum=_MAX_INSTANCES)]
    return tuple(map(InstanceId, node.distinct(ids)))


def encode_appraisal_policy(policy: PolicyFile) -> bytes:
    """Write a policy file. What it writes parses to the same policy."""
    return strict_json.encode({"version": VERSION, **_members(policy.rule)})


def _members(rule: PolicyRule) -> dict[str, object]:
    """Return a rule as the members of its object. It descends as deep as the parser lets rules nest."""
    members = {
        "name": rule.name,
        "note": rule.note,
        "measurements": _written(rule.measurements),
        "pcrs": {str(index): [digest.hex() for digest in digests] for index, digests in rule.pcrs},
        "max_age": "" if rule.max_age is None else write_duration(rule.max_age),
        "regions": list(rule.regions),
        "instances": list(rule.instances),
        "all_of": [_members(inner) for inner in rule.all_of],
        "any_of": [_members(inner) for inner in rule.any_of],
    }
    return {key: value for key, value in members.items() if value}


def _written(measurements: Measurements | str | None) -> object:
    if not isinstance(measurements, Measurements):
        return measurements
    content = json.loads(encode_measurements(measurements))
    for index in measurements.assumed:
        del content["Measurements"][f"PCR{index}"]
    return content
