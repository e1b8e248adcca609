# SPDX-License-Identifier: Apache-2.0
"""What holds for every policy and every request."""

import json
import string
from dataclasses import replace

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import AccountId, KeyArn, Region, TenantId
from strongroom.keypolicy.context import Call, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.model import encode_key_policy, parse_identity_policy, parse_key_policy
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

VENDOR, CUSTOMER = AccountId("444455556666"), AccountId("111122223333")
KEY = KeyArn(f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
ALL = parse_identity_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
CONTEXT = {
    "strongroom:product": "acme",
    "strongroom:tenant": "globex",
    "strongroom:purpose": "secret",
    "strongroom:name": "db",
    "strongroom:epoch": "1",
}
ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:CreateGrant", "kms:*", "kms:D*", "*")
digests = st.binary(min_size=48, max_size=48).filter(any)
words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)


def one_or_more(values):
    return values | st.lists(values, min_size=1, max_size=3)


principals = st.sampled_from(["*", VENDOR, f"arn:aws:iam::{CUSTOMER}:root", f"arn:aws:iam::{CUSTOMER}:role/app"]).map(
    lambda value: {"AWS": value}
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "StringEquals": st.fixed_dictionaries({"kms:EncryptionContext:strongroom:tenant": one_or_more(words)}),
        "StringNotEquals": st.fixed_dictionaries({"kms:EncryptionContext:strongroom:epoch": one_or_more(words)}),
        "StringEqualsIgnoreCaseIfExists": st.fixed_dictionaries(
            {"kms:RecipientAttestation:NitroTPMPCR4": one_or_more(digests.map(bytes.hex))}
        ),
        "Null": st.fixed_dictionaries({"kms:RecipientAttestation:NitroTPMPCR4": st.sampled_from(["true", "false"])}),
        "ForAnyValue:StringLike": st.fixed_dictionaries({"kms:EncryptionContextKeys": one_or_more(words)}),
        "DateLessThan": st.fixed_dictionaries({"aws:CurrentTime": st.sampled_from(["2026-01-01", "2999-01-01"])}),
    },
)


def statements(effect):
    return st.fixed_dictionaries(
        {
            "Effect": effect,
            "Principal": principals,
            "Action": one_or_more(st.sampled_from(ACTIONS)),
            "Resource": st.sampled_from(["*", KEY]),
        },
        optional={"Condition": conditions},
    )


def policy_of(body):
    return parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": body}))


policies = st.lists(statements(st.sampled_from(["Allow", "Deny"])), min_size=1, max_size=5).map(policy_of)
denies = statements(st.just("Deny")).map(lambda body: policy_of([body]).statements[0])
callers = st.sampled_from(
    [
        Caller(CUSTOMER, f"arn:aws:sts::{CUSTOMER}:assumed-role/app/s", f"arn:aws:iam::{CUSTOMER}:role/app"),
        Caller(VENDOR, f"arn:aws:iam::{VENDOR}:user/operator"),
    ]
)


def golden(pcr4):
    return PcrDigests.of({2: SEPARATOR_ONLY_SHA384, 4: pcr4, 7: b"7" * 48, 12: ZERO_SHA384, 13: ZERO_SHA384})


def request_of(pcrs, caller=None, action="kms:Decrypt"):
    from datetime import UTC, datetime

    caller = caller or Caller(
        CUSTOMER, f"arn:aws:sts::{CUSTOMER}:assumed-role/app/s", f"arn:aws:iam::{CUSTOMER}:role/app"
    )
    attestation = None if pcrs is None else NitroTpmPcrs(pcrs)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return kms_request(Call(action, caller, KEY, now, Sender(Region("eu-central-1")), attestation, CONTEXT))


def tenant_policy(*pcr4):
    releases = tuple(
        AdmittedRelease(version=str(n), ring="r", pcrs=golden(value), epoch=1, secure_boot=SecureBoot.GATED)
        for n, value in enumerate(pcr4)
    )
    vendor = VendorSpec(product="acme", account=VENDOR, sealer_role_arn=f"arn:aws:iam::{VENDOR}:role/sealer")
    return tenant_key_policy(
        TenantKeySpec(vendor=vendor, tenant=TenantId("globex"), accounts=(CUSTOMER,), releases=releases)
    )


def outcome(policy, request):
    return evaluate(request, key_policy=policy, identity_policies=[ALL]).outcome


requests = st.builds(
    lambda pcr4, caller, action: request_of(None if pcr4 is None else golden(pcr4), caller, action),
    digests | st.none(),
    callers,
    st.sampled_from(["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"]),
)


@given(policies, denies, requests)
def test_adding_a_deny_never_allows_more(policy, deny, request):
    stricter = replace(policy, statements=(*policy.statements, deny))
    if outcome(stricter, request) is Outcome.ALLOWED:
        assert outcome(policy, request) is Outcome.ALLOWED


@given(st.lists(digests, min_size=1, max_size=4, unique=True), st.data())
def test_one_changed_bit_of_a_gated_pcr_is_denied(releases, data):
    policy = tenant_policy(*releases)
    pcrs = golden(data.draw(st.sampled_from(releases)))
    assert outcome(policy, request_of(pcrs)) is Outcome.ALLOWED
    index = data.draw(st.sampled_from([2, 4, 7, 12, 13]))
    bit = data.draw(st.integers(0, 383))
    changed = (int.from_bytes(pcrs[index]) ^ (1 << bit)).to_bytes(48)
    if index == 4 and changed in releases:
        return
    mutated = PcrDigests.of({**pcrs, index: changed})
    assert outcome(policy, request_of(mutated)) is Outcome.EXPLICITLY_DENIED
    missing = PcrDigests.of({n: value for n, value in pcrs.items() if n != index})
    assert outcome(policy, request_of(missing)) is Outcome.EXPLICITLY_DENIED


@given(st.lists(digests, min_size=1, max_size=3), st.randoms(use_true_random=True))
def test_the_case_of_hex_actions_and_keys_does_not_matter(releases, random):
    policy = tenant_policy(*releases)
    body = json.loads(encode_key_policy(policy))

    def shuffled(text):
        return "".join(random.choice((each.lower(), each.upper())) for each in text)

    for each in body["Statement"]:
        actions = each["Action"] if isinstance(each["Action"], list) else [each["Action"]]
        each["Action"] = [shuffled(action) for action in actions]
        for operator, block in each.get("Condition", {}).items():
            renamed = {shuffled(key): value for key, value in block.items()}
            if operator.endswith("IgnoreCase"):
                renamed = {
                    key: [shuffled(text) for text in ([value] if isinstance(value, str) else value)]
                    for key, value in renamed.items()
                }
            each["Condition"][operator] = renamed
    respelled = parse_key_policy(json.dumps(body))
    for pcrs in (golden(releases[0]), golden(b"x" * 48), None):
        assert outcome(respelled, request_of(pcrs)) is outcome(policy, request_of(pcrs))


@given(policies)
def test_what_is_written_reads_back_as_the_same_policy(policy):
    text = encode_key_policy(policy)
    assert parse_key_policy(text) == policy
    assert encode_key_policy(parse_key_policy(text)) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ACTIONS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Version",
                    "Statement",
                    "Sid",
                    "Effect",
                    "Principal",
                    "AWS",
                    "Action",
                    "Resource",
                    "Condition",
                    "StringEquals",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.text() | json_values.map(json.dumps))
def test_any_text_parses_or_raises_a_format_error(text):
    for parse in (parse_key_policy, parse_identity_policy):
        try:
            parse(text)
        except FormatError:
            continue


@settings(max_examples=300)
@given(policies, st.data())
def test_a_damaged_policy_parses_or_raises_a_format_error(policy, data):
    text = encode_key_policy(policy)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    damaged = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    try:
        parse_key_policy(damaged)
    except FormatError:
        return


@pytest.mark.parametrize("wanted", list(Outcome))
def test_the_strategies_reach_every_answer(wanted):
    assert find(policies, lambda policy: outcome(policy, request_of(None)) is wanted).statements


@pytest.mark.parametrize("value", ["true", "false"])
def test_null_is_the_only_operator_about_presence_alone(value):
    body = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": {"Null": {"kms:RecipientAttestation:NitroTPMPCR4": value}},
    }
    attested, bare = request_of(golden(b"4" * 48)), request_of(None)
    expected = (Outcome.NOT_ALLOWED, Outcome.ALLOWED) if value == "true" else (Outcome.ALLOWED, Outcome.NOT_ALLOWED)
    assert (outcome(policy_of([body]), attested), outcome(policy_of([body]), bare)) == expected
