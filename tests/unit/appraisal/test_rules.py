# SPDX-License-Identifier: Apache-2.0
"""Each rule by itself: what fits, what it says of what does not, and what can be no rule."""

from datetime import timedelta

import pytest
from tests.nitro_pki import INSTANCE, NOW, PCR4, PCRS, REGION, document, good_pki

from strongroom.appraisal.evidence import verify_evidence
from strongroom.appraisal.rules import Instances, MaximumAge, PcrRule, Regions, Rule
from strongroom.errors import UsageError
from strongroom.formats.pcrs import PcrDigests

SOME = b"\x07" * 48
OTHER = b"\x11" * 48


def evidence(**pcrs):
    changed = {**PCRS, **{int(name[3:]): value for name, value in pcrs.items()}}
    kept = PcrDigests.of({index: value for index, value in changed.items() if value is not None})
    return verify_evidence(document(pcrs=kept), roots=good_pki().roots, at=NOW)


def found(rule, now=NOW, **pcrs):
    return rule.misfits(evidence(**pcrs), now=now)


def codes(rule, now=NOW, **pcrs):
    return [finding.code for finding in found(rule, now, **pcrs)]


def refused(code, kind, *arguments):
    with pytest.raises(UsageError) as caught:
        kind(*arguments)
    assert caught.value.code == code, caught.value
    return caught.value.message


def test_a_pcr_has_one_of_its_digests():
    assert codes(PcrRule(4, {PCR4})) == []
    assert codes(PcrRule(4, {OTHER, PCR4})) == []
    assert codes(PcrRule(4, {OTHER})) == ["pcr.mismatch"]
    assert codes(PcrRule(16, {PCRS[16]})) == []
    assert codes(PcrRule(16, {OTHER})) == ["pcr.mismatch"]


@pytest.mark.attack("A13")
def test_a_pcr_that_is_absent_is_no_match():
    (finding,) = found(PcrRule(4, {PCR4}), pcr4=None)
    assert (finding.code, finding.pcr, finding.expected, finding.found) == ("pcr.absent", 4, (PCR4.hex(),), None)
    assert finding.meaning == ""


def test_a_mismatch_says_what_the_pcr_is_and_what_was_found():
    (finding,) = found(PcrRule(12, {SOME, OTHER}))
    assert finding.message == f"expected PCR12 = {SOME.hex()} or {OTHER.hex()}, found {'00' * 48}"
    assert (finding.pcr, finding.expected, finding.found) == (12, (SOME.hex(), OTHER.hex()), "00" * 48)
    assert "command lines" in finding.meaning
    assert "nothing was measured" in finding.meaning


@pytest.mark.attack("A13")
def test_indices_and_lengths_are_those_of_pcrs():
    refused("policy.pcr-index", PcrRule, 32, {SOME})
    refused("policy.pcr-index", PcrRule, -1, {SOME})
    refused("policy.digest-length", PcrRule, 4, {SOME[:-1]})
    refused("policy.digest-length", PcrRule, 4, {SOME, b""})
    assert refused("policy.empty", PcrRule, 4, set()) == "expected at least one digest for PCR4, found none"
    assert PcrRule(31, {SOME}).index == 31
    assert PcrRule(0, {SOME}).index == 0


@pytest.mark.attack("A12")
@pytest.mark.parametrize("index", [4, 7])
def test_a_reference_of_zeros_is_refused_where_every_boot_measures(index):
    refused("policy.zero-reference", PcrRule, index, {SOME, bytes(48)})
    assert PcrRule(12, {bytes(48)}).digests == {bytes(48)}


@pytest.mark.attack("A17")
@pytest.mark.parametrize("index", [16, 23])
def test_what_software_can_set_pins_nothing(index):
    assert PcrRule(index, {SOME}).pins() == set()
    assert PcrRule(index - 1, {SOME}).pins() == {index - 1}


@pytest.mark.attack("A3")
def test_an_age_holds_to_the_millisecond():
    limit, tick = timedelta(minutes=2), timedelta(milliseconds=1)
    rule = MaximumAge(limit)
    assert codes(rule, NOW + limit) == []
    assert codes(rule, NOW + limit + tick) == ["age.too-old"]
    (finding,) = found(rule, NOW + timedelta(minutes=3))
    assert finding.message == "expected a document no older than 2m, found one of 3m"
    assert (finding.expected, finding.found) == (("2m",), "3m")
    assert rule.age_limit() == limit


@pytest.mark.parametrize("limit", [timedelta(0), timedelta(seconds=-1)])
def test_an_age_is_above_zero(limit):
    refused("policy.age", MaximumAge, limit)


def test_a_region_is_one_of_those_named():
    assert codes(Regions({"eu-central-1", REGION})) == []
    (finding,) = found(Regions({"us-east-1", "eu-central-1"}))
    assert finding.message == f"expected the region eu-central-1 or us-east-1, found {REGION}"
    assert (finding.code, finding.expected, finding.found) == (
        "region.mismatch",
        ("eu-central-1", "us-east-1"),
        REGION,
    )
    assert refused("policy.empty", Regions, set()) == "expected at least one region, found none"


@pytest.mark.attack("A14")
def test_an_instance_is_one_of_those_named():
    other = "i-00000000000000001"
    assert codes(Instances({other, INSTANCE})) == []
    (finding,) = found(Instances({other}))
    assert (finding.code, finding.expected, finding.found) == ("instance.mismatch", (other,), INSTANCE)
    assert finding.message == f"expected the instance {other}, found {INSTANCE}"
    assert refused("policy.empty", Instances, set()) == "expected at least one instance id, found none"


def test_a_long_list_is_cut_in_the_message_and_whole_in_the_finding():
    ids = {f"i-{number:017x}" for number in range(10)}
    (finding,) = found(Instances(ids))
    assert finding.message.count("i-0") == 8 + 1
    assert "or one of 2 more, found" in finding.message
    assert set(finding.expected) == ids
    (finding,) = found(Instances(set(sorted(ids)[:9])))
    assert "or one of 1 more, found" in finding.message
    (finding,) = found(Instances(set(sorted(ids)[:8])))
    assert "more" not in finding.message


def test_what_a_rule_does_not_pin_it_does_not_claim():
    for rule in (MaximumAge(timedelta(1)), Regions({REGION}), Instances({INSTANCE})):
        assert (rule.pins(), rule.inside()) == (set(), ())
    for rule in (PcrRule(4, {SOME}), Regions({REGION}), Instances({INSTANCE})):
        assert rule.age_limit() is None


@pytest.mark.parametrize(
    ("kind", "values", "kept"),
    [(lambda v: PcrRule(4, v), {SOME}, "digests"), (Regions, {REGION}, "regions"), (Instances, {INSTANCE}, "ids")],
)
def test_a_rule_does_not_change_with_what_it_was_made_from(kind, values, kept):
    """Emptied afterwards, a rule would compare nothing; added to, it would admit what nobody looked at."""
    given = set(values)
    rule = kind(given)
    given.clear()
    assert getattr(rule, kept) == values


def test_only_rules_are_rules():
    with pytest.raises(TypeError):
        Rule()
