# SPDX-License-Identifier: Apache-2.0
"""What a request shows to conditions. Source: KMS Developer Guide, condition keys for NitroTPM and for Enclaves."""

from datetime import datetime, timedelta, timezone

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.condition_keys import CONDITION_KEYS
from strongroom.keypolicy.context import Sender, request_context
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
    sender = Sender(
        Region("r"), "false", organization="o-1", source_ip="10.0.0.1", source_vpce="vpce-1", via_service="ec2"
    )
    facts = request_context(world.call(sender=sender))
    assert facts["aws:principalorgid"] == ("o-1",)
    assert facts["aws:sourceip"] == ("10.0.0.1",)
    assert facts["aws:sourcevpce"] == ("vpce-1",)
    assert facts["kms:viaservice"] == ("ec2",)
    assert facts["aws:viaawsservice"] == ("true",)
    assert facts["aws:securetransport"] == ("false",)


def test_every_condition_key_of_the_table_can_be_filled(world):
    full = world.pcrs(**{f"pcr{n}": world.digest(str(n)) for n in range(32) if n != 4})
    sender = Sender(Region("r"), organization="o-1", source_ip="10.0.0.1", source_vpce="vpce-1", via_service="ec2")
    seen = set(request_context(world.call("kms:CreateGrant", sender=sender)))
    for kind in (world.tpm, world.enclave):
        seen |= set(request_context(world.call(sender=sender, attestation=kind(full))))
    assert {name for name in CONDITION_KEYS if not name.endswith(":")} <= seen


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
