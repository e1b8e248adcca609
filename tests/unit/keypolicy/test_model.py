# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from strongroom.errors import FormatError
from strongroom.keypolicy.model import (
    budget,
    encode_identity_policy,
    encode_key_policy,
    parse_identity_policy,
    parse_key_policy,
    pin_principals,
)

PLAIN = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}


def text(**changes):
    body = {name: value for name, value in {**PLAIN, **changes}.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [body]})


def conditioned(block):
    return text(Condition=block)


MALFORMED = [
    ("{", "json.syntax", ""),
    ("[" * 20_000, "json.too-deep", ""),
    ("[]", "field.wrong-type", "$: expected a table (object), found a list"),
    ('"text"', "field.wrong-type", "$: expected a table"),
    ("{} x", "json.syntax", ""),
    ('{"Version":"2012-10-17","Statement":NaN}', "json.number", "NaN"),
    ('{"Version":"2012-10-17","Statement":1.5}', "field.wrong-type", "Statement"),
    ('{"Version":"2012-10-17","Statement":%s}' % ("9" * 5000), "json.number", "5000"),
    ("{}\u2028", "keypolicy.character", ""),
    (" " * 32_769, "json.too-large", "32769"),
    ('{"Version":"2012-10-17"}', "field.missing", "'Statement'"),
    ('{"Statement":[]}', "field.missing", "'Version'"),
    ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "json.duplicate-key", "'Version' stands twice"),
    ('{"Version":"2008-10-17","Statement":[]}', "field.choice", "Version: expected one of 2012-10-17"),
    ('{"Version":"2012-10-17","Statement":[]}', "field.length", "Statement"),
    ('{"Version":"2012-10-17","Extra":1,"Statement":[]}', "field.unknown", "'Extra'"),
    ('{"Version":"2012-10-17","Statement":[7]}', "field.wrong-type", "Statement[0]"),
    (text(Effect=None), "field.missing", "'Effect'"),
    (text(Effect="allow"), "field.choice", "Statement[0].Effect"),
    (text(Effect={"a": 1}), "field.wrong-type", "Statement[0].Effect"),
    (text(Sid=5), "field.wrong-type", "Statement[0].Sid: expected a string, found an integer"),
    (text(Sid={"a": 1}), "field.wrong-type", "Statement[0].Sid: expected a string, found a table (object)"),
    (text(Comment="x"), "field.unknown", "Statement[0]"),
    (text(Principal=None), "field.missing", "Principal"),
    (text(NotPrincipal={"AWS": "*"}), "field.missing", "found 2"),
    (text(Principal=None, NotPrincipal={"AWS": "*"}), "keypolicy.not-principal", "Statement[0]"),
    (text(Principal={}), "keypolicy.empty", "Statement[0].Principal"),
    (text(Principal={"AWS": []}), "field.length", "Statement[0].Principal.AWS"),
    (text(Principal={"Canonical": "x"}), "field.unknown", "'Canonical'"),
    (text(Principal={"AWS": "arn:aws:iam::111122223333:role/*"}), "keypolicy.principal", "Principal.AWS"),
    (text(Principal={"AWS": "11112222333"}), "keypolicy.principal", "Principal.AWS"),
    (text(Principal={"AWS": ["*", 5]}), "field.wrong-type", "Principal.AWS[1]"),
    (text(Principal={"Service": "*"}), "keypolicy.principal", "Principal.Service"),
    (text(Principal={"Federated": ""}), "keypolicy.principal", "Principal.Federated"),
    (text(Action=None), "field.missing", "Action"),
    (text(NotAction="kms:Sign"), "field.missing", "Action"),
    (text(Action="Decrypt"), "keypolicy.action", "Statement[0].Action"),
    (text(Action="k*:Decrypt"), "keypolicy.action", "Statement[0].Action"),
    (text(Resource=None), "field.missing", "Resource"),
    (text(Resource="key/1"), "keypolicy.resource", "Statement[0].Resource"),
    (text(Resource="arn:aws:kms:*:${aws:PrincipalAccount}:*"), "keypolicy.variable", "Statement[0].Resource"),
    (text(Resource="arn:aws:kms:*:*:key/${aws:unheard}"), "keypolicy.variable", "'aws:unheard'"),
    (text(NotResource="arn:aws:kms:*:*:key/${aws:userid", Resource=None), "keypolicy.variable", "NotResource"),
    (conditioned([]), "field.wrong-type", "Statement[0].Condition"),
    (conditioned({"StringEqual": {"aws:PrincipalArn": "x"}}), "keypolicy.operator", "'StringEqual'"),
    (conditioned({"IfExists": {"aws:PrincipalArn": "x"}}), "keypolicy.operator", "'IfExists'"),
    (conditioned({"NullIfExists": {"aws:PrincipalArn": "true"}}), "keypolicy.operator", "'NullIfExists'"),
    (conditioned({"ForAllValues:Null": {"aws:PrincipalArn": "true"}}), "keypolicy.operator", "Null by itself"),
    (conditioned({"StringEquals": {}}), "field.length", "Condition.StringEquals"),
    (conditioned({"StringEquals": {"aws:PrincipalOrgID": []}}), "field.length", "aws:PrincipalOrgID"),
    (conditioned({"StringEquals": {"aws:PrincipalOrgID": None}}), "field.wrong-type", "aws:PrincipalOrgID"),
    (conditioned({"StringEquals": {"kms:Unheard": "x"}}), "keypolicy.condition-key", "'kms:Unheard'"),
    (conditioned({"StringEquals": {"kms:EncryptionContext:": "x"}}), "keypolicy.condition-key", ""),
    (conditioned({"StringEquals": {"aws:PrincipalOrgID": "a", "aws:principalorgid": "b"}}), "field.duplicate", ""),
    (conditioned({"StringEquals": {"aws:PrincipalArn": "${aws:unheard}"}}), "keypolicy.variable", "aws:unheard"),
    (conditioned({"StringEquals": {"aws:userid": "${aws:TagKeys}"}}), "keypolicy.variable", "one value"),
    (conditioned({"StringEquals": {"aws:userid": "${aws:userid"}}), "keypolicy.variable", "${aws:userid"),
    (conditioned({"StringEquals": {"aws:userid": "${aws:userid, x}"}}), "keypolicy.variable", "'default'"),
    (conditioned({"Bool": {"aws:SecureTransport": "${aws:SecureTransport}"}}), "keypolicy.variable", "Bool"),
    (conditioned({"DateLessThan": {"aws:CurrentTime": "${aws:TokenIssueTime}"}}), "keypolicy.variable", "DateLess"),
    (conditioned({"Null": {"aws:userid": "${aws:userid}"}}), "keypolicy.variable", "Null"),
    (conditioned({"ArnLike": {"aws:PrincipalArn": "arn:${aws:userid}"}}), "keypolicy.condition-value", "six parts"),
    (conditioned({"BinaryEquals": {"aws:userid": "eA=="}}), "keypolicy.condition-type", "BinaryEquals"),
    (
        conditioned({"ForAllValues:StringEquals": {"kms:EncryptionContext:App": "x"}}),
        "keypolicy.overly-permissive",
        "kms:EncryptionContext:App",
    ),
    (conditioned({"ForAllValues:StringLike": {"aws:RequestTag/App": "x"}}), "keypolicy.overly-permissive", "App"),
    (text(Principal={"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98e"}), "field.unknown", "Canonical"),
    (conditioned({"StringEquals": {"aws:CurrentTime": "x"}}), "keypolicy.condition-type", "type Date"),
    (conditioned({"StringEquals": {"kms:EncryptionContextKeys": "x"}}), "keypolicy.condition-type", "ForAllValues"),
    (conditioned({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}), "keypolicy.condition-value", "tomorrow"),
    (
        conditioned({"DateLessThan": {"aws:CurrentTime": "2026-13-01"}}),
        "keypolicy.condition-value",
        "month must be in 1..12",
    ),
    (conditioned({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00"}}), "keypolicy.condition-value", "zone"),
    (conditioned({"Bool": {"aws:SecureTransport": "yes"}}), "keypolicy.condition-value", "'yes'"),
    (conditioned({"ArnLike": {"aws:PrincipalArn": "role/x"}}), "keypolicy.condition-value", "'role/x'"),
    (conditioned({"ArnLike": {"aws:PrincipalArn": "urn:aws:iam::1:role/x"}}), "keypolicy.condition-value", "'urn"),
    (conditioned({"IpAddress": {"aws:SourceIp": "10.0.0.300"}}), "keypolicy.condition-value", "10.0.0.300"),
]


@pytest.mark.parametrize(("policy", "code", "place"), MALFORMED)
def test_a_malformed_key_policy_is_refused_and_the_place_is_named(policy, code, place):
    with pytest.raises(FormatError) as caught:
        parse_key_policy(policy)
    assert caught.value.code == code
    assert place in str(caught.value)


def test_a_syntax_error_carries_its_offset_in_bytes():
    with pytest.raises(FormatError) as caught:
        parse_key_policy('{"é": !}')
    assert caught.value.offset == 7


def test_a_character_kms_does_not_take_carries_its_offset_in_bytes():
    with pytest.raises(FormatError) as caught:
        parse_key_policy('"é\u0100"')
    assert caught.value.offset == 3


def test_two_statements_with_one_sid_are_refused():
    body = {**PLAIN, "Sid": "A"}
    with pytest.raises(FormatError, match="'A' stands here twice") as caught:
        parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": [body, body]}))
    assert caught.value.code == "field.duplicate"


@pytest.mark.parametrize("name", ["Principal", "NotPrincipal"])
def test_an_identity_policy_names_no_principal(name):
    with pytest.raises(FormatError) as caught:
        parse_identity_policy(text(**{"Principal": None, name: "*"}))
    assert caught.value.code == "keypolicy.principal"


def test_one_statement_needs_no_list_and_a_list_of_one_means_the_same():
    one = json.dumps({"Version": "2012-10-17", "Statement": PLAIN})
    assert parse_key_policy(one) == parse_key_policy(text(Action=["kms:Decrypt"], Principal={"AWS": ["*"]}))


def test_booleans_and_whole_numbers_are_read_as_their_text():
    written = parse_key_policy(conditioned({"Bool": {"aws:SecureTransport": True}}))
    assert written == parse_key_policy(conditioned({"Bool": {"aws:SecureTransport": "true"}}))
    dated = parse_key_policy(conditioned({"DateLessThan": {"aws:EpochTime": 1_800_000_000}}))
    assert dated.statements[0].conditions[0].values == ("1800000000",)


def test_condition_keys_have_no_case_and_are_written_as_aws_spells_them():
    policy = parse_key_policy(conditioned({"StringEquals": {"KMS:recipientattestation:nitrotpmpcr4": "x"}}))
    assert policy.statements[0].conditions[0].key == "kms:RecipientAttestation:NitroTPMPCR4"
    policy = parse_key_policy(conditioned({"StringEquals": {"kms:encryptioncontext:App": "x"}}))
    assert policy.statements[0].conditions[0].key == "kms:EncryptionContext:App"


def test_encoding_is_compact_stable_and_keeps_everything():
    body = {
        "Sid": "One",
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:root"], "Service": "ec2.amazonaws.com"},
        "NotAction": ["kms:Get*", "kms:List*"],
        "NotResource": "arn:aws:kms:*:*:key/1",
        "Condition": {"Null": {"aws:SourceVpce": "true"}, "StringLike": {"aws:PrincipalArn": ["a*", "b?"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Id": "p", "Statement": [body]}, separators=(",", ":"))
    assert encode_key_policy(parse_key_policy(policy)) == policy


def test_an_identity_policy_encodes_too():
    policy = text(Principal=None, Sid="Mine")
    assert parse_identity_policy(encode_identity_policy(parse_identity_policy(policy))) == parse_identity_policy(policy)


def test_the_budget_counts_the_bytes_that_put_key_policy_would_send():
    policy = parse_key_policy(text())
    assert budget(policy).used_bytes == len(encode_key_policy(policy))
    assert budget(policy).used_bytes + budget(policy).free_bytes == 32_768


def test_a_statement_without_a_sid_is_called_by_its_place():
    assert parse_key_policy(text()).statements[0].label == "Statement[0]"


def test_pinning_refuses_a_role_that_does_not_exist():
    policy = parse_key_policy(text(Principal={"AWS": "arn:aws:iam::111122223333:role/gone"}))
    with pytest.raises(FormatError) as caught:
        pin_principals(policy, {})
    assert caught.value.code == "keypolicy.principal-unknown"


def test_services_and_identity_providers_are_told_apart():
    principal = {"AWS": "*", "Service": "ec2.amazonaws.com", "Federated": "accounts.google.com"}
    body = {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*"}
    policy = parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": [body]}))
    assert json.loads(encode_key_policy(policy))["Statement"] == [body]
