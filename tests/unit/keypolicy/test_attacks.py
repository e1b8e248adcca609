# SPDX-License-Identifier: Apache-2.0
"""Attacks on key policies. Each is stopped by what we generate, and succeeds where the guard is missing."""

import pytest

from strongroom.errors import UsageError
from strongroom.formats.pcrs import PcrDigests
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.generate import bootstrap_key_policy
from strongroom.keypolicy.model import pin_principals
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.spec import SecureBoot

ALLOWED, NOT_ALLOWED, DENIED = Outcome.ALLOWED, Outcome.NOT_ALLOWED, Outcome.EXPLICITLY_DENIED
PCR = "kms:RecipientAttestation:NitroTPMPCR"


def gated_allow(world, operator="StringEqualsIgnoreCase", value=None, key=PCR + "4"):
    gate = {operator: {key: value or world.digest("v1").hex()}}
    return world.statement(Sid="Gated", Condition=gate)


@pytest.mark.attack("K1")
def test_a_call_without_a_document_is_denied_even_beside_an_unconditional_allow(world):
    bare = world.request(attestation=None)
    wide = world.statement(Sid="Hurried")
    policy = world.edited(world.policy(), lambda body: body.update(Hurried=wide))
    assert world.decide(world.policy(), bare).outcome is DENIED
    assert world.decide(policy, bare).outcome is DENIED
    assert world.decide(world.document(gated_allow(world), wide), bare).outcome is ALLOWED


@pytest.mark.attack("K1")
def test_the_default_key_policy_lets_the_owners_people_open_without_a_document(world):
    bare = world.request(caller=world.operator, attestation=None)
    default = world.statement(Sid="Default", Principal={"AWS": f"arn:aws:iam::{world.vendor_account}:root"})
    assert world.decide(world.document(gated_allow(world), default), bare).outcome is ALLOWED
    assert world.decide(world.policy(), bare).outcome is DENIED


@pytest.mark.attack("K2")
def test_if_exists_opens_for_a_call_without_a_document(world):
    bare = world.request(attestation=None)
    hole = world.document(gated_allow(world, "StringEqualsIgnoreCaseIfExists"))
    assert world.decide(hole, bare).outcome is ALLOWED
    assert world.decide(world.document(gated_allow(world)), bare).outcome is NOT_ALLOWED
    assert world.decide(world.policy(), bare).outcome is DENIED


@pytest.mark.attack("K2")
def test_for_all_values_opens_for_a_call_without_a_document(world):
    bare = world.request(attestation=None)
    hole = world.document(gated_allow(world, "ForAllValues:StringEqualsIgnoreCase"))
    assert world.decide(hole, bare).outcome is ALLOWED
    assert world.decide(world.policy(), bare).outcome is DENIED


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("kms:ReEncryptFrom", marks=pytest.mark.attack("K3")),
        pytest.param("kms:ReEncryptTo", marks=pytest.mark.attack("K3")),
        pytest.param("kms:CreateGrant", marks=pytest.mark.attack("K4")),
        pytest.param("kms:ReplicateKey", marks=pytest.mark.attack("K5")),
        pytest.param("kms:UpdatePrimaryRegion", marks=pytest.mark.attack("K5")),
    ],
)
def test_a_side_door_stays_shut_beside_an_allow_of_everything(world, action):
    request = world.request(action, caller=world.operator, attestation=None)
    wide = world.statement(Sid="Hurried")
    policy = world.edited(world.policy(), lambda body: body.update(Hurried=wide))
    assert world.decide(policy, request).outcome is DENIED
    assert world.decide(world.minus(policy, "DenySideDoors"), request).outcome is ALLOWED


@pytest.mark.attack("K6")
def test_nobody_but_the_change_role_replaces_the_policy(world):
    release = world.session(world.vendor_account, "release")
    policy = world.policy(vendor=world.vendor(change_role_arn=release.role_arn))

    def put(caller, to=policy):
        return world.decide(to, world.request("kms:PutKeyPolicy", caller=caller, attestation=None)).outcome

    assert (put(release), put(world.operator), put(world.app)) == (ALLOWED, DENIED, DENIED)
    assert put(world.operator, world.minus(policy, "DenyOtherChangers")) is ALLOWED


@pytest.mark.attack("K6")
@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"])
def test_a_tenant_neither_replaces_the_policy_nor_deletes_the_key_whatever_the_policy_says(world, action):
    anybody = world.document(world.statement(Sid="Anybody"))
    for policy in (world.policy(), anybody):
        assert world.decide(policy, world.request(action)).outcome is NOT_ALLOWED
    assert world.decide(anybody, world.request(action, caller=world.operator)).outcome is ALLOWED


@pytest.mark.attack("K16")
@pytest.mark.attack("K28")
def test_what_was_sealed_under_a_withdrawn_epoch_does_not_open(world):
    old = world.request()
    assert world.decide(world.policy(), old).outcome is ALLOWED
    raised = world.policy(releases=(world.release(epoch=2),))
    assert world.decide(raised, old).outcome is DENIED
    new = world.request(encryption_context={**world.context, "strongroom:epoch": "2"})
    assert world.decide(raised, new).outcome is ALLOWED


@pytest.mark.attack("K28")
def test_a_withdrawn_epoch_stays_shut_beside_a_forgotten_allow(world):
    """The open statement of the last epoch was left in: only the Deny still stands in the way."""
    raised = world.policy(releases=(world.release(epoch=2),))

    def forget(body):
        body["Forgotten"] = {**body["Open1General"], "Sid": "Forgotten"}
        equal = body["Forgotten"]["Condition"]["StringEquals"]
        body["Forgotten"]["Condition"] = {
            **body["Forgotten"]["Condition"],
            "StringEquals": {**equal, "kms:EncryptionContext:strongroom:epoch": "1"},
        }

    policy = world.edited(raised, forget)
    assert world.decide(policy).statement == "DenyOtherEpochs"
    assert world.decide(world.minus(policy, "DenyOtherEpochs")).outcome is ALLOWED


@pytest.mark.attack("K28")
@pytest.mark.parametrize(
    ("version", "epoch", "outcome"),
    [("v1", "1", ALLOWED), ("v2", "2", ALLOWED), ("v1", "2", NOT_ALLOWED), ("v2", "1", NOT_ALLOWED)],
)
def test_two_epochs_in_turn_over_open_each_for_its_own_release_only(world, version, epoch, outcome):
    policy = world.policy(releases=(world.release("v1", epoch=1), world.release("v2", epoch=2)))
    context = {**world.context, "strongroom:epoch": epoch}
    request = world.request(attestation=world.tpm(world.pcrs(version)), encryption_context=context)
    assert world.decide(policy, request).outcome is outcome


@pytest.mark.attack("K19")
def test_upper_case_hex_never_matches_with_string_equals(world):
    upper = world.digest("v1").hex().upper()
    assert world.decide(world.document(gated_allow(world, "StringEquals", upper))).outcome is NOT_ALLOWED
    assert world.decide(world.document(gated_allow(world, "StringEqualsIgnoreCase", upper))).outcome is ALLOWED


@pytest.mark.attack("K19")
def test_the_keys_of_enclaves_never_match_a_nitrotpm_document_nor_the_reverse(world):
    enclave_key = "kms:RecipientAttestation:PCR4"
    policy = world.document(gated_allow(world, key=enclave_key))
    enclave = world.request(attestation=world.enclave(world.pcrs()))
    assert world.decide(policy).outcome is NOT_ALLOWED
    assert world.decide(policy, enclave).outcome is ALLOWED
    assert world.decide(world.policy(), enclave).outcome is DENIED


@pytest.mark.attack("K19")
def test_a_digest_of_another_length_never_matches(world):
    assert world.decide(world.document(gated_allow(world, value=world.digest("v1").hex()[:64]))).outcome is NOT_ALLOWED


@pytest.mark.attack("K21")
def test_the_same_image_in_a_strangers_account_is_not_the_tenant(world):
    thief = world.request(caller=world.thief)
    assert world.decide(world.policy(), thief).outcome is NOT_ALLOWED
    seeds_shape = world.edited(world.policy(), lambda body: body["Open1General"].update(Principal={"AWS": "*"}))
    assert world.decide(seeds_shape, thief).outcome is ALLOWED


@pytest.mark.attack("K22")
def test_a_policy_on_constants_of_every_machine_cannot_be_generated(world):
    constants = PcrDigests.of({0: world.digest("firmware"), 1: world.digest("settings")})
    with pytest.raises(UsageError) as caught:
        world.release(pcrs=constants)
    assert caught.value.code == "keypolicy.gate-missing"
    other_image = world.request(attestation=world.tpm(world.pcrs("evil", pcr0=world.digest("firmware"))))
    hole = world.document(gated_allow(world, value=world.digest("firmware").hex(), key=PCR + "0"))
    assert world.decide(hole, other_image).outcome is ALLOWED


@pytest.mark.attack("K23")
@pytest.mark.parametrize("who", ["app", "thief", "sealer", "operator", "escrow"])
@pytest.mark.parametrize(
    "action", ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret"]
)
def test_nobody_gets_key_material_without_a_document(world, who, action):
    context = {} if action == "kms:DeriveSharedSecret" else world.context
    request = world.request(action, caller=getattr(world, who), attestation=None, encryption_context=context)
    assert world.decide(world.policy(), request).outcome is DENIED
    root = Caller(world.vendor_account, f"arn:aws:iam::{world.vendor_account}:root")
    assert world.decide(world.policy(), world.request(action, caller=root, attestation=None)).outcome is DENIED


@pytest.mark.attack("K24")
@pytest.mark.parametrize("index", [2, 4, 7, 12, 13])
def test_each_pcr_alone_denies_but_several_in_one_block_do_not(world, index):
    policy = world.policy(releases=(world.release(secure_boot=SecureBoot.GATED),))
    request = world.request(attestation=world.tpm(PcrDigests.of({**world.pcrs(), index: world.digest("other")})))
    assert world.decide(policy, request).statement == f"DenyUnlessPcr{index}"
    block = {f"{PCR}{n}": value.hex() for n, value in world.pcrs().items()}
    one_block = world.statement(Sid="Deny", Effect="Deny", Condition={"StringNotEqualsIgnoreCase": block})
    assert world.decide(world.document(world.statement(), one_block), request).outcome is ALLOWED


@pytest.mark.attack("K25")
def test_one_release_never_opens_with_the_secure_boot_state_of_another(world):
    releases = tuple(
        world.release(name, secure_boot=SecureBoot.GATED, pcrs=world.pcrs(name, pcr7=world.digest(f"sb {name}")))
        for name in ("v1", "v2")
    )
    mixed = world.request(attestation=world.tpm(world.pcrs("v1", pcr7=world.digest("sb v2"))))
    assert world.decide(world.policy(releases=releases), mixed).outcome is NOT_ALLOWED
    lists = {
        f"{PCR}4": [world.digest(name).hex() for name in ("v1", "v2")],
        f"{PCR}7": [world.digest(f"sb {name}").hex() for name in ("v1", "v2")],
    }
    cross_product = world.statement(Condition={"StringEqualsIgnoreCase": lists})
    assert world.decide(world.document(cross_product), mixed).outcome is ALLOWED


@pytest.mark.attack("K26")
def test_a_tenant_whose_role_is_made_again_is_not_locked_out(world):
    policy = world.policy(role_patterns=(world.app.role_arn,))
    stored = pin_principals(policy, {world.vendor().sealer_role_arn: world.sealer.unique_id})
    again = world.request(caller=Caller(world.customer, world.app.arn, world.app.role_arn, "AROAMADEAGAINXXXXXXXX"))
    assert world.decide(stored, again).outcome is ALLOWED
    other = world.request(caller=world.session(world.customer, "other"))
    assert world.decide(stored, other).outcome is NOT_ALLOWED


@pytest.mark.attack("K20")
def test_a_key_that_waits_for_its_policy_hands_out_no_grant_and_no_plaintext(world):
    policy = bootstrap_key_policy(world.vendor())
    for action in ("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"):
        request = world.request(action, caller=world.operator)
        assert world.decide(policy, request).outcome is DENIED
