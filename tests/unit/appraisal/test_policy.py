# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.appraisal.policy import EnclavePolicy, MeasurementsPolicy, UnsafePartialMeasurementsPolicy
from strongroom.errors import UsageError
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384

SOME = b"\x07" * 48
IMAGE = {2: {SEPARATOR_ONLY_SHA384}, 4: {SOME}, 12: {ZERO_SHA384}, 13: {ZERO_SHA384}}


def refused(code, build, *images):
    with pytest.raises(UsageError) as caught:
        build(*images)
    assert caught.value.code == code, caught.value


def test_a_policy_holds_its_images_in_order_of_pcrs():
    policy = MeasurementsPolicy.of(dict(reversed(IMAGE.items())), IMAGE | {7: [SOME]})
    assert [list(image) for image in policy.images] == [[2, 4, 12, 13], [2, 4, 7, 12, 13]]
    with pytest.raises(TypeError):
        policy.images[0][4] = {SOME}


@pytest.mark.attack("A25")
@pytest.mark.parametrize("build", [MeasurementsPolicy.of, lambda image: MeasurementsPolicy((image,))])
def test_a_policy_does_not_change_with_what_it_was_made_from(build):
    """Emptied after the look at its gates, a table would compare nothing and trust every machine."""
    image = {index: set(digests) for index, digests in IMAGE.items()}
    policy = build(image)
    image[4].add(ZERO_SHA384)
    image.clear()
    assert policy == MeasurementsPolicy.of(IMAGE)


@pytest.mark.attack("A25")
def test_a_policy_that_compares_nothing_is_none():
    refused("policy.empty", MeasurementsPolicy.of)
    refused("policy.empty", UnsafePartialMeasurementsPolicy.of)
    refused("policy.empty", UnsafePartialMeasurementsPolicy.of, {})
    refused("policy.empty", MeasurementsPolicy.of, IMAGE, IMAGE | {4: set()})
    refused("policy.empty", MeasurementsPolicy, ())
    refused("policy.empty", UnsafePartialMeasurementsPolicy, ({},))


@pytest.mark.attack("A13")
@pytest.mark.parametrize("gate", [2, 4, 12, 13])
def test_each_gate_must_be_named_unless_said_otherwise(gate):
    partial = {index: digests for index, digests in IMAGE.items() if index != gate}
    refused("policy.partial", MeasurementsPolicy.of, IMAGE, partial)
    UnsafePartialMeasurementsPolicy.of(partial)


@pytest.mark.attack("A17")
@pytest.mark.parametrize("build", [MeasurementsPolicy.of, UnsafePartialMeasurementsPolicy.of])
@pytest.mark.parametrize("index", [16, 23])
def test_pcrs_that_software_can_set_are_no_gates(build, index):
    refused("policy.resettable", build, IMAGE | {index: {SOME}})


@pytest.mark.attack("A12")
@pytest.mark.parametrize("build", [MeasurementsPolicy.of, UnsafePartialMeasurementsPolicy.of])
@pytest.mark.parametrize("index", [4, 7])
def test_a_reference_of_zeros_is_refused_where_every_boot_measures(build, index):
    refused("policy.zero-reference", build, IMAGE | {index: {SOME, ZERO_SHA384}})


@pytest.mark.attack("A13")
def test_indices_and_lengths_are_those_of_pcrs():
    refused("policy.pcr-index", MeasurementsPolicy.of, IMAGE | {32: {SOME}})
    refused("policy.pcr-index", MeasurementsPolicy.of, IMAGE | {-1: {SOME}})
    refused("policy.digest-length", MeasurementsPolicy.of, IMAGE | {4: {SOME[:-1]}})
    refused("policy.digest-length", MeasurementsPolicy.of, IMAGE | {4: {b""}})


def test_enclaves_have_other_gates():
    EnclavePolicy.of({0: {SOME}})
    refused("policy.partial", EnclavePolicy.of, {1: {SOME}})
    refused("policy.resettable", EnclavePolicy.of, {0: {SOME}, 16: {SOME}})
    refused("policy.zero-reference", EnclavePolicy.of, {0: {ZERO_SHA384}})
    assert not issubclass(EnclavePolicy, MeasurementsPolicy)


def test_the_gates_that_are_missing_are_named():
    with pytest.raises(UsageError, match=r"found no PCR4, PCR13$"):
        MeasurementsPolicy.of({index: {SOME} for index in (2, 12)})
