# SPDX-License-Identifier: Apache-2.0
"""Policies: of KMS keys, of IAM identities, and for the appraisal of evidence."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.target import Target

from strongroom.appraisal.policy_file import assumptions, rule_of
from strongroom.errors import FormatError, NotTrusted, UsageError
from strongroom.formats.appraisal_policy import encode_appraisal_policy, parse_appraisal_policy
from strongroom.formats.json_places import find_spans
from strongroom.formats.measurements import parse_measurements
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import AccountId, TenantId
from strongroom.keypolicy.callers import read_caller
from strongroom.keypolicy.context import NitroTpmPcrs
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.generate import bootstrap_key_policy, tenant_key_policy
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.grant_list import parse_grant_list
from strongroom.keypolicy.grants import grant_principal, grant_service
from strongroom.keypolicy.lint.examples import EXAMPLES
from strongroom.keypolicy.lint.linter import LintQuestion, lint_statements
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import (
    encode_identity_policy,
    encode_key_policy,
    parse_identity_policy,
    parse_identity_policy_leniently,
    parse_key_policy,
    parse_key_policy_leniently,
    parse_resource_policy,
)
from strongroom.keypolicy.operators import READERS, ValueKind
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.keypolicy.symbolic.answer import Witness
from strongroom.keypolicy.symbolic.ask import opening_without_allowed_document
from strongroom.keypolicy.train import read_train

PAGE = Path(__file__).parents[3] / "docs/formats/appraisal-policy.md"
DIGEST = "11" * 48
ACCOUNT = AccountId("111122223333")
STATEMENT = {
    "Sid": "A",
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": ["kms:Decrypt"],
    "Resource": "*",
    "Condition": {
        "ForAnyValue:StringLikeIfExists": {"kms:EncryptionContextKeys": ["a*", "b?"]},
        "Null": {"aws:SourceVpce": True},
        "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"},
        "DateGreaterThan": {"aws:EpochTime": [1800000000, "1900000000"]},
        "NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
        "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"},
    },
}
IDENTITY = {name: value for name, value in STATEMENT.items() if name != "Principal"}


def key_policy(data: bytes) -> None:
    """Written again it is the same policy, if it still fits."""
    policy = parse_key_policy(data.decode("latin-1"))
    written = encode_key_policy(policy)
    if len(written) <= MAX_POLICY_BYTES:
        assert parse_key_policy(written) == policy


def identity_policy(data: bytes) -> None:
    policy = parse_identity_policy(data.decode("latin-1"))
    written = encode_identity_policy(policy)
    if len(written) <= MAX_POLICY_BYTES:
        assert parse_identity_policy(written) == policy


def lenient_policy(data: bytes) -> None:
    """What is read strictly is read the same leniently, and nothing of it is marked."""
    text = data.decode("latin-1")
    policy = parse_key_policy_leniently(text)
    unread = [each for statement in policy.statements for each in statement.conditions if each.unread]
    try:
        strict = parse_key_policy(text)
    except FormatError as error:
        assert unread or error.code == "keypolicy.overly-permissive", error
    else:
        assert (strict, unread) == (policy, [])


def train(data: bytes) -> None:
    """What is generated from what was read means the same."""
    policy = parse_key_policy(data.decode("latin-1"))
    assert meaning(tenant_key_policy(read_train(policy))) == meaning(policy)


def answered_policy(data: bytes) -> None:
    """A request that is shown is allowed, and it has no document of a NitroTPM."""
    policy = parse_key_policy_leniently(data.decode("latin-1"))
    answer = opening_without_allowed_document(policy, key_account=ACCOUNT)
    if isinstance(answer, Witness):
        assert answer.decision.outcome is Outcome.ALLOWED
        assert not isinstance(answer.call.attestation, NitroTpmPcrs)


def linted_policy(data: bytes) -> None:
    """Each finding stands at a place of the text that is there."""
    text = data.decode("latin-1")
    parse_key_policy_leniently(text)
    places = find_spans(text)
    findings = lint_statements(LintQuestion(key_policy=text, now=NOW))
    assert all(each.fault.path in places for each in findings)


def other_policies(data: bytes) -> None:
    """Of a VPC endpoint, and an identity policy with conditions that nobody knows."""
    for read in (parse_resource_policy, parse_identity_policy_leniently):
        try:
            read(data.decode("latin-1"))
        except FormatError:
            continue


def grant_principals(data: bytes) -> None:
    """No text is both a principal of an account and a service."""
    read = []
    for parse in (grant_principal, grant_service):
        try:
            read.append(parse(data.decode("latin-1")))
        except FormatError:
            continue
    assert len(read) <= 1


def grant_list(data: bytes) -> None:
    """Each grant is of a key by its ARN, and allows something."""
    assert all(":key/" in grant.key_arn and grant.operations for grant in parse_grant_list(data))


def caller(data: bytes) -> None:
    """Whoever is read is of the account that stands in his ARN, or a service."""
    found = read_caller(data.decode("latin-1"))
    assert found.is_service or f"::{found.account}:" in found.arn


def condition_values(data: bytes) -> None:
    """Each kind of value, as a policy or a request gives it. These raise ValueError, for others to say where."""
    refusals = []
    for kind, read in READERS.items():
        try:
            read(data.decode("latin-1"))
        except ValueError:
            refusals.append(kind)
    assert ValueKind.STRING not in refusals


def appraisal_policy(data: bytes) -> None:
    """Written again it is the same policy, and it means a rule or is refused by name."""
    policy = parse_appraisal_policy(data)
    assert parse_appraisal_policy(encode_appraisal_policy(policy)) == policy
    measured = parse_measurements(json.dumps({"Measurements": PCRS}).encode())
    files = dict.fromkeys(policy.paths(), measured)
    rule_of(policy, files)
    assumptions(policy, files)


PCRS = {"HashAlgorithm": "SHA384", "PCR4": DIGEST, "PCR7": DIGEST, "PCR12": "00" * 48}


def policy_of(*statements: object) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":")).encode()


def appraisal_policies() -> list[bytes]:
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    small = {"version": 1, "regions": ["eu-west-1"], "any_of": [{"pcrs": {"4": [DIGEST]}}, {"max_age": "5m"}]}
    return [json.dumps(small).encode(), example.encode()]


def generated_policies() -> list[bytes]:
    pcrs = PcrDigests.of({2: SEPARATOR_ONLY_SHA384, 4: b"\x11" * 48, 12: ZERO_SHA384, 13: ZERO_SHA384})
    release = AdmittedRelease(version="1", ring="1-a", pcrs=pcrs, epoch=1, secure_boot=SecureBoot.NOT_GATED)
    vendor = VendorSpec(product="p", account=ACCOUNT, sealer_role_arn=f"arn:aws:iam::{ACCOUNT}:role/s")
    spec = TenantKeySpec(vendor=vendor, tenant=TenantId("t"), accounts=(ACCOUNT,), releases=(release,))
    return [
        encode_key_policy(tenant_key_policy(spec)).encode(),
        encode_key_policy(bootstrap_key_policy(vendor)).encode(),
    ]


def many_statements() -> list[bytes]:
    plain = {"Effect": "Allow", "Principal": "*", "Action": "a:b", "Resource": "*"}
    stars = STATEMENT | {"Action": ["kms:" + "*" * 30_000, "kms:" + "?*" * 15_000]}
    return [
        policy_of(*[plain] * 700),
        policy_of(stars),
        policy_of(STATEMENT | {"Action": [f"kms:A{n}" for n in range(4_000)]}),
        policy_of(STATEMENT | {"Principal": {"AWS": [f"{n:012}" for n in range(4_000)]}}),
        policy_of(STATEMENT | {"Condition": {"DateEquals": {"aws:EpochTime": ["9" * 30_000]}}}),
        policy_of(STATEMENT | {"Condition": {"DateEquals": {"aws:EpochTime": ["1e999999999"]}}}),
    ]


GRANT = {
    "KeyId": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
    "GrantId": "g",
    "GranteePrincipal": "arn:aws:iam::111122223333:role/a",
    "RetiringServicePrincipal": "ec2.amazonaws.com",
    "RetiringPrincipal": "ec2.amazonaws.com",
    "IssuingAccount": "arn:aws:iam::111122223333:root",
    "Operations": ["Decrypt"],
    "Constraints": {"EncryptionContextEquals": {"a": "b"}, "SourceArn": "arn:aws:ec2:eu-west-1:111122223333:x/y"},
}


def grant_lists() -> list[bytes]:
    return [json.dumps({"Grants": [GRANT], "Truncated": False}).encode()]


def many_grants() -> list[bytes]:
    return [
        json.dumps({"Grants": [GRANT | {"GrantId": str(n)} for n in range(5_000)]}).encode(),
        json.dumps({"Grants": [GRANT | {"Operations": ["Decrypt"] * 4_000}]}).encode(),
    ]


def many_rules() -> list[bytes]:
    rule: object = {"regions": ["eu-west-1"]}
    wide = {"version": 1, "any_of": [rule] * 1_020}
    deep = b'{"version":1,' + b'"all_of":[{' * 5_000
    return [
        json.dumps(wide).encode(),
        deep,
        json.dumps({"version": 1, "regions": [f"eu-west-{n}" for n in range(64)]}).encode(),
    ]


def values() -> list[bytes]:
    return [
        b"1800000000",
        b"2027-01-01T00:00:00Z",
        b"-1.5",
        b"True",
        b"10.0.0.0/8",
        b"arn:aws:iam::111122223333:role/a",
    ]


UNHEARD = STATEMENT | {"Condition": {"StringEquals": {"kms:Unheard": "${aws:userid, 'x'}"}, "Unheard": {"a:b": "c"}}}

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def short_examples() -> list[bytes]:
    """Return what each rule fires on, but for one that is about a policy that is nearly too large."""
    texts = [each.fires.encode() for each in EXAMPLES.values()]
    return [text for text in texts if len(text) <= 2_048]


TARGETS = (
    Target(
        "policies.linted",
        linted_policy,
        lambda: [policy_of(STATEMENT), policy_of(UNHEARD), *short_examples()],
        max_bytes=2_048,
        worst=many_statements,
    ),
    Target("policies.train", train, generated_policies, (FormatError, NotTrusted, UsageError), max_bytes=8_192),
    Target(
        "policies.answered",
        answered_policy,
        lambda: [policy_of(STATEMENT), policy_of(UNHEARD), *generated_policies()],
    ),
    Target("policies.lenient-key-policy", lenient_policy, lambda: [policy_of(STATEMENT), policy_of(UNHEARD)]),
    Target(
        "policies.other-policies",
        other_policies,
        lambda: [policy_of(STATEMENT), policy_of({name: UNHEARD[name] for name in IDENTITY})],
        worst=many_statements,
    ),
    Target(
        "policies.grant-principals",
        grant_principals,
        lambda: [b"arn:aws:iam::111122223333:role/a", b"ec2.eu-west-1.amazonaws.com"],
        max_bytes=128,
    ),
    Target("policies.grant-list", grant_list, grant_lists, worst=many_grants),
    Target(
        "policies.caller",
        caller,
        lambda: [b"arn:aws:sts::111122223333:assumed-role/a/s", b"arn:aws:iam::111122223333:role/p/a"],
        (UsageError,),
        max_bytes=128,
    ),
    Target("policies.condition-values", condition_values, values, max_bytes=128),
    Target("policies.key-policy", key_policy, lambda: [policy_of(STATEMENT)], max_bytes=1_024, worst=many_statements),
    Target(
        "policies.identity-policy",
        identity_policy,
        lambda: [policy_of(IDENTITY)],
        max_bytes=1_024,
        worst=many_statements,
    ),
    Target(
        "policies.appraisal-policy", appraisal_policy, appraisal_policies, (FormatError, UsageError), worst=many_rules
    ),
)
