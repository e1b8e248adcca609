# SPDX-License-Identifier: Apache-2.0
"""Grants: who may make, use and end one, under which constraints, and what its tokens are for."""

import base64
import json
from datetime import timedelta

import pytest
from tests.kms_calls import CUSTOMER, VENDOR, Caller
from tests.twin_world import CONTEXT

from strongroom.twin.accounts import FULL_ACCESS

ROOT = f"arn:aws:iam::{VENDOR}:root"


def identity(effect, *actions):
    statement = {"Effect": effect, "Action": [f"kms:{action}" for action in actions], "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


OWNER = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}


@pytest.fixture
def app(cloud):
    """A user of the vendor's account whom no policy allows anything."""
    return cloud.user(VENDOR, "app")


@pytest.fixture
def key(vendor):
    return vendor.new_key()


def grant(caller, key, grantee, *operations, **more):
    call = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": list(operations), **more}
    return caller("CreateGrant", **call)


# --- what it allows ---------------------------------------------------------------------------------------------------


def test_a_grant_allows_its_operations_to_its_grantee_and_nothing_else(cloud, vendor, app, key):
    call = {"KeyId": key, "Plaintext": b"x"}
    app.refused("AccessDeniedException", "Encrypt", **call)
    made = grant(vendor, key, app, "Encrypt")
    assert app("Encrypt", **call)["KeyId"] == key
    assert cloud.kms.decisions[-1].decided_by == "grant"
    assert cloud.kms.decisions[-1].statement == made["GrantId"]
    app.refused("AccessDeniedException", "GenerateDataKey", KeyId=key, KeySpec="AES_256")
    app.refused("AccessDeniedException", "Encrypt", **{**call, "KeyId": vendor.new_key()})
    cloud.user(VENDOR, "other").refused("AccessDeniedException", "Encrypt", **call)


def test_a_grantee_of_another_account_needs_his_own_policies_too(vendor, cloud, key):
    stranger = cloud.user(CUSTOMER, "stranger")
    grant(vendor, key, stranger, "Decrypt", "Encrypt")
    stranger.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")
    admin = cloud.user(CUSTOMER, "admin", FULL_ACCESS)
    grant(vendor, key, admin, "Encrypt")
    assert admin("Encrypt", KeyId=key, Plaintext=b"x")["KeyId"] == key


@pytest.mark.attack("K4")
def test_a_grant_opens_a_key_without_a_document_unless_a_policy_denies(world, vendor, app, key):
    """A grant knows no attestation: what keeps a gated key closed is the explicit Deny of its policy."""
    blob = vendor("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    only_attested = {"StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:NitroTPMPCR4": "0" * 96}}
    gate = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": only_attested}
    grant(vendor, key, app, "Decrypt")
    assert app("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"
    vendor("PutKeyPolicy", KeyId=key, Policy=policy(OWNER, gate))
    message = app.refused("AccessDeniedException", "Decrypt", CiphertextBlob=blob)
    assert message.endswith("with an explicit deny in a resource-based policy")
    release, thief = Caller(world.twin.kms, world.vendor), Caller(world.twin.kms, world.customer)
    grant(release, world.key_arn, thief, "Decrypt")
    thief.refused(
        "AccessDeniedException", "Decrypt", KeyId=world.key_arn, CiphertextBlob=world.blob, EncryptionContext=CONTEXT
    )


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        (
            "EncryptionContextEquals",
            [{"a": "1", "b": "2"}, {"A": "1", "b": "2"}],
            [{}, {"a": "1"}, {"a": "1", "b": "3"}],
        ),
        ("EncryptionContextSubset", [{"a": "1", "b": "2", "c": "3"}], [{}, {"a": "1"}, {"a": "1", "b": "3"}]),
    ],
)
def test_constraints_look_at_the_encryption_context(vendor, app, key, constraint, allowed, refused):
    grant(vendor, key, app, "Encrypt", "DescribeKey", Constraints={constraint: {"a": "1", "b": "2"}})
    for context in allowed:
        app("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=context)
    for context in refused:
        app.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=context)
    assert app("DescribeKey", KeyId=key)["KeyMetadata"]["Arn"] == key
    if constraint.endswith("Equals"):
        more = {"a": "1", "b": "2", "c": "3"}
        app.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=more)


def test_a_source_arn_is_for_services_that_act_for_a_resource(vendor, app, key):
    source = f"arn:aws:ec2:eu-central-1:{VENDOR}:instance/i-1"
    grant(vendor, key, app, "Encrypt", Constraints={"SourceArn": source})
    app.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")
    found = vendor("ListGrants", KeyId=key)["Grants"][0]
    assert found["Constraints"] == {"SourceArn": source}


# --- who makes it -----------------------------------------------------------------------------------------------------


def test_making_one_takes_permission(app, key):
    call = {"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Decrypt"]}
    app.refused("AccessDeniedException", "CreateGrant", **call)


def test_who_makes_grants_by_a_grant_can_give_no_more_than_he_has(cloud, vendor, app, key):
    other = cloud.user(VENDOR, "other")
    grant(vendor, key, app, "CreateGrant", "Encrypt", Constraints={"EncryptionContextSubset": {"a": "1"}})
    narrow = {"EncryptionContextSubset": {"a": "1", "b": "2"}}
    grant(app, key, other, "Encrypt", Constraints=narrow)
    assert other("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1", "b": "2"})
    wide = {"KeyId": key, "GranteePrincipal": other.arn}
    for more in (
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt", "Decrypt"], "Constraints": narrow},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"b": "2"}}},
    ):
        app.refused("AccessDeniedException", "CreateGrant", **wide, **more)


def test_conditions_can_limit_what_is_granted(cloud, vendor, key):
    only = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}
    statement = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", "Condition": only}
    limited = cloud.user(VENDOR, "limited", policy(statement))
    grant(limited, key, limited, "Encrypt")
    call = {"KeyId": key, "GranteePrincipal": limited.arn, "Operations": ["Encrypt", "Decrypt"]}
    limited.refused("AccessDeniedException", "CreateGrant", **call)


def test_the_same_grant_under_a_name_is_made_once_and_gets_another_token(cloud, vendor, app, key):
    first, again = (grant(vendor, key, app, "Encrypt", Name="once") for _ in range(2))
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    others = [grant(vendor, key, app, "Decrypt", Name="once"), grant(vendor, key, app, "Encrypt")]
    others.append(grant(vendor, key, app, "Encrypt"))
    assert len({each["GrantId"] for each in (first, *others)}) == 4
    vendor("RetireGrant", GrantToken=again["GrantToken"])
    vendor.refused("InvalidGrantTokenException", "RetireGrant", GrantToken=first["GrantToken"])


@pytest.mark.parametrize(
    ("spec", "usage", "possible", "impossible"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", ["GenerateDataKeyPair", "ReEncryptTo"], ["Sign"]),
        ("RSA_2048", "ENCRYPT_DECRYPT", ["Decrypt", "GetPublicKey"], ["GenerateDataKey"]),
        ("ECC_NIST_P256", "SIGN_VERIFY", ["Sign", "Verify", "GetPublicKey"], ["Decrypt"]),
        ("ECC_NIST_P256", "KEY_AGREEMENT", ["DeriveSharedSecret"], ["Sign"]),
        ("HMAC_256", "GENERATE_VERIFY_MAC", ["GenerateMac", "VerifyMac"], ["GetPublicKey"]),
    ],
)
def test_what_is_granted_is_what_the_key_can_do(vendor, app, spec, usage, possible, impossible):
    key = vendor.new_key(KeySpec=spec, KeyUsage=usage)
    grant(vendor, key, app, "CreateGrant", "DescribeKey", "RetireGrant", *possible)
    call = {"KeyId": key, "GranteePrincipal": app.arn}
    message = vendor.refused("ValidationException", "CreateGrant", **call, Operations=[*possible, *impossible])
    assert message.startswith(f"{impossible[0]} cannot be granted")
    if spec != "SYMMETRIC_DEFAULT":
        constraints = {"EncryptionContextSubset": {"a": "1"}}
        vendor.refused("ValidationException", "CreateGrant", **call, Operations=possible, Constraints=constraints)


@pytest.mark.parametrize(
    "more",
    [
        {"Operations": []},
        {"Operations": ["CreateKey"]},
        {"Constraints": {"EncryptionContextSubset": {str(number): "x" for number in range(9)}}},
        {"Constraints": {"EncryptionContextSubset": {"a": "x" * 385}}},
        {"Constraints": {"EncryptionContextSubset": {"a": "1", "A": "2"}}},
        {"GranteeServicePrincipal": "ec2.amazonaws.com"},
        {"Name": "no spaces"},
    ],
)
def test_a_grant_that_is_none_is_refused(vendor, app, key, more):
    call = {"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Decrypt"]}
    vendor.refused("ValidationException", "CreateGrant", **{**call, **more})


def test_a_grant_is_for_somebody(vendor, key):
    vendor.refused("ValidationException", "CreateGrant", KeyId=key, Operations=["Decrypt"])


@pytest.mark.parametrize("grantee", ["*", "nobody", f"arn:aws:iam::{VENDOR}:user/nobody", "AROAEXAMPLEEXAMPLE123"])
def test_a_grantee_is_a_principal_that_exists(vendor, key, grantee):
    call = {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Decrypt"]}
    vendor.refused("InvalidArnException", "CreateGrant", **call)


@pytest.mark.attack("K26")
def test_a_grantee_who_is_made_anew_is_another_one(cloud, vendor, app, key):
    grant(vendor, key, app, "Encrypt")
    again = cloud.user(VENDOR, "app")
    again.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_new_grant_needs_its_token_until_it_is_known_everywhere(cloud, vendor, app, key):
    cloud.kms.grant_delay = timedelta(minutes=5)
    made = grant(vendor, key, app, "Encrypt")
    call = {"KeyId": key, "Plaintext": b"x"}
    app.refused("AccessDeniedException", "Encrypt", **call)
    assert app("Encrypt", **call, GrantTokens=[made["GrantToken"]])["KeyId"] == key
    cloud.pass_time(minutes=6)
    assert app("Encrypt", **call)["KeyId"] == key


def test_a_token_that_names_no_grant_is_refused(vendor, app, key):
    token = grant(vendor, key, app, "Encrypt")["GrantToken"]
    data = bytearray(base64.b64decode(token))
    data[-1] ^= 1
    forged = base64.b64encode(bytes(data)).decode()
    for wrong in ("no token", "", forged, base64.b64encode(data[:-1]).decode(), base64.b64encode(bytes(85)).decode()):
        code = "InvalidGrantTokenException" if wrong else "ValidationException"
        app.refused(code, "Encrypt", KeyId=key, Plaintext=b"x", GrantTokens=[token, wrong])
    app.refused("ValidationException", "Encrypt", KeyId=key, Plaintext=b"x", GrantTokens=[token] * 11)
    app("Encrypt", KeyId=key, Plaintext=b"x", GrantTokens=[token] * 10)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_grants_are_listed_in_pages_with_everything_but_their_tokens(vendor, app, key):
    made = {grant(vendor, key, app, "Encrypt", Name=str(number))["GrantId"] for number in range(5)}
    first = vendor("ListGrants", KeyId=key, Limit=3)
    rest = vendor("ListGrants", KeyId=key, Limit=3, Marker=first["NextMarker"])
    found = [*first["Grants"], *rest["Grants"]]
    assert [each["GrantId"] for each in found] == sorted(made)
    assert found[0]["IssuingAccount"] == ROOT
    assert (found[0]["GranteePrincipal"], found[0]["KeyId"]) == (app.arn, key)
    assert not any("GrantToken" in each for each in found)


def test_grants_are_listed_by_id_and_by_grantee(vendor, app, key):
    by_name = grant(vendor, key, app, "Encrypt")["GrantId"]
    call = {"KeyId": key, "GranteeServicePrincipal": "ec2.amazonaws.com", "Operations": ["Encrypt"]}
    by_service = vendor("CreateGrant", **call)["GrantId"]
    for asked, expected in (
        ({"GrantId": by_name}, [by_name]),
        ({"GranteePrincipal": app.arn}, [by_name]),
        ({"GranteeServicePrincipal": "ec2.amazonaws.com"}, [by_service]),
        ({"GranteePrincipal": VENDOR}, []),
    ):
        assert [each["GrantId"] for each in vendor("ListGrants", KeyId=key, **asked)["Grants"]] == expected
    found = vendor("ListGrants", KeyId=key, GrantId=by_service)["Grants"][0]
    assert found["GranteePrincipal"] == found["GranteeServicePrincipal"] == "ec2.amazonaws.com"


def test_what_a_principal_may_retire_is_listed_to_his_own_account(vendor, customer, app, key):
    theirs = grant(vendor, key, app, "Encrypt", RetiringPrincipal=CUSTOMER)["GrantId"]
    grant(vendor, key, app, "Encrypt", RetiringPrincipal=app.arn)
    asked = {"RetiringPrincipal": f"arn:aws:iam::{CUSTOMER}:root"}
    assert [each["GrantId"] for each in customer("ListRetirableGrants", **asked)["Grants"]] == [theirs]
    vendor.refused("InvalidArnException", "ListRetirableGrants", **asked)
    assert len(vendor("ListRetirableGrants", RetiringPrincipal=app.arn)["Grants"]) == 1
    app.refused("AccessDeniedException", "ListRetirableGrants", RetiringPrincipal=app.arn)
    vendor.refused("ValidationException", "ListRetirableGrants")
    vendor.refused("ValidationException", "ListRetirableGrants", RetiringServicePrincipal="ec2.amazonaws.com")


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_revoked_grant_allows_nothing(vendor, app, key):
    made = grant(vendor, key, app, "Encrypt")
    app.refused("AccessDeniedException", "RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    vendor("RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    app.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")
    vendor.refused("NotFoundException", "RevokeGrant", KeyId=key, GrantId=made["GrantId"])


def test_the_retiring_principal_retires_it_without_any_permission(cloud, vendor, app, key):
    retiring = cloud.user(VENDOR, "retiring")
    made = grant(vendor, key, app, "Encrypt", RetiringPrincipal=retiring.arn)
    app.refused("AccessDeniedException", "RetireGrant", GrantToken=made["GrantToken"])
    retiring("RetireGrant", KeyId=key, GrantId=made["GrantId"])
    assert vendor("ListGrants", KeyId=key)["Grants"] == []


def test_the_grantee_retires_it_where_the_grant_says_so(vendor, app, key):
    made = grant(vendor, key, app, "Encrypt", "RetireGrant")
    app("RetireGrant", GrantToken=made["GrantToken"])
    app.refused("AccessDeniedException", "Encrypt", KeyId=key, Plaintext=b"x")


def test_the_account_that_made_it_lets_its_own_retire_it(cloud, vendor, app, key):
    made = grant(vendor, key, app, "Encrypt")
    allowed = cloud.user(VENDOR, "allowed", identity("Allow", "RetireGrant"))
    denied = cloud.user(VENDOR, "denied", FULL_ACCESS, identity("Deny", "RetireGrant"))
    stranger = cloud.user(CUSTOMER, "stranger", FULL_ACCESS)
    for caller in (denied, stranger):
        caller.refused("AccessDeniedException", "RetireGrant", GrantToken=made["GrantToken"])
    allowed("RetireGrant", GrantToken=made["GrantToken"])


def test_a_deny_keeps_even_the_retiring_principal_from_it(cloud, vendor, app, key):
    retiring = cloud.user(VENDOR, "retiring", identity("Deny", "RetireGrant"))
    made = grant(vendor, key, app, "Encrypt", RetiringPrincipal=retiring.arn)
    retiring.refused("AccessDeniedException", "RetireGrant", GrantToken=made["GrantToken"])


@pytest.mark.parametrize("members", [(), ("KeyId",), ("GrantId",), ("GrantToken", "KeyId", "GrantId")])
def test_a_grant_to_retire_is_named_by_token_or_by_key_and_id(vendor, app, key, members):
    made = {"KeyId": key, **grant(vendor, key, app, "Encrypt")}
    vendor.refused("ValidationException", "RetireGrant", **{name: made[name] for name in members})
