# SPDX-License-Identifier: Apache-2.0
"""Which policies are weak, and that no way of putting rules together hides it."""

from datetime import timedelta
from itertools import chain, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.appraisal.composition import AllOf, AnyOf, image
from strongroom.appraisal.rules import Instances, MaximumAge, PcrRule, Regions
from strongroom.appraisal.strength import weaknesses
from strongroom.errors import Severity
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384

SOME, KEYS = b"\x07" * 48, b"\x08" * 48
OFF = SECURE_BOOT_OFF_PCR7_SHA384
WHOLE = {2: {SEPARATOR_ONLY_SHA384}, 4: {SOME}, 12: {ZERO_SHA384}, 13: {ZERO_SHA384}}
GATES = {2, 4, 12, 13}
PLATFORM = {0, 1, 3, 5, 6, *range(17, 23)}


def codes(rule):
    return [finding.code.removeprefix("policy.") for finding in weaknesses(rule)]


def of(**pcrs):
    return image({int(name[3:]): {value} for name, value in pcrs.items()})


def test_a_policy_that_pins_the_gate_set_is_strong():
    assert codes(image(WHOLE)) == []
    assert codes(image(WHOLE | {7: {KEYS}, 11: {SOME}})) == []
    assert codes(AnyOf((image(WHOLE), image(WHOLE | {4: {KEYS}})))) == []


@pytest.mark.parametrize("gate", sorted(GATES))
def test_each_gate_that_is_not_pinned_is_named(gate):
    rest = {index: digests for index, digests in WHOLE.items() if index != gate}
    first, *_ = weaknesses(image(rest))
    assert first.code == "policy.partial"
    assert first.message == f"expected the gate set PCR2, PCR4, PCR12, PCR13, found no PCR{gate}"
    assert first.severity is Severity.WARNING


def test_gates_may_be_pinned_in_several_places():
    parts = [PcrRule(index, digests) for index, digests in WHOLE.items()]
    for order in permutations(parts):
        assert codes(AllOf(order)) == []
    assert codes(AllOf((image({2: WHOLE[2], 12: WHOLE[12]}), AnyOf((of(pcr4=SOME, pcr13=ZERO_SHA384),))))) == []


@pytest.mark.parametrize("gate", sorted(GATES))
def test_one_laxer_alternative_makes_the_whole_policy_partial(gate):
    lax = image({index: digests for index, digests in WHOLE.items() if index != gate} | {11: {SOME}})
    for rule in (AnyOf((image(WHOLE), lax)), AnyOf((lax, image(WHOLE))), AllOf((AnyOf((lax, image(WHOLE))),))):
        assert codes(rule) == ["partial"]
    assert codes(AllOf((AnyOf((image(WHOLE), lax)), PcrRule(gate, WHOLE[gate])))) == []


def test_rules_that_are_no_pcrs_pin_nothing():
    other = (MaximumAge(timedelta(minutes=1)), Regions({"eu-west-1"}), Instances({"i-0123456789abcdef0"}))
    assert codes(AllOf(other)) == ["partial"]
    assert codes(AnyOf((image(WHOLE), other[1]))) == ["partial"]
    assert codes(AllOf((image(WHOLE), *other))) == []


@pytest.mark.attack("K22")
@pytest.mark.parametrize(
    "values",
    [
        {0: SOME},
        {0: SOME, 1: SOME},
        dict.fromkeys(PLATFORM, SOME),
        {2: SEPARATOR_ONLY_SHA384, 12: ZERO_SHA384, 13: ZERO_SHA384},
        {0: SOME, 12: ZERO_SHA384},
    ],
)
def test_what_every_instance_shows_tells_nothing(values):
    rule = image({index: {value} for index, value in values.items()})
    assert codes(rule) == ["partial", "constants-only"]
    assert codes(image({index: {value} for index, value in values.items()} | {11: {SOME}})) == ["partial"]


@pytest.mark.attack("K22")
def test_a_constant_beside_another_value_is_still_accepted():
    assert "constants-only" in codes(image({2: {SEPARATOR_ONLY_SHA384, SOME}}))
    assert "constants-only" not in codes(image({2: {SOME}}))


@pytest.mark.attack("K22")
def test_an_alternative_of_constants_does_not_hide_behind_a_strict_one():
    assert codes(AnyOf((image(WHOLE), of(pcr0=SOME)))) == ["partial", "constants-only"]
    assert codes(AllOf((of(pcr0=SOME), AnyOf((of(pcr4=SOME), of(pcr1=SOME)))))) == ["partial", "constants-only"]
    assert codes(AllOf((of(pcr4=SOME), AnyOf((of(pcr0=SOME), of(pcr1=SOME)))))) == ["partial"]


def test_secure_boot_off_says_nothing():
    assert codes(of(pcr7=OFF)) == ["partial", "secure-boot-off"]
    assert codes(of(pcr7=OFF, pcr0=SOME)) == ["partial", "constants-only", "secure-boot-off"]
    assert codes(of(pcr7=OFF, pcr4=SOME)) == ["partial", "secure-boot-off"]
    assert codes(image({7: {OFF, KEYS}, 4: {SOME}})) == ["partial", "secure-boot-off"]
    assert codes(AnyOf((of(pcr4=SOME), AllOf((of(pcr7=OFF),))))) == ["partial", "secure-boot-off"]
    assert [f.severity for f in weaknesses(of(pcr7=OFF))] == [Severity.WARNING] * 2
    assert weaknesses(of(pcr7=OFF))[1].pcr == 7


def test_secure_boot_off_beside_the_whole_gate_set_is_a_note():
    (note,) = weaknesses(image(WHOLE | {7: {OFF}}))
    assert (note.code, note.severity) == ("policy.secure-boot-off", Severity.NOTE)


@pytest.mark.attack("B7")
@pytest.mark.attack("B6")
def test_pcr_7_without_pcr_4_admits_whatever_the_keys_signed():
    assert codes(of(pcr7=KEYS)) == ["partial", "pcr7-without-pcr4"]
    assert codes(image({7: {KEYS, OFF}})) == ["partial", "secure-boot-off", "pcr7-without-pcr4"]
    assert codes(of(pcr7=KEYS, pcr4=SOME)) == ["partial"]
    without = {index: digests for index, digests in WHOLE.items() if index != 4} | {7: {KEYS}}
    assert codes(AnyOf((image(WHOLE), image(without)))) == ["partial", "pcr7-without-pcr4"]
    assert codes(AllOf((of(pcr4=SOME), AnyOf((of(pcr7=KEYS), of(pcr11=SOME)))))) == ["partial"]
    assert codes(AllOf((AnyOf((of(pcr4=SOME), of(pcr11=SOME))), of(pcr7=KEYS)))) == ["partial", "pcr7-without-pcr4"]


@pytest.mark.attack("A17")
@pytest.mark.parametrize("index", [16, 23])
def test_pcrs_that_software_can_set_are_named_wherever_they_stand(index):
    soft = PcrRule(index, {SOME})
    for rule in (image(WHOLE | {index: {SOME}}), AllOf((image(WHOLE), AnyOf((Regions({"eu-west-1"}), soft))))):
        assert codes(rule) == ["resettable"]
        assert weaknesses(rule)[0].message == f"PCR{index} can be set by software: expected no rule on it"
    assert codes(soft) == ["partial", "resettable"]
    assert codes(AllOf((soft, of(pcr0=SOME)))) == ["partial", "constants-only", "resettable"], "it tells nothing apart"


values = {0: [SOME], 2: [SEPARATOR_ONLY_SHA384, SOME], 4: [SOME], 7: [OFF, KEYS], 12: [ZERO_SHA384], 13: [ZERO_SHA384]}
leaves = st.sampled_from([*(PcrRule(i, {d}) for i, each in values.items() for d in each), Regions({"eu-west-1"})])
rules = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)), st.sampled_from([AllOf, AnyOf]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=10,
)


def ways(rule):
    """Return every way to fit, each as the PCRs it compares with their digests."""
    match rule:
        case PcrRule(index, digests):
            return [((index, digests),)]
        case AnyOf(inner):
            return [way for each in inner for way in ways(each)]
        case AllOf(inner):
            return [tuple(chain(*each)) for each in product(*map(ways, inner))]
    return [()]


NOTHING = {0: {SOME}, 2: {SEPARATOR_ONLY_SHA384}, 7: {OFF}, 12: {ZERO_SHA384}, 13: {ZERO_SHA384}}


def pcrs(way):
    return {index for index, _ in way}


@given(rules)
def test_a_weakness_is_found_exactly_when_some_way_to_fit_has_it(rule):
    found, each = set(codes(rule)), ways(rule)
    assert ("partial" in found) == any(GATES - pcrs(way) for way in each)
    keys = [way for way in each if any(index == 7 and digests - {OFF} for index, digests in way)]
    assert ("pcr7-without-pcr4" in found) == any(4 not in pcrs(way) for way in keys)
    silent = [way for way in each if all(digests & NOTHING.get(index, set()) for index, digests in way)]
    assert ("constants-only" in found) == any(pcrs(way) - {7} for way in silent)
    if "partial" not in found:
        assert all(finding.severity is Severity.NOTE for finding in weaknesses(rule))


@given(rules, rules)
def test_more_rules_never_make_a_strong_policy_weak(rule, more):
    weak = {finding.code for finding in weaknesses(AllOf((rule, more))) if finding.severity is Severity.WARNING}
    if not any(finding.severity is Severity.WARNING for finding in weaknesses(rule)):
        assert weak == set()


def test_a_long_policy_is_judged_in_time_that_grows_with_its_length():
    alternatives = AnyOf(tuple(image(WHOLE | {4: {bytes([n]) * 48}}) for n in range(1, 200)))
    assert codes(AllOf((alternatives,) * 200)) == []
