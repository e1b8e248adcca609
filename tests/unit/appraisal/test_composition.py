# SPDX-License-Identifier: Apache-2.0
"""The laws of putting rules together. Rules are random, and a second, plainer reading of them decides what is right."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nitro_pki import INSTANCE, NOW, PCRS, REGION, document, good_pki

from strongroom.appraisal.composition import MAX_DEPTH, AllOf, AnyOf, image, measured_image
from strongroom.appraisal.evidence import verify_evidence
from strongroom.appraisal.policy import EnclavePolicy
from strongroom.appraisal.rules import Instances, MaximumAge, PcrRule, Regions
from strongroom.errors import UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, PcrDigests

A, B, C = (bytes([n]) * 48 for n in (1, 2, 3))
INDICES = (2, 4, 7, 12)
EVIDENCE = {
    (first, second): verify_evidence(
        document(pcrs=PcrDigests.of({**PCRS, 2: first, 4: second, 7: first, 12: second})),
        roots=good_pki().roots,
        at=NOW,
    )
    for first in (A, B)
    for second in (A, B)
}
"""Documents that differ in their PCRs. Made once: signatures cost more than everything else here."""

leaves = st.one_of(
    st.builds(PcrRule, st.sampled_from(INDICES), st.frozensets(st.sampled_from([A, B, C]), min_size=1)),
    st.sampled_from(
        [Regions({REGION}), Regions({"us-east-1"}), Instances({INSTANCE}), MaximumAge(timedelta(minutes=1))]
    ),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda each: AllOf(tuple(each))),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: AnyOf(tuple(each))),
    ),
    max_leaves=8,
)
several = st.lists(rules, min_size=1, max_size=3).map(tuple)
documents = st.sampled_from(sorted(EVIDENCE)).map(EVIDENCE.__getitem__)
clocks = st.sampled_from([NOW, NOW + timedelta(minutes=2)])


def fits(rule, evidence, now):
    """Say whether a document fits, from what the rules mean and not from what they find."""
    match rule:
        case PcrRule(index, digests):
            return evidence.pcrs[index] in digests
        case MaximumAge(limit):
            return now - evidence.timestamp <= limit
        case Regions(regions):
            return evidence.region in regions
        case Instances(ids):
            return evidence.instance_id in ids
        case AllOf(inner):
            return all(fits(each, evidence, now) for each in inner)
        case AnyOf(inner):
            return any(fits(each, evidence, now) for each in inner)
    raise AssertionError(rule)


def misfits(rule, evidence, now=NOW):
    return rule.misfits(evidence, now=now)


@given(rules, documents, clocks)
def test_a_rule_finds_nothing_exactly_when_it_fits(rule, evidence, now):
    assert (misfits(rule, evidence, now) == ()) == fits(rule, evidence, now)


@given(several, documents, clocks)
def test_all_of_is_conjunction_and_lists_everything(parts, evidence, now):
    each = [finding for rule in parts for finding in misfits(rule, evidence, now)]
    assert list(misfits(AllOf(parts), evidence, now)) == each


@given(several, documents, clocks)
def test_any_of_is_disjunction_and_lists_the_nearest(parts, evidence, now):
    each = [misfits(rule, evidence, now) for rule in parts]
    found = misfits(AnyOf(parts), evidence, now)
    assert len(found) == min(map(len, each))
    assert [(f.code, f.message) for f in found] in [[(f.code, f.message) for f in one] for one in each]


@given(several, documents, clocks)
def test_order_does_not_matter(parts, evidence, now):
    for kind in (AllOf, AnyOf):
        verdicts = {len(misfits(kind(order), evidence, now)) for order in permutations(parts)}
        assert len(verdicts) == 1
    texts = {tuple(sorted(f.message for f in misfits(AllOf(order), evidence, now))) for order in permutations(parts)}
    assert len(texts) == 1


@given(several, rules, documents, clocks)
def test_a_rule_more_never_makes_a_refused_document_fit(parts, more, evidence, now):
    before, after = misfits(AllOf(parts), evidence, now), misfits(AllOf((*parts, more)), evidence, now)
    assert set(before) <= set(after)


@given(several, rules, documents, clocks)
def test_an_alternative_more_never_refuses_what_fitted(parts, more, evidence, now):
    if not misfits(AnyOf(parts), evidence, now):
        assert not misfits(AnyOf((*parts, more)), evidence, now)


def choices(rule):
    """Yield every way to fit: the leaves of one alternative of each AnyOf."""
    match rule:
        case AnyOf(inner):
            for each in inner:
                yield from choices(each)
        case AllOf(inner):
            ways = [()]
            for each in inner:
                ways = [(*way, *more) for way in ways for more in choices(each)]
            yield from ways
        case _:
            yield (rule,)


@given(rules)
def test_what_is_pinned_is_what_every_way_to_fit_pins(rule):
    named = [{leaf.index for leaf in way if isinstance(leaf, PcrRule)} for way in choices(rule)]
    assert rule.pins() == set.intersection(*named)


@given(rules)
def test_an_age_is_limited_when_every_way_to_fit_limits_it(rule):
    limits = [[leaf.limit for leaf in way if isinstance(leaf, MaximumAge)] for way in choices(rule)]
    expected = max(min(each) for each in limits) if all(limits) else None
    assert rule.age_limit() == expected


def test_the_stricter_age_wins_in_all_of_and_the_laxer_in_any_of():
    short, long = MaximumAge(timedelta(minutes=1)), MaximumAge(timedelta(minutes=3))
    here = Regions({REGION})
    assert AllOf((long, short, here)).age_limit() == short.limit
    assert AnyOf((long, short)).age_limit() == long.limit
    assert AnyOf((long, short, here)).age_limit() is None
    assert AllOf((here,)).age_limit() is None


def test_all_of_pins_the_union_and_any_of_what_is_common():
    two, four = PcrRule(2, {A}), PcrRule(4, {A})
    assert AllOf((two, four)).pins() == {2, 4}
    assert AnyOf((two, four)).pins() == set()
    assert AnyOf((AllOf((two, four)), four)).pins() == {4}


@pytest.mark.attack("A25")
@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_an_empty_list_decides_nothing_and_is_refused(kind):
    with pytest.raises(UsageError) as caught:
        kind(())
    assert caught.value.code == "policy.empty"


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
@pytest.mark.parametrize("wrong", [None, {4: {A}}, "rule", EnclavePolicy.of({0: {A}})])
def test_only_rules_are_put_together(kind, wrong):
    with pytest.raises(TypeError, match="expected a rule"):
        kind((Regions({REGION}), wrong))


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_the_depth_of_rules_in_rules_is_bounded(kind):
    rule = Regions({REGION})
    for _ in range(MAX_DEPTH):
        rule = kind((rule, Regions({REGION})))
    assert (rule.depth, misfits(rule, EVIDENCE[A, A])) == (MAX_DEPTH, ())
    with pytest.raises(UsageError) as caught:
        AllOf((rule,))
    assert caught.value.code == "policy.too-deep"


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_rules_do_not_change_with_the_list_they_came_in(kind):
    parts = [Regions({REGION})]
    rule = kind(parts)
    parts.clear()
    assert rule.inside() == (Regions({REGION}),)


def part(rule):
    return [finding.part for finding in misfits(rule, EVIDENCE[A, A])]


def test_findings_name_the_part_of_the_policy():
    wrong = PcrRule(4, {C})
    assert part(wrong) == [""]
    assert part(AllOf((wrong,))) == [""]
    assert part(AllOf((wrong, Regions({"us-east-1"})), "1.4")) == ["1.4", "1.4"]
    assert part(AllOf((AllOf((wrong,), "1.4"),), "acme")) == ["acme > 1.4"]
    assert part(AnyOf((AllOf((wrong,), "1.4"),))) == ["1.4"]


def test_the_nearest_alternative_is_named_and_counted():
    near, far = AllOf((PcrRule(4, {C}), PcrRule(2, {A})), "near"), AllOf((PcrRule(4, {C}), PcrRule(2, {C})), "far")
    assert part(AnyOf((far, near, far))) == ["near (nearest of 3)"]
    assert part(AnyOf((near, AllOf((PcrRule(2, {C}),), "as near")))) == ["near (nearest of 2)"]
    assert part(AllOf((AnyOf((PcrRule(4, {B}), PcrRule(4, {C}))),), "acme")) == ["acme > alternative 1 (nearest of 2)"]


def test_one_image_must_fit_as_a_whole():
    """Of two images, the PCR 2 of one and the PCR 4 of the other make none."""
    both = AnyOf((image({2: [A], 4: [A]}), image({2: [B], 4: [B]})))
    assert [bool(misfits(both, EVIDENCE[key])) for key in ((A, A), (B, B), (A, B), (B, A))] == [
        False,
        False,
        True,
        True,
    ]


def test_an_image_is_compared_in_order_of_pcrs():
    assert [rule.index for rule in image({12: [A], 2: [A], 4: [A]}, name="x").rules] == [2, 4, 12]
    with pytest.raises(UsageError) as caught:
        image({})
    assert caught.value.code == "policy.empty"


def test_the_gates_of_measurements_leave_out_a_pcr_7_that_says_nothing():
    pcrs = {2: A, 4: B, 7: C, 11: A, 12: bytes(48), 13: bytes(48)}
    on, off = Measurements(PcrDigests.of(pcrs)), Measurements(PcrDigests.of(pcrs | {7: SECURE_BOOT_OFF_PCR7_SHA384}))
    assert measured_image(on, name="on") == image({i: [pcrs[i]] for i in (2, 4, 7, 12, 13)}, name="on")
    assert measured_image(off) == image({i: [pcrs[i]] for i in (2, 4, 12, 13)})


YOUNG = MaximumAge(timedelta(hours=1))
FITS, MISFIT = PcrRule(4, frozenset({A})), PcrRule(4, frozenset({B}))


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (FITS, ()),
        (AllOf((FITS,), "one"), ()),
        (AnyOf((FITS,)), ()),
        (AnyOf((AllOf((FITS,), "one"),)), ("one",)),
        (AnyOf((AllOf((MISFIT,), "one"), AllOf((FITS,), "two"), FITS)), ("two", "alternative 3")),
        (AllOf((AnyOf((AllOf((FITS,), "one"), AllOf((FITS,), "two"))), FITS), "all"), ("one", "two")),
        (AnyOf((AllOf((AnyOf((MISFIT, AllOf((FITS,), "b"))),), "a"), MISFIT)), ("a > b",)),
        (AllOf((AnyOf((AllOf((FITS, YOUNG), "young"), MISFIT)), FITS)), ("young",)),
    ],
    ids=["single", "all", "one-unnamed", "one", "two-of-three", "within-all", "nested", "of-an-age"],
)
def test_the_alternatives_that_fit_are_named(rule, names):
    assert rule.matched(EVIDENCE[A, A], now=NOW) == names


@given(several, documents, clocks)
def test_of_several_alternatives_one_that_fits_always_has_a_name(parts, evidence, now):
    rule = AnyOf((*parts, MISFIT))
    assert bool(rule.matched(evidence, now=now)) is not bool(misfits(rule, evidence, now))
