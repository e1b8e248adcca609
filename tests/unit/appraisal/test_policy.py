# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.appraisal.composition import AllOf, AnyOf, image
from strongroom.appraisal.policy import AppraisalPolicy, EnclavePolicy, UnsafePartialPolicy
from strongroom.appraisal.rules import MaximumAge, PcrRule, Regions
from strongroom.errors import Severity, UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests

SOME = b"\x07" * 48
IMAGE = {2: {SEPARATOR_ONLY_SHA384}, 4: {SOME}, 12: {ZERO_SHA384}, 13: {ZERO_SHA384}}


def refused(code, build, *arguments):
    with pytest.raises(UsageError) as caught:
        build(*arguments)
    assert caught.value.code == code, caught.value
    return caught.value


def test_a_policy_of_images_keeps_them_apart():
    policy = AppraisalPolicy.of(dict(reversed(IMAGE.items())), IMAGE | {7: [SOME]})
    assert policy == AppraisalPolicy(AnyOf((image(IMAGE), image(IMAGE | {7: {SOME}}))))
    assert policy.flags == ()


def test_a_policy_is_made_of_reference_values():
    pcrs = {2: SEPARATOR_ONLY_SHA384, 4: SOME, 7: SOME, 12: ZERO_SHA384, 13: ZERO_SHA384}
    assert AppraisalPolicy.of_images(Measurements(PcrDigests.of(pcrs))) == AppraisalPolicy.of(IMAGE | {7: {SOME}})


@pytest.mark.attack("A25")
def test_a_policy_does_not_change_with_what_it_was_made_from():
    """Emptied after the look at its gates, a table would compare nothing and trust every machine."""
    values = {index: set(digests) for index, digests in IMAGE.items()}
    policy = AppraisalPolicy.of(values)
    values[4].add(ZERO_SHA384)
    values.clear()
    assert policy == AppraisalPolicy.of(IMAGE)
    with pytest.raises(AttributeError):
        policy.rule = Regions({"eu-west-1"})


@pytest.mark.attack("A25")
@pytest.mark.parametrize("build", [AppraisalPolicy.of, UnsafePartialPolicy.of])
def test_a_policy_that_compares_nothing_is_none(build):
    refused("policy.empty", build)
    refused("policy.empty", build, {})
    refused("policy.empty", build, IMAGE, IMAGE | {4: set()})


@pytest.mark.attack("A13")
@pytest.mark.parametrize("gate", [2, 4, 12, 13])
def test_each_gate_must_be_named_unless_said_otherwise(gate):
    partial = {index: digests for index, digests in IMAGE.items() if index != gate}
    refused("policy.partial", AppraisalPolicy.of, IMAGE, partial)
    (first, *_) = UnsafePartialPolicy.of(IMAGE, partial).flags
    assert (first.code, first.severity) == ("policy.partial", Severity.WARNING)


def test_the_gates_that_are_missing_are_named():
    with pytest.raises(UsageError, match=r"found no PCR4, PCR13$"):
        AppraisalPolicy.of({index: {SOME} for index in (2, 12)})


@pytest.mark.attack("K22")
@pytest.mark.attack("B6")
@pytest.mark.attack("B7")
@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({0: {SOME}, 1: {SOME}}, "policy.constants-only", "every instance shows"),
        ({7: {SECURE_BOOT_OFF_PCR7_SHA384}}, "policy.secure-boot-off", "says nothing about what booted"),
        ({7: {SOME}}, "policy.pcr7-without-pcr4", "names keys"),
        ({16: {SOME}}, "policy.resettable", "can be set by software"),
    ],
)
def test_a_refusal_tells_every_weakness_and_the_flags_are_the_same(values, code, words):
    error = refused("policy.partial", AppraisalPolicy.of, values)
    assert words in error.message
    assert "--allow-partial" in error.remedy
    flags = UnsafePartialPolicy.of(values).flags
    assert [flag.code for flag in flags] == ["policy.partial", code]
    assert error.message == "; ".join(flag.message for flag in flags)


@pytest.mark.attack("A17")
@pytest.mark.parametrize("index", [16, 23])
def test_pcrs_that_software_can_set_are_no_gates(index):
    refused("policy.resettable", AppraisalPolicy.of, IMAGE | {index: {SOME}})
    assert [flag.code for flag in UnsafePartialPolicy.of(IMAGE | {index: {SOME}}).flags] == ["policy.resettable"]


def test_secure_boot_off_beside_the_whole_gate_set_is_told_and_no_refusal():
    policy = AppraisalPolicy.of(IMAGE | {7: {SECURE_BOOT_OFF_PCR7_SHA384}})
    assert [(flag.code, flag.severity) for flag in policy.flags] == [("policy.secure-boot-off", Severity.NOTE)]


@pytest.mark.attack("A12")
@pytest.mark.parametrize("build", [AppraisalPolicy.of, UnsafePartialPolicy.of])
@pytest.mark.parametrize("index", [4, 7])
def test_a_reference_of_zeros_is_refused_where_every_boot_measures(build, index):
    refused("policy.zero-reference", build, IMAGE | {index: {SOME, ZERO_SHA384}})


@pytest.mark.attack("A13")
def test_indices_and_lengths_are_those_of_pcrs():
    refused("policy.pcr-index", AppraisalPolicy.of, IMAGE | {32: {SOME}})
    refused("policy.digest-length", AppraisalPolicy.of, IMAGE | {4: {SOME[:-1]}})


@pytest.mark.parametrize("kind", [AppraisalPolicy, UnsafePartialPolicy])
@pytest.mark.parametrize("wrong", [None, IMAGE, EnclavePolicy.of({0: {SOME}})])
def test_a_policy_is_made_of_a_rule(kind, wrong):
    with pytest.raises(TypeError, match="expected a rule"):
        kind(wrong)


def test_the_age_of_a_policy_is_that_of_its_rules():
    assert AppraisalPolicy.of(IMAGE).max_age is None
    assert AppraisalPolicy(AllOf((image(IMAGE), MaximumAge(timedelta(minutes=1))))).max_age == timedelta(minutes=1)


leaves = st.sampled_from(
    [image(IMAGE), Regions({"eu-west-1"}), *(PcrRule(index, {SOME}) for index in (0, 2, 4, 7, 12, 13, 16))]
)
rules = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)), st.sampled_from([AllOf, AnyOf]), st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=10,
)


@given(rules)
def test_a_policy_is_refused_exactly_when_the_unsafe_one_is_flagged_as_weak(rule):
    weak = [flag for flag in UnsafePartialPolicy(rule).flags if flag.severity is Severity.WARNING]
    if weak:
        refused(weak[0].code, AppraisalPolicy, rule)
    else:
        assert AppraisalPolicy(rule).rule == rule


@pytest.mark.attack("A11")
def test_enclaves_have_other_gates():
    EnclavePolicy.of({0: {SOME}})
    EnclavePolicy.of({0: {SOME}, 4: {ZERO_SHA384}, 15: {SOME}})
    refused("policy.empty", EnclavePolicy.of)
    refused("policy.partial", EnclavePolicy.of, {0: {SOME}}, {1: {SOME}})
    error = refused("policy.resettable", EnclavePolicy.of, {0: {SOME}, 17: {SOME}, 16: {SOME}})
    assert error.message == "PCR16, PCR17 can be set in the enclave: expected no rule on it"
    refused("policy.zero-reference", EnclavePolicy.of, {0: {ZERO_SHA384}})
    refused("policy.digest-length", EnclavePolicy.of, {0: {SOME}, 1: {b""}})
    refused("policy.empty", EnclavePolicy.of, {0: set()})
    assert not issubclass(EnclavePolicy, AppraisalPolicy)


@pytest.mark.attack("A25")
@pytest.mark.parametrize("build", [EnclavePolicy.of, lambda table: EnclavePolicy((table,))])
def test_an_enclave_policy_does_not_change_with_what_it_was_made_from(build):
    values = {0: {SOME}, 4: {SOME}}
    policy = build(values)
    values[0].clear()
    values.clear()
    assert policy == EnclavePolicy.of({0: {SOME}, 4: {SOME}})
    with pytest.raises(TypeError):
        policy.images[0][0] = {SOME}
