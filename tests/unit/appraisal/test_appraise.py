# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nitro_pki import NONCE, NOW, PCR4, PCRS, document, enclave_document, enclave_pki, good_pki

from strongroom.appraisal.appraise import MAX_CLOCK_SKEW, NOBODY_CHALLENGED, appraise, appraise_enclave
from strongroom.appraisal.composition import AllOf, AnyOf, image
from strongroom.appraisal.evidence import verify_enclave_evidence, verify_evidence
from strongroom.appraisal.policy import AppraisalPolicy, EnclavePolicy, UnsafePartialPolicy
from strongroom.appraisal.rules import MaximumAge, PcrRule, Regions
from strongroom.errors import NotTrusted, Severity, UsageError
from strongroom.formats.pcrs import PcrDigests

IMAGE = {index: {PCRS[index]} for index in (2, 4, 12, 13)}
OTHER = b"\x11" * 48
POLICY = AppraisalPolicy.of(IMAGE)


def evidence(**changes):
    return verify_evidence(document(**changes), roots=good_pki().roots, at=NOW)


EVIDENCE = evidence()


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


def test_the_flags_of_a_policy_are_in_the_result_and_refuse_nothing():
    result = appraise(evidence(), UnsafePartialPolicy.of({4: {PCR4}}), nonce=NONCE, now=NOW)
    assert [(flag.code, flag.severity) for flag in result.flags] == [("policy.partial", Severity.WARNING)]
    assert (result.findings, result.require()) == ((), result.evidence)
    refused = appraise(evidence(), UnsafePartialPolicy.of({4: {OTHER}}), nonce=NONCE, now=NOW)
    with pytest.raises(NotTrusted, match=r"1 reason \(pcr.mismatch\)$") as caught:
        refused.require()
    assert [finding.code for finding in caught.value.findings] == ["pcr.mismatch", "policy.partial"]


def test_the_alternatives_that_fit_are_named_where_nothing_was_found():
    policy = AppraisalPolicy(AnyOf((image(IMAGE, name="1.4"), image(IMAGE | {4: {OTHER}}, name="1.3"))))
    assert appraise(evidence(), policy, nonce=NONCE, now=NOW).matched == ("1.4",)
    assert appraise(evidence(), policy, nonce=b"another", now=NOW).matched == ()


@pytest.mark.attack("A17")
def test_what_software_can_set_is_compared_where_that_was_allowed():
    policy = UnsafePartialPolicy.of(IMAGE | {16: {PCRS[16]}})
    assert codes(policy=policy) == []
    assert codes(pcrs(pcr16=OTHER), policy) == ["pcr.mismatch"]


def test_the_remedy_of_other_pcrs_names_the_commands_that_explain_them():
    def remedy(**context):
        with pytest.raises(NotTrusted) as caught:
            appraise(evidence(), AppraisalPolicy.of(IMAGE | {4: {OTHER}}), **context).require()
        return caught.value.remedy

    assert "`strongroom explain`" in remedy(nonce=NONCE, now=NOW)
    with pytest.raises(NotTrusted) as caught:
        appraise(evidence(), POLICY, nonce=b"other", now=NOW).require()
    assert caught.value.remedy == ""


def test_the_remedy_of_an_old_document_is_a_new_one():
    with pytest.raises(NotTrusted) as caught:
        appraise(evidence(), POLICY, nonce=NONCE, now=NOW + timedelta(minutes=5, seconds=15)).require()
    assert caught.value.remedy.startswith("Ask the machine for a new document.")
    assert caught.value.findings[0].message == "expected a document no older than 5m, found one of 5m 15s"


def test_findings_carry_what_programs_need():
    result = appraise(evidence(), AppraisalPolicy.of(IMAGE | {4: {OTHER}}), nonce=b"mine", now=NOW)
    nonce, pcr = result.findings
    assert (nonce.expected, nonce.found, nonce.severity) == ((b"mine".hex(),), NONCE.hex(), Severity.ERROR)
    assert (pcr.pcr, pcr.expected, pcr.found) == (4, (OTHER.hex(),), PCR4.hex())
    (absent,) = appraise(evidence(nonce=None), POLICY, nonce=b"mine", now=NOW).findings
    assert (absent.expected, absent.found) == ((b"mine".hex(),), None)
    (unmeasured,) = appraise(
        pcrs(pcr7=bytes(48)), UnsafePartialPolicy.of({11: {PCRS[11]}}), nonce=NONCE, now=NOW
    ).findings
    assert (unmeasured.pcr, unmeasured.found) == (7, "00" * 48)
    (gone,) = appraise(pcrs(pcr7=None), UnsafePartialPolicy.of({11: {PCRS[11]}}), nonce=NONCE, now=NOW).findings
    assert (gone.pcr, gone.found) == (7, None)


def test_the_result_holds_the_evidence_it_is_about():
    found = evidence()
    assert appraise(found, POLICY, nonce=NONCE, now=NOW).evidence is found
    assert appraise(found, AppraisalPolicy.of(IMAGE | {4: {OTHER}}), nonce=NONCE, now=NOW).evidence is found


def test_a_finding_says_what_was_expected():
    policy = AppraisalPolicy.of(IMAGE | {4: {OTHER, b"\x22" * 48}})
    result = appraise(evidence(user_data=b"theirs"), policy, nonce=NONCE, now=NOW, user_data=b"mine")
    assert [finding.message for finding in result.findings] == [
        "expected the user data that was given, found another one",
        f"expected PCR4 = {'11' * 48} or {'22' * 48}, found {PCR4.hex()}",
    ]


def test_everything_wrong_is_listed_and_require_raises_it():
    found = evidence(user_data=b"theirs")
    wrong = AppraisalPolicy.of(IMAGE | {4: {OTHER}, 12: {OTHER}})
    result = appraise(found, wrong, nonce=b"mine", now=NOW + timedelta(hours=1), public_key=b"mine", user_data=b"mine")
    expected = ["nonce.mismatch", "age.too-old", "public-key.mismatch", "user-data.mismatch", *["pcr.mismatch"] * 2]
    assert [f.code for f in result.findings] == expected
    with pytest.raises(NotTrusted) as caught:
        result.require()
    assert caught.value.findings == result.findings
    assert caught.value.code == "nonce.mismatch"
    assert str(caught.value) == (
        "the document is authentic and not trusted: 6 reasons "
        "(nonce.mismatch, age.too-old, public-key.mismatch, user-data.mismatch, pcr.mismatch)"
    )


def test_the_text_of_a_refusal_names_no_flag_among_its_reasons():
    with pytest.raises(NotTrusted) as caught:
        appraise(evidence(), UnsafePartialPolicy.of({4: {OTHER}}), nonce=NONCE, now=NOW).require()
    assert len(caught.value.findings) > 1
    assert str(caught.value).endswith("1 reason (pcr.mismatch)")


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
def test_of_two_ages_the_stricter_wins():
    minute, tick = timedelta(minutes=1), timedelta(milliseconds=1)

    def oldest(rule_minutes, max_age=None):
        rule = AllOf((image(IMAGE), MaximumAge(rule_minutes * minute))) if rule_minutes else image(IMAGE)
        ages = [
            n * minute
            for n in range(1, 12)
            if not codes(policy=AppraisalPolicy(rule), now=NOW + n * minute, max_age=max_age)
        ]
        assert codes(policy=AppraisalPolicy(rule), now=NOW + ages[-1] + tick, max_age=max_age)
        return ages[-1] // minute

    assert oldest(None) == 5
    assert oldest(3) == 3
    assert oldest(10) == 10
    assert oldest(10, 2 * minute) == 2
    assert oldest(3, 9 * minute) == 3
    assert oldest(None, 9 * minute) == 9


@pytest.mark.attack("A3")
def test_an_age_in_one_alternative_only_leaves_ours_for_all():
    policy = AppraisalPolicy(
        AnyOf((AllOf((image(IMAGE), MaximumAge(timedelta(hours=1)))), image(IMAGE | {4: {OTHER}})))
    )
    assert codes(policy=policy, now=NOW + timedelta(minutes=6)) == ["age.too-old"]
    assert codes(policy=policy, now=NOW + timedelta(minutes=5)) == []


@pytest.mark.attack("A3")
def test_a_policy_with_an_age_takes_no_document_from_the_future():
    policy = AppraisalPolicy(AllOf((image(IMAGE), MaximumAge(timedelta(hours=1)))))
    assert codes(policy=policy, now=NOW - timedelta(minutes=1)) == ["age.in-the-future"]


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


@pytest.mark.attack("B8")
def test_a_golden_pcr_4_does_not_make_up_for_a_boot_that_measured_nothing():
    """A machine that boots by legacy BIOS measures nothing; software then extends PCR 4 to what it should be."""
    nothing = {f"pcr{index}": bytes(48) for index in range(8)} | {"pcr4": PCR4}
    found = appraise(pcrs(**nothing), POLICY, nonce=NONCE, now=NOW).findings
    assert [(finding.code, finding.pcr) for finding in found] == [("pcr.unmeasured", 7), ("pcr.mismatch", 2)]
    only = UnsafePartialPolicy.of({4: {PCR4}})
    assert codes(pcrs(**nothing), only) == ["pcr.unmeasured"]


@pytest.mark.attack("A12")
@pytest.mark.parametrize("index", [4, 7])
def test_zeros_are_refused_whatever_the_policy(index):
    partial = UnsafePartialPolicy.of({11: {PCRS[11]}})
    assert codes(pcrs(**{f"pcr{index}": bytes(48)}), partial) == ["pcr.unmeasured"]
    assert codes(pcrs(**{f"pcr{index}": None}), partial) == ["pcr.absent"]


def test_one_image_must_fit_as_a_whole():
    second = IMAGE | {4: {OTHER}, 12: {OTHER}}
    both = AppraisalPolicy.of(IMAGE, second)
    assert codes(policy=both) == []
    assert codes(pcrs(pcr4=OTHER, pcr12=OTHER), both) == []
    assert codes(pcrs(pcr12=OTHER), both) == ["pcr.mismatch"]
    assert codes(pcrs(pcr4=OTHER), both) == ["pcr.mismatch"]


@given(st.permutations(range(3)), st.sampled_from([PCR4, OTHER]))
def test_a_rule_more_never_makes_a_refused_document_trusted(order, pcr4):
    """Neither through the rule itself, nor by making a policy strong enough that was refused before."""
    more = (Regions({"us-east-1"}), PcrRule(4, {PCR4}), MaximumAge(timedelta(days=1)))
    rule = image(IMAGE | {4: {pcr4, b"\x22" * 48}})
    for number in order:
        before = appraise(EVIDENCE, AppraisalPolicy(rule), nonce=NONCE, now=NOW).findings
        rule = AllOf((rule, more[number]))
        after = appraise(EVIDENCE, AppraisalPolicy(rule), nonce=NONCE, now=NOW).findings
        assert set(before) <= set(after)


def test_a_pcr_may_have_several_values():
    assert codes(policy=AppraisalPolicy.of(IMAGE | {4: {OTHER, PCR4}})) == []


@pytest.mark.attack("A1")
@pytest.mark.attack("A11")
def test_only_verified_evidence_is_appraised():
    pki = enclave_pki()
    enclave = verify_enclave_evidence(enclave_document(pki), roots=pki.roots, at=NOW)
    rule = EnclavePolicy.of({0: {bytes([1]) * 48}})
    for wrong in (document(), enclave, None):
        with pytest.raises(TypeError, match="expected VerifiedEvidence, found"):
            appraise(wrong, POLICY, nonce=NONCE, now=NOW)
    with pytest.raises(TypeError, match="expected AppraisalPolicy, found EnclavePolicy"):
        appraise(evidence(), rule, nonce=NONCE, now=NOW)
    for found, policy in ((evidence(), rule), (enclave, POLICY)):
        with pytest.raises(TypeError, match=r"expected (VerifiedEnclaveEvidence|EnclavePolicy), found"):
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


@pytest.mark.attack("A3")
def test_an_enclave_is_asked_for_its_age_too():
    pki = enclave_pki()
    evidence = verify_enclave_evidence(enclave_document(pki, nonce=NONCE), roots=pki.roots, at=NOW)
    policy, later = EnclavePolicy.of({0: {bytes([1]) * 48}}), NOW + timedelta(minutes=6)

    def result(**context):
        return appraise_enclave(evidence, policy, nonce=NONCE, **context)

    assert [finding.code for finding in result(now=later).findings] == ["age.too-old"]
    assert [finding.code for finding in result(now=NOW, max_age=timedelta(seconds=-1)).findings] == ["age.too-old"]
    good = result(now=later, max_age=timedelta(minutes=7))
    assert (good.findings, good.flags, good.require()) == ((), (), evidence)


def test_the_nearest_enclave_image_says_what_differs():
    pki = enclave_pki()
    evidence = verify_enclave_evidence(enclave_document(pki, nonce=NONCE), roots=pki.roots, at=NOW)
    far, near = {0: {OTHER}, 1: {OTHER}}, {0: {bytes([1]) * 48}, 1: {OTHER}}
    (finding,) = appraise_enclave(evidence, EnclavePolicy.of(far, near), nonce=NONCE, now=NOW).findings
    assert (finding.code, finding.pcr, finding.meaning) == ("pcr.mismatch", 1, "")
    assert not appraise_enclave(evidence, EnclavePolicy.of(far, {0: {bytes([1]) * 48}}), nonce=NONCE, now=NOW).findings
