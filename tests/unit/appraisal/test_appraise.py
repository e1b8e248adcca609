# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from tests.nitro_pki import NONCE, NOW, PCR4, PCRS, document, enclave_document, enclave_pki, good_pki

from strongroom.appraisal.appraise import MAX_CLOCK_SKEW, NOBODY_CHALLENGED, appraise, appraise_enclave
from strongroom.appraisal.evidence import verify_enclave_evidence, verify_evidence
from strongroom.appraisal.policy import EnclavePolicy, MeasurementsPolicy, UnsafePartialMeasurementsPolicy
from strongroom.errors import NotTrusted, UsageError
from strongroom.formats.pcrs import PcrDigests

IMAGE = {index: {PCRS[index]} for index in (2, 4, 12, 13)}
OTHER = b"\x11" * 48
POLICY = MeasurementsPolicy.of(IMAGE)


def evidence(**changes):
    return verify_evidence(document(**changes), roots=good_pki().roots, at=NOW)


def codes(found=None, policy=POLICY, **context):
    context = {"nonce": NONCE, "now": NOW} | context
    return [f.code for f in appraise(evidence() if found is None else found, policy, **context).findings]


def pcrs(**changes):
    changed = {**PCRS, **{int(name[3:]): value for name, value in changes.items()}}
    return evidence(pcrs=PcrDigests.of({i: v for i, v in changed.items() if v is not None}))


def test_a_document_that_is_as_expected_is_trusted():
    result = appraise(evidence(), POLICY, nonce=NONCE, now=NOW, public_key=b"public key")
    assert result.findings == ()
    assert result.require() is result.evidence


def test_the_result_holds_the_evidence_it_is_about():
    found = evidence()
    assert appraise(found, POLICY, nonce=NONCE, now=NOW).evidence is found
    assert appraise(found, MeasurementsPolicy.of(IMAGE | {4: {OTHER}}), nonce=NONCE, now=NOW).evidence is found


def test_a_finding_says_what_was_expected():
    policy = MeasurementsPolicy.of(IMAGE | {4: {OTHER, b"\x22" * 48}})
    result = appraise(evidence(user_data=b"theirs"), policy, nonce=NONCE, now=NOW, user_data=b"mine")
    assert [finding.message for finding in result.findings] == [
        "expected the user data that was given, found another one",
        f"expected PCR4 = {'11' * 48} or {'22' * 48}, found {PCR4.hex()}",
    ]


def test_everything_wrong_is_listed_and_require_raises_it():
    found = evidence(user_data=b"theirs")
    wrong = MeasurementsPolicy.of(IMAGE | {4: {OTHER}, 12: {OTHER}})
    result = appraise(found, wrong, nonce=b"mine", now=NOW + timedelta(hours=1), public_key=b"mine", user_data=b"mine")
    expected = ["nonce.mismatch", "age.too-old", "public-key.mismatch", "user-data.mismatch", *["pcr.mismatch"] * 2]
    assert [f.code for f in result.findings] == expected
    with pytest.raises(NotTrusted) as caught:
        result.require()
    assert caught.value.findings == result.findings
    assert caught.value.code == "nonce.mismatch"
    assert "6 reasons" in str(caught.value)


@pytest.mark.attack("A2")
def test_the_nonce_is_compared_whole():
    assert codes(nonce=NONCE[:-1]) == ["nonce.mismatch"]
    assert codes(nonce=NONCE + b"\0") == ["nonce.mismatch"]
    assert codes(evidence(nonce=None)) == ["nonce.absent"]
    assert codes(evidence(nonce=b"")) == ["nonce.mismatch"]


@pytest.mark.attack("A2")
def test_the_nonce_is_left_out_by_name_only():
    with pytest.raises(TypeError):
        appraise(evidence(), POLICY, now=NOW)  # type: ignore[call-arg]
    assert codes(evidence(nonce=None), nonce=NOBODY_CHALLENGED) == []


@pytest.mark.attack("A2")
def test_an_empty_nonce_is_a_mistake_of_the_caller():
    with pytest.raises(UsageError) as caught:
        codes(evidence(nonce=b""), nonce=b"")
    assert caught.value.code == "nonce.empty"


@pytest.mark.attack("A3")
def test_a_document_lives_five_minutes_to_the_millisecond():
    limit, tick = timedelta(minutes=5), timedelta(milliseconds=1)
    assert codes(now=NOW + limit) == []
    assert codes(now=NOW + limit + tick) == ["age.too-old"]
    assert codes(now=NOW + limit + tick, max_age=limit + tick) == []
    assert codes(now=NOW - MAX_CLOCK_SKEW) == []
    assert codes(now=NOW - MAX_CLOCK_SKEW - tick) == ["age.in-the-future"]


@pytest.mark.attack("A3")
@pytest.mark.parametrize("minutes", [-60 * 24 * 365, -10, 6, 60, 60 * 24 * 365])
def test_no_other_clock_accepts_it(minutes):
    assert codes(now=NOW + timedelta(minutes=minutes)) in (["age.too-old"], ["age.in-the-future"])


@pytest.mark.attack("A14")
@pytest.mark.parametrize("field", ["public_key", "user_data"])
def test_the_bound_fields_are_compared_whole(field):
    name = field.replace("_", "-")
    found = evidence(**{field: b"ours"})
    assert codes(found, **{field: b"ours"}) == []
    assert codes(found, **{field: b"our"}) == [f"{name}.mismatch"]
    assert codes(evidence(**{field: None}), **{field: b"ours"}) == [f"{name}.absent"]
    assert codes(found, **{field: b""}) == [f"{name}.mismatch"]
    assert codes(found) == []


@pytest.mark.attack("A13")
@pytest.mark.parametrize("index", [2, 4, 12, 13])
def test_each_gate_must_be_there_and_equal(index):
    assert codes(pcrs(**{f"pcr{index}": OTHER})) == ["pcr.mismatch"]
    assert set(codes(pcrs(**{f"pcr{index}": None}))) == {"pcr.absent"}


@pytest.mark.attack("A12")
@pytest.mark.parametrize("index", [4, 7])
def test_zeros_are_refused_whatever_the_policy(index):
    partial = UnsafePartialMeasurementsPolicy.of({2: {PCRS[2]}})
    assert codes(pcrs(**{f"pcr{index}": bytes(48)}), partial) == ["pcr.unmeasured"]
    assert codes(pcrs(**{f"pcr{index}": None}), partial) == ["pcr.absent"]


def test_one_image_must_fit_as_a_whole():
    second = IMAGE | {4: {OTHER}, 12: {OTHER}}
    both = MeasurementsPolicy.of(IMAGE, second)
    assert codes(policy=both) == []
    assert codes(pcrs(pcr4=OTHER, pcr12=OTHER), both) == []
    assert codes(pcrs(pcr12=OTHER), both) == ["pcr.mismatch"]
    assert codes(pcrs(pcr4=OTHER), both) == ["pcr.mismatch"]


def test_a_pcr_may_have_several_values():
    assert codes(policy=MeasurementsPolicy.of(IMAGE | {4: {OTHER, PCR4}})) == []


@pytest.mark.attack("A1")
def test_only_verified_evidence_is_appraised():
    pki = enclave_pki()
    enclave = verify_enclave_evidence(enclave_document(pki), roots=pki.roots, at=NOW)
    rule = EnclavePolicy.of({0: {bytes([1]) * 48}})
    for wrong in (document(), enclave, None):
        with pytest.raises(TypeError):
            appraise(wrong, POLICY, nonce=NONCE, now=NOW)
    with pytest.raises(TypeError):
        appraise(evidence(), rule, nonce=NONCE, now=NOW)
    for found, policy in ((evidence(), rule), (enclave, POLICY)):
        with pytest.raises(TypeError):
            appraise_enclave(found, policy, nonce=NONCE, now=NOW)


@pytest.mark.attack("A14")
@pytest.mark.parametrize("field", ["public_key", "user_data"])
def test_what_an_enclave_was_asked_to_sign_is_compared(field):
    pki = enclave_pki()
    data = enclave_document(pki, nonce=NONCE, **{field: b"theirs"})
    found = verify_enclave_evidence(data, roots=pki.roots, at=NOW)
    policy = EnclavePolicy.of({0: {bytes([1]) * 48}})
    for wanted, codes_found in ((b"theirs", []), (b"mine", [f"{field.replace('_', '-')}.mismatch"])):
        result = appraise_enclave(found, policy, nonce=NONCE, now=NOW, **{field: wanted})
        assert [finding.code for finding in result.findings] == codes_found


@pytest.mark.attack("A12")
def test_enclaves_are_appraised_by_their_own_rules():
    pki = enclave_pki()

    def found(**changes):
        data = enclave_document(pki, nonce=NONCE, **changes)
        evidence = verify_enclave_evidence(data, roots=pki.roots, at=NOW)
        policy = EnclavePolicy.of({0: {bytes([1]) * 48}})
        return [f.code for f in appraise_enclave(evidence, policy, nonce=NONCE, now=NOW).findings]

    assert found() == []
    assert found(pcrs={0: OTHER}) == ["pcr.mismatch"]
    assert found(pcrs={0: bytes(48)}) == ["pcr.unmeasured", "pcr.mismatch"]
    assert found(pcrs={1: OTHER}) == ["pcr.absent", "pcr.absent"]
