# SPDX-License-Identifier: Apache-2.0
"""What a request shows to conditions. Source: KMS Developer Guide, condition keys for NitroTPM and for Enclaves."""

from datetime import datetime, timedelta, timezone

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.caller_facts import Credentials
from strongroom.keypolicy.condition_keys import CONDITION_KEYS
from strongroom.keypolicy.context import Sender, kms_request, request_context
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.request import KmsRequest

ATTESTED = {"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"}


def attestation_keys(facts):
    return {name for name in facts if "recipientattestation" in name}


def test_a_nitrotpm_document_fills_the_nitrotpm_keys_only(world):
    facts = request_context(world.call())
    assert attestation_keys(facts) == {f"kms:recipientattestation:nitrotpmpcr{n}" for n in (2, 4, 7, 12, 13)}
    assert facts["kms:recipientattestation:nitrotpmpcr4"] == (world.digest("v1").hex(),)


def test_an_enclave_document_fills_the_enclave_keys_only(world):
    facts = request_context(world.call(attestation=world.enclave(world.pcrs(pcr0=world.digest("image")))))
    assert "kms:recipientattestation:pcr4" in facts
    assert facts["kms:recipientattestation:imagesha384"] == (world.digest("image").hex(),)
    assert not [name for name in facts if "nitrotpm" in name]


def test_an_enclave_document_without_pcr0_has_no_image_digest(world):
    facts = request_context(world.call(attestation=world.enclave(world.pcrs())))
    assert "kms:recipientattestation:imagesha384" not in facts


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_attestation_keys_exist_for_five_operations_only(world, action):
    key = world.key if OPERATIONS[action].on_key else None
    facts = request_context(world.call(action, key_arn=key))
    assert bool(attestation_keys(facts)) is (action.removeprefix("kms:") in ATTESTED)


def test_without_a_document_there_are_no_attestation_keys(world):
    assert not attestation_keys(request_context(world.call(attestation=None)))


def test_a_session_shows_its_role_as_the_principal(world):
    facts = request_context(world.call())
    assert facts["aws:principalarn"] == (world.role(world.customer, "app"),)
    assert facts["kms:calleraccount"] == facts["aws:principalaccount"] == (world.customer,)
    assert facts["aws:resourceaccount"] == (world.vendor_account,)


def test_the_time_is_written_in_utc(world):
    local = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=2)))
    facts = request_context(world.call(now=local))
    assert facts["aws:currenttime"] == ("2026-11-21T23:00:00Z",)
    assert facts["aws:epochtime"] == (str(int(local.timestamp())),)


def test_a_time_without_a_zone_is_misuse(world):
    with pytest.raises(RuntimeError, match="aware"):
        request_context(world.call(now=datetime(2026, 11, 22)))  # noqa: DTZ001 -- the fault under test


def test_facts_that_a_request_does_not_have_are_absent(world):
    facts = request_context(world.call())
    assert not {"aws:principalorgid", "aws:sourceip", "aws:sourcevpce", "kms:viaservice"} & set(facts)
    sender = Sender(Region("r"), "false", organization="o-1", source_ip="10.0.0.1", via_service="ec2")
    facts = request_context(world.call(sender=sender))
    assert facts["aws:principalorgid"] == ("o-1",)
    assert facts["aws:sourceip"] == ("10.0.0.1",)
    assert facts["kms:viaservice"] == ("ec2",)
    assert facts["aws:viaawsservice"] == ("true",)
    assert facts["aws:securetransport"] == ("false",)


def test_a_request_through_a_vpc_endpoint_has_no_public_address(world):
    sender = Sender(
        Region("r"), source_ip="10.0.0.1", source_vpce="vpce-1", source_vpc="vpc-1", vpc_source_ip="10.0.0.1"
    )
    facts = request_context(world.call(sender=sender))
    assert "aws:sourceip" not in facts
    assert facts["aws:sourcevpce"] == ("vpce-1",)
    assert facts["aws:sourcevpc"] == ("vpc-1",)
    assert facts["aws:vpcsourceip"] == ("10.0.0.1",)


PARAMETERS = {
    "kms:BypassPolicyLockoutSafetyCheck": "true",
    "kms:DataKeyPairSpec": "RSA_2048",
    "kms:ExpirationModel": "KEY_MATERIAL_EXPIRES",
    "kms:ValidTo": "1546257599.0",
    "kms:KeyAgreementAlgorithm": "ECDH",
    "kms:MacAlgorithm": "HMAC_SHA_256",
    "kms:MessageType": "RAW",
    "kms:SigningAlgorithm": "ECDSA_SHA_384",
    "kms:PrimaryRegion": "eu-central-1",
    "kms:ReplicaRegion": "eu-central-1",
    "kms:ReEncryptOnSameKey": "true",
    "kms:RequestAlias": "alias/app",
    "kms:RotationPeriodInDays": "90",
    "kms:ScheduleKeyDeletionPendingWindowInDays": "30",
    "kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256",
    "kms:WrappingKeySpec": "RSA_2048",
}


def full_call(world, action, **changes):
    """Return a call of which everything is known."""
    sender = Sender(
        Region("r"),
        organization="o-1",
        source_ip="10.0.0.1",
        via_service="ec2.eu-central-1.amazonaws.com",
        source_vpc="vpc-1",
        vpc_source_ip="10.0.0.1",
        called_via=("cloudformation.amazonaws.com", "ec2.amazonaws.com"),
        source_arn="arn:aws:ec2:r:1:volume/v",
        source_account=world.customer,
        source_organization="o-1",
        source_organization_paths=("o-1/r-1/",),
        user_agent="aws-cli",
        referer="https://example.com/",
    )
    credentials = Credentials(
        issued_at=world.now,
        multi_factor=True,
        multi_factor_at=world.now - timedelta(minutes=5),
        tags={"team": "red"},
        organization_paths=("o-1/r-1/",),
        federated_provider="cognito-identity.amazonaws.com",
        source_identity="alice",
        instance_arn="arn:aws:ec2:r:1:instance/i-1",
        instance_vpc="vpc-1",
        instance_private_ip="10.0.0.1",
        claims={f"cognito-identity.amazonaws.com:{claim}": "x" for claim in ("aud", "sub")},
    )
    key = KeyFacts(
        multi_region_type="PRIMARY",
        aliases=("alias/app",),
        tags={"team": "red"},
        organization="o-1",
        organization_paths=("o-1/r-1/",),
        idle_days=3,
    )
    facts = {"sender": sender, "credentials": credentials, "key": key, "parameters": PARAMETERS, "tags": {"a": "b"}}
    on_key = OPERATIONS[action].on_key
    return world.call(action, **{**facts, "key_arn": world.key if on_key else None, **changes})


def grants_of(world):
    """Return a grant to a role and one to a service: no grant has both."""
    operations = frozenset({"Decrypt", "RetireGrant"})
    role = grant_principal(world.app.role_arn)
    service = grant_service("ec2.amazonaws.com")
    equal = GrantConstraints.of(equals={"App": "x"}, source_arn="arn:aws:ec2:r:1:volume/v")
    key, account = KeyArn(world.key), AccountId(world.vendor_account)
    yield Grant("g1", key, account, role, operations, role, equal)
    yield Grant("g2", key, account, service, operations, service, GrantConstraints.of(subset={"App": "x"}))


def test_every_condition_key_of_the_table_can_be_filled_for_every_operation_of_its_row(world):
    pcrs = world.pcrs(**{f"pcr{n}": world.digest(str(n)) for n in range(32) if n != 4})
    user = Caller(AccountId(world.customer), f"arn:aws:iam::{world.customer}:user/u", unique_id="AIDAUSERXXXXXXXXXXXXX")
    service = Caller.of_service("ec2.amazonaws.com")
    endpoint = Sender(Region("r"), source_vpce="vpce-1")
    for action in OPERATIONS:
        calls = [full_call(world, action, attestation=kind(pcrs)) for kind in (world.tpm, world.enclave)]
        calls += [full_call(world, action, grant=grant) for grant in grants_of(world)]
        calls += [full_call(world, action, caller=caller) for caller in (user, service)]
        calls += [full_call(world, action, sender=endpoint)]
        seen = {name for call in calls for name in kms_request(call).context}
        expected = {name for name, row in CONDITION_KEYS.items() if action in row.operations}
        plain = {name for name in expected if name[-1] not in ":/"}
        assert plain <= seen, (action, plain - seen)
        for prefix in expected - plain:
            assert any(name.startswith(prefix) for name in seen), (action, prefix)


def test_who_calls_decides_what_userid_username_and_type_are(world):
    account = AccountId(world.customer)
    user = Caller(account, f"arn:aws:iam::{account}:user/division/bob", unique_id="AIDABOBXXXXXXXXXXXXXX")
    federated = Caller(account, f"arn:aws:sts::{account}:federated-user/bob", user_arn=user.arn)
    rows = [
        (user, "AIDABOBXXXXXXXXXXXXXX", "bob", "User"),
        (world.app, f"{world.app.unique_id}:s", None, "AssumedRole"),
        (Caller(account, f"arn:aws:iam::{account}:root"), account, None, "Account"),
        (federated, f"{account}:bob", None, "FederatedUser"),
        (Caller.of_service("ec2.amazonaws.com"), None, None, None),
    ]
    for caller, *expected in rows:
        facts = request_context(world.call(caller=caller))
        assert [facts.get(f"aws:{name}", (None,))[0] for name in ("userid", "username", "principaltype")] == expected


def test_a_service_that_acts_for_itself_has_neither_account_nor_arn(world):
    facts = request_context(world.call(caller=Caller.of_service("ec2.amazonaws.com")))
    assert not {"aws:principalarn", "aws:principalaccount", "kms:calleraccount"} & set(facts)
    assert facts["aws:principalisawsservice"] == ("true",)
    assert facts["aws:principalservicename"] == ("ec2.amazonaws.com",)


def test_the_algorithm_is_seen_where_the_request_leaves_it_out(world):
    assert request_context(world.call("kms:GenerateDataKey"))["kms:encryptionalgorithm"] == ("SYMMETRIC_DEFAULT",)
    assert request_context(world.call(key=KeyFacts()))["kms:encryptionalgorithm"] == ("SYMMETRIC_DEFAULT",)
    rsa = KeyFacts(spec="RSA_2048")
    assert "kms:encryptionalgorithm" not in request_context(world.call(key=rsa))
    said = world.call(key=rsa, parameters={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"})
    assert request_context(said)["kms:encryptionalgorithm"] == ("RSAES_OAEP_SHA_256",)


def test_a_grant_is_seen_by_the_operations_about_grants_only(world):
    grant, to_service = grants_of(world)
    made = request_context(world.call("kms:CreateGrant", grant=grant, encryption_context={}))
    assert made["kms:grantoperations"] == ("Decrypt", "RetireGrant")
    assert made["kms:granteeprincipal"] == made["kms:retiringprincipal"] == (world.app.role_arn,)
    assert made["kms:grantconstrainttype"] == ("EncryptionContextEquals",)
    assert made["kms:encryptioncontext:app"] == ("x",)
    other = request_context(world.call("kms:CreateGrant", grant=to_service, encryption_context={}))
    assert other["kms:granteeserviceprincipal"] == ("ec2.amazonaws.com",)
    assert "kms:granteeprincipal" not in other
    assert not [name for name in request_context(world.call(grant=grant)) if "grant" in name]


def test_context_keys_that_differ_by_case_only_are_refused(world):
    with pytest.raises(FormatError) as caught:
        request_context(world.call(encryption_context={"tenant": "globex", "Tenant": "initech"}))
    assert caught.value.code == "keypolicy.encryption-context"


def test_an_empty_context_key_is_refused(world):
    with pytest.raises(FormatError):
        request_context(world.call(encryption_context={"": "x"}))


def test_the_names_of_the_context_keep_their_case(world):
    facts = request_context(world.call(encryption_context={"App": "x", "b": "y"}))
    assert facts["kms:encryptioncontextkeys"] == ("App", "b")
    assert facts["kms:encryptioncontext:app"] == ("x",)


@pytest.mark.parametrize(
    ("action", "key", "context", "code"),
    [
        ("kms:Decypt", True, {}, "keypolicy.request-action"),
        ("kms:decrypt", True, {}, "keypolicy.request-action"),
        ("kms:Decrypt", False, {}, "keypolicy.request-key"),
        ("kms:GenerateRandom", True, {}, "keypolicy.request-key"),
        ("kms:Decrypt", True, {"kms:unheard": ("x",)}, "keypolicy.request-context"),
        ("kms:Decrypt", True, {"aws:PrincipalArn": ("arn:aws:iam::1:root",)}, "keypolicy.request-context"),
        ("kms:Encrypt", True, {"kms:recipientattestation:nitrotpmpcr4": ("x",)}, "keypolicy.request-context"),
        ("kms:Decrypt", True, {"aws:principalorgid": ()}, "keypolicy.request-context"),
        ("kms:Decrypt", True, {"aws:principalorgid": ("a", "b")}, "keypolicy.request-context"),
        ("kms:Decrypt", True, {"aws:currenttime": ("now",)}, "keypolicy.request-context"),
    ],
)
def test_a_request_that_kms_could_not_have_made_is_refused(world, action, key, context, code):
    with pytest.raises(UsageError) as caught:
        KmsRequest(action, world.app, world.key if key else None, context)
    assert caught.value.code == code


def test_an_alias_is_not_a_key_arn(world):
    with pytest.raises(UsageError) as caught:
        KmsRequest("kms:Decrypt", world.app, KeyArn("alias/secrets"), {})
    assert caught.value.code == "keypolicy.request-key"


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:iam::222222222222:user/x", ""),
        ("arn:aws:sts::111111111111:assumed-role/r/s", ""),
        ("arn:aws:sts::111111111111:assumed-role/r/s", "arn:aws:iam::222222222222:role/r"),
        ("arn:aws:iam::111111111111:user/x", "arn:aws:iam::111111111111:role/r"),
    ],
)
def test_a_caller_whose_arns_contradict_each_other_is_misuse(arn, role):
    with pytest.raises(RuntimeError):
        Caller(AccountId("111111111111"), arn, role)
