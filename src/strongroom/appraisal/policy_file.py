# SPDX-License-Identifier: Apache-2.0
"""From what a policy file says to the rule it means. Which measurements stand behind its paths is the caller's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from strongroom.appraisal.composition import AllOf, AnyOf, measured_image
from strongroom.appraisal.rules import Instances, MaximumAge, PcrRule, Regions, Rule
from strongroom.errors import Finding
from strongroom.formats.appraisal_policy import PolicyFile, PolicyRule
from strongroom.formats.measurements import Measurements


def rule_of(policy: PolicyFile, files: Mapping[str, Measurements]) -> AllOf:
    """Return the rule of a policy file, with `files` for the paths it names.

    Each rule is called by its name, else by its place. Raises UsageError for values that cannot be reference values,
    KeyError for a path that is not in `files`.
    """
    return _rule_of(policy.rule, files)


def _rule_of(rule: PolicyRule, files: Mapping[str, Measurements]) -> AllOf:
    """Descends as deep as the parser lets rules nest (formats/appraisal_policy.MAX_DEPTH)."""
    return AllOf(tuple(_conditions(rule, files)), rule.name or rule.place)


def _conditions(rule: PolicyRule, files: Mapping[str, Measurements]) -> Iterator[Rule]:
    if rule.max_age is not None:
        yield MaximumAge(rule.max_age)
    if rule.regions:
        yield Regions(frozenset(rule.regions))
    if rule.instances:
        yield Instances(frozenset(rule.instances))
    if isinstance(rule.measurements, str):
        yield measured_image(files[rule.measurements], name="" if rule.name else rule.measurements)
    elif rule.measurements is not None:
        yield measured_image(rule.measurements)
    yield from (PcrRule(index, frozenset(digests)) for index, digests in rule.pcrs)
    yield from (_rule_of(inner, files) for inner in rule.all_of)
    if rule.any_of:
        yield AnyOf(tuple(_rule_of(inner, files) for inner in rule.any_of))


def assumptions(policy: PolicyFile, files: Mapping[str, Measurements]) -> tuple[Finding, ...]:
    """Return `measurements.assumed` for each PCR that an image did not give, with the name of the rule."""
    found = []
    for rule in policy.rules():
        known = files[rule.measurements] if isinstance(rule.measurements, str) else rule.measurements
        if known is not None:
            found += [replace(finding, part=rule.name or rule.place) for finding in known.findings]
    return tuple(found)
