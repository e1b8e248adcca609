# SPDX-License-Identifier: Apache-2.0
"""The grants of a key as `aws kms list-grants` prints them."""

import json

import pytest

from strongroom.errors import FormatError
from strongroom.keypolicy.grant_list import MAX_GRANT_LIST_BYTES, parse_grant_list
from strongroom.keypolicy.principals import PrincipalKind

KEY = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::111122223333:role/app"
ENTRY = {
    "KeyId": KEY,
    "GrantId": "0c23",
    "Name": "backup",
    "CreationDate": "2026-11-22T12:00:00+00:00",
    "GranteePrincipal": ROLE,
    "RetiringPrincipal": "arn:aws:iam::111122223333:root",
    "IssuingAccount": "arn:aws:iam::444455556666:root",
    "Operations": ["Decrypt", "DescribeKey"],
    "Constraints": {"EncryptionContextSubset": {"app": "x"}},
}


def parse(*entries, **top):
    return parse_grant_list(json.dumps({"Grants": list(entries), **top}).encode())


def test_a_grant_with_everything():
    (grant,) = parse(ENTRY)
    assert (grant.grant_id, grant.key_arn, grant.issuing_account, grant.name) == ("0c23", KEY, "444455556666", "backup")
    assert (grant.grantee.kind, grant.grantee.value) == (PrincipalKind.ENTITY, ROLE)
    assert grant.operations == {"Decrypt", "DescribeKey"}
    assert grant.retiring is not None
    assert grant.retiring.kind is PrincipalKind.ACCOUNT
    assert grant.constraints.encryption_context_subset == (("app", "x"),)
    assert grant.constraints.encryption_context_equals is None


def test_a_grant_with_little_and_a_list_without_any():
    needed = {name: ENTRY[name] for name in ("KeyId", "GrantId", "GranteePrincipal", "IssuingAccount", "Operations")}
    (grant,) = parse(needed, Truncated=False)
    assert (grant.retiring, grant.constraints.names, grant.name) == (None, (), "")
    assert parse() == ()


@pytest.mark.parametrize("named", [{"GranteeServicePrincipal": "ec2.amazonaws.com"}, {}])
def test_a_service_is_listed_under_one_member_or_both(named):
    (grant,) = parse(ENTRY | {"GranteePrincipal": "ec2.amazonaws.com"} | named)
    assert (grant.grantee.kind, grant.grantee.value) == (PrincipalKind.SERVICE, "ec2.amazonaws.com")


def test_a_principal_that_was_deleted_is_its_unique_id():
    (grant,) = parse(ENTRY | {"GranteePrincipal": "AROAEXAMPLEEXAMPLE12"})
    assert grant.grantee.kind is PrincipalKind.UNIQUE_ID


def test_exact_pairs_and_a_source():
    constraints = {"EncryptionContextEquals": {"a": "b"}, "SourceArn": "arn:aws:rds:eu-central-1:1:db:x"}
    (grant,) = parse(ENTRY | {"Constraints": constraints})
    assert grant.constraints.names == ("EncryptionContextEquals", "SourceArn")


@pytest.mark.parametrize("top", [{"Truncated": True}, {"NextToken": "eyJ"}, {"NextMarker": "m"}])
def test_a_part_of_the_grants_is_refused(top):
    with pytest.raises(FormatError) as refused:
        parse(ENTRY, **top)
    assert refused.value.code == "keypolicy.grants-truncated"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"KeyId": "1234abcd"}, "arn.key"),
        ({"IssuingAccount": "444455556666"}, "keypolicy.grant-issuer"),
        ({"GranteePrincipal": "*"}, "keypolicy.grant-principal"),
        ({"GranteeServicePrincipal": "ec2"}, "keypolicy.grant-principal"),
        ({"RetiringPrincipal": "nobody"}, "keypolicy.grant-principal"),
        ({"Operations": ["Fly"]}, "keypolicy.grant-operation"),
        ({"Operations": []}, "field.length"),
        ({"Constraints": {"Attestation": "x"}}, "field.unknown"),
        ({"GrantId": 1}, "field.wrong-type"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change, code):
    with pytest.raises(FormatError) as refused:
        parse(ENTRY, ENTRY | change)
    assert refused.value.code == code
    assert refused.value.message.count("$.Grants[1]") == 1


@pytest.mark.parametrize("missing", ["KeyId", "GrantId", "GranteePrincipal", "IssuingAccount", "Operations"])
def test_what_is_missing_is_refused(missing):
    with pytest.raises(FormatError, match=missing):
        parse({name: value for name, value in ENTRY.items() if name != missing})


def test_something_else_is_refused():
    for data in (b"", b"[]", b'{"Policy": "x"}', b" " * (MAX_GRANT_LIST_BYTES + 1)):
        with pytest.raises(FormatError):
            parse_grant_list(data)
