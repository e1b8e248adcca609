# SPDX-License-Identifier: Apache-2.0
"""What a policy file says is what documents are compared with."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nitro_pki import INSTANCE, NOW, PCR4, PCRS, REGION, document, good_pki

from strongroom.appraisal.composition import AllOf, AnyOf, image, measured_image
from strongroom.appraisal.evidence import verify_evidence
from strongroom.appraisal.policy_file import assumptions, rule_of
from strongroom.appraisal.rules import Instances, MaximumAge, PcrRule, Regions
from strongroom.errors import Severity
from strongroom.formats.appraisal_policy import parse_appraisal_policy
from strongroom.formats.measurements import parse_measurements

OTHER = b"\x11" * 48
AWS = {"Measurements": {"HashAlgorithm": "SHA384", "PCR4": PCR4.hex(), "PCR7": PCRS[7].hex(), "PCR12": "00" * 48}}
MEASURED = parse_measurements(json.dumps(AWS).encode())
EVIDENCE = verify_evidence(document(), roots=good_pki().roots, at=NOW)


def policy(**members):
    return parse_appraisal_policy(json.dumps({"version": 1, **members}).encode())


def rule(files=None, **members):
    return rule_of(policy(**members), files or {})


def parts(files=None, **members):
    return [finding.part for finding in rule(files, **members).misfits(EVIDENCE, now=NOW)]


def test_every_member_becomes_its_rule():
    everything = rule(
        {"a.json": MEASURED},
        name="acme",
        max_age="2m",
        regions=[REGION],
        instances=[INSTANCE],
        measurements="a.json",
        pcrs={"4": [PCR4.hex(), OTHER.hex()], "0": [OTHER.hex()]},
        all_of=[{"max_age": "1m"}],
        any_of=[{"name": "b", "regions": ["us-east-1"]}, {"measurements": AWS}],
    )
    assert everything == AllOf(
        (
            MaximumAge(timedelta(minutes=2)),
            Regions({REGION}),
            Instances({INSTANCE}),
            measured_image(MEASURED),
            PcrRule(0, {OTHER}),
            PcrRule(4, {PCR4, OTHER}),
            AllOf((MaximumAge(timedelta(minutes=1)),), "all_of[0]"),
            AnyOf((AllOf((Regions({"us-east-1"}),), "b"), AllOf((measured_image(MEASURED),), "any_of[1]"))),
        ),
        "acme",
    )


@pytest.mark.parametrize("key", ["all_of", "any_of"])
def test_a_path_is_followed_however_deep_it_stands(key):
    assert rule({"a.json": MEASURED}, **{key: [{key: [{"measurements": "a.json"}]}]}).pins() == {2, 4, 12, 13}


def test_a_path_that_nobody_read_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        rule(measurements="a.json")


def test_findings_are_called_as_the_file_calls_its_parts():
    wrong = {"pcrs": {"4": [OTHER.hex()]}}
    other = parse_measurements(json.dumps(AWS).replace(PCR4.hex(), OTHER.hex()).encode())
    assert parts(**wrong) == [""]
    assert parts(name="acme", **wrong) == ["acme"]
    assert parts(name="acme", all_of=[wrong, {"name": "here", "regions": ["us-east-1"]}]) == [
        "acme > all_of[0]",
        "acme > here",
    ]
    assert parts(any_of=[wrong, wrong]) == ["any_of[0] (nearest of 2)"]
    assert parts({"a.json": other}, any_of=[{"measurements": "a.json"}]) == ["any_of[0] > a.json"]
    assert parts({"a.json": other}, any_of=[{"name": "1.4", "measurements": "a.json"}]) == ["1.4"]


def test_what_was_assumed_of_an_image_is_told_with_its_name():
    file = policy(any_of=[{"name": "1.4", "measurements": "a.json"}, {"measurements": AWS}, {"regions": [REGION]}])
    found = assumptions(file, {"a.json": MEASURED})
    assert [(f.code, f.pcr, f.part) for f in found] == [
        ("measurements.assumed", 2, "1.4"),
        ("measurements.assumed", 13, "1.4"),
        ("measurements.assumed", 2, "any_of[1]"),
        ("measurements.assumed", 13, "any_of[1]"),
    ]
    assert {finding.severity for finding in found} == {Severity.NOTE}


tables = st.recursive(
    st.sampled_from([{"regions": [REGION]}, {"pcrs": {"4": ["aa" * 48]}}, {"max_age": "1m"}]),
    lambda inner: st.dictionaries(
        st.sampled_from(["all_of", "any_of"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=8,
)


def meant(table):
    """Return the rule that an object means, read without the parser."""
    each = []
    if "regions" in table:
        each.append(Regions(frozenset(table["regions"])))
    if "pcrs" in table:
        each.append(PcrRule(4, frozenset(map(bytes.fromhex, table["pcrs"]["4"]))))
    if "max_age" in table:
        each.append(MaximumAge(timedelta(minutes=1)))
    each += map(meant, table.get("all_of", []))
    if "any_of" in table:
        each.append(AnyOf(tuple(map(meant, table["any_of"]))))
    return AllOf(tuple(each))


def unnamed(rule):
    if isinstance(rule, AllOf):
        return AllOf(tuple(map(unnamed, rule.rules)))
    return AnyOf(tuple(map(unnamed, rule.rules))) if isinstance(rule, AnyOf) else rule


@given(tables)
def test_nesting_and_order_are_kept(table):
    assert unnamed(rule(**table)) == meant(table)


def test_measurements_are_the_gates_of_one_image():
    gates = image({index: [MEASURED.pcrs[index]] for index in (2, 4, 12, 13)})
    assert rule(measurements=AWS).rules == (gates,)
