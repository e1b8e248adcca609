# SPDX-License-Identifier: Apache-2.0
"""Generated policies: their shape, what they refuse to be made from, and each statement removed or weakened."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.errors import UsageError
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, PcrDigests
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy, tenant_key_policy
from strongroom.keypolicy.model import budget, encode_key_policy, parse_key_policy
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.spec import EscrowKeySpec, SecureBoot
from strongroom.keypolicy.statements import ATTESTED, MANAGEMENT, SIDE_DOORS

PCR = "kms:RecipientAttestation:NitroTPMPCR"
ALL_FOUR = ["kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
ZERO, OFF = bytes(48), SECURE_BOOT_OFF_PCR7_SHA384


def statements(policy):
    return {each["Sid"]: each for each in json.loads(encode_key_policy(policy))["Statement"]}


def gated(world, version="v1", **changes):
    return world.release(version, **{"secure_boot": SecureBoot.GATED, **changes})


def escrow(world):
    return EscrowKeySpec(vendor=world.vendor(), escrow_role_arn=world.role(world.vendor_account, "escrow"))


def test_the_statements_of_a_tenant_key_are_these(world):
    assert list(statements(world.policy(releases=(gated(world),)))) == [
        "Admin",
        "Seal",
        "Open1General",
        "DenyUnlessPcr2",
        "DenyUnlessPcr4",
        "DenyUnlessPcr7",
        "DenyUnlessPcr12",
        "DenyUnlessPcr13",
        "DenyOtherEpochs",
        "DenySideDoors",
    ]


def test_the_open_statement_has_exactly_this_shape(world):
    until = datetime(2027, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
    spec = world.spec(
        releases=(gated(world, expires=until),),
        names=("db",),
        role_patterns=(f"arn:aws:iam::{world.customer}:role/app*",),
    )
    assert statements(tenant_key_policy(spec))["Open1General"] == {
        "Sid": "Open1General",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{world.customer}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:EncryptionContext:strongroom:product": "acme",
                "kms:EncryptionContext:strongroom:tenant": "globex",
                "kms:EncryptionContext:strongroom:purpose": "secret",
                "kms:EncryptionContext:strongroom:epoch": "1",
                "kms:EncryptionContext:strongroom:name": "db",
            },
            "StringEqualsIgnoreCase": {
                PCR + "2": SEPARATOR_ONLY_SHA384.hex(),
                PCR + "7": world.digest("sb").hex(),
                PCR + "12": ZERO.hex(),
                PCR + "13": ZERO.hex(),
                PCR + "4": world.digest("v1").hex(),
            },
            "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{world.customer}:role/app*"},
            "DateLessThan": {"aws:CurrentTime": "2027-01-02T03:04:05Z"},
        },
    }


def test_every_deny_of_a_pcr_names_one_key_and_the_four_operations(world):
    found = statements(world.policy(releases=(gated(world),)))
    denying = {sid: body for sid, body in found.items() if sid.startswith("DenyUnless")}
    assert denying.keys() == {f"DenyUnlessPcr{index}" for index in (2, 4, 7, 12, 13)}
    for sid, body in denying.items():
        assert body["Action"] == ALL_FOUR
        assert body["Principal"] == {"AWS": "*"}
        ((operator, keys),) = body["Condition"].items()
        assert operator == "StringNotEqualsIgnoreCase"
        assert list(keys) == [PCR + sid.removeprefix("DenyUnlessPcr")]


def test_the_four_denied_operations_are_all_that_take_a_document_and_a_key():
    assert list(ATTESTED) == sorted(action for action, row in OPERATIONS.items() if row.attested and row.on_key)


def test_management_and_side_doors_are_known_operations_and_nothing_cryptographic():
    assert set(MANAGEMENT) | set(SIDE_DOORS) <= set(OPERATIONS)
    assert not set(MANAGEMENT) & (set(SIDE_DOORS) | set(ATTESTED))
    assert not {action for action in MANAGEMENT if OPERATIONS[action].takes_context}


def test_no_expiry_is_written_unless_asked_for(world):
    assert "DateLessThan" not in encode_key_policy(world.policy())


def test_an_expiry_is_enforced_by_the_policy_itself(world):
    policy = world.policy(releases=(world.release(expires=world.now + timedelta(minutes=1)),))
    assert world.decide(policy).outcome is Outcome.ALLOWED
    late = world.request(now=world.now + timedelta(minutes=1))
    assert world.decide(policy, late).outcome is Outcome.NOT_ALLOWED


def test_the_order_of_releases_does_not_matter_and_repeats_do_not_count(world):
    one, two = world.release("v1"), world.release("v2")
    assert world.policy(releases=(one, two)) == world.policy(releases=(two, one, one))


def test_rings_that_begin_with_a_digit_never_share_a_sid(world):
    releases = [world.release("v0", ring="1x"), *(world.release(f"v{n}", ring="x", epoch=n) for n in range(1, 13))]
    opens = [sid for sid in statements(world.policy(releases=tuple(releases))) if sid.startswith("Open")]
    assert len(opens) == 13
    assert {"Open1r1x", "Open11X"} <= set(opens)


def test_releases_that_share_a_tuple_share_a_statement(world):
    soon = world.now + timedelta(days=1)
    policy = world.policy(
        releases=(
            world.release("v1"),
            world.release("v2"),
            world.release("v3", epoch=2),
            world.release("v4", ring="early-access"),
            world.release("v5", expires=soon),
            gated(world, "v6"),
        )
    )
    opens = [sid for sid in statements(policy) if sid.startswith("Open")]
    assert opens == ["Open1EarlyXaccess", "Open2General", "Open3General", "Open4General", "Open5General"]
    assert "DenyUnlessPcr7" not in statements(policy)


@pytest.mark.parametrize("count", [1, 50, 145])
def test_a_policy_of_145_versions_fits(world, count):
    policy = world.policy(releases=tuple(world.release(f"v{n}") for n in range(count)))
    assert budget(policy).free_bytes >= 0


def test_a_policy_that_does_not_fit_says_how_many_versions_do(world):
    releases = tuple(world.release(f"v{n}") for n in range(300))
    with pytest.raises(UsageError) as caught:
        world.policy(releases=releases)
    assert caught.value.code == "keypolicy.budget"
    fit = int(caught.value.message.rpartition(": ")[2].split()[0])
    assert budget(world.policy(releases=releases[:fit])).free_bytes >= 0
    with pytest.raises(UsageError):
        world.policy(releases=releases[: fit + 1])


def lacking(world, index):
    return PcrDigests.of({n: value for n, value in world.pcrs().items() if n != index})


REFUSED = [
    (lambda w: w.release(pcrs=lacking(w, 2)), "keypolicy.gate-missing"),
    (lambda w: w.release(pcrs=lacking(w, 4)), "keypolicy.gate-missing"),
    (lambda w: w.release(pcrs=lacking(w, 12)), "keypolicy.gate-missing"),
    (lambda w: w.release(pcrs=lacking(w, 13)), "keypolicy.gate-missing"),
    (lambda w: gated(w, pcrs=lacking(w, 7)), "keypolicy.gate-missing"),
    (lambda w: w.release(pcrs=PcrDigests.of({0: ZERO, 1: ZERO})), "keypolicy.gate-missing"),
    (
        lambda w: w.release(pcrs=PcrDigests.of(dict.fromkeys((2, 4, 12, 13), b"x" * 32), size_bytes=32)),
        "keypolicy.gate-length",
    ),
    (lambda w: w.release(pcrs=w.pcrs(pcr7=ZERO)), "keypolicy.gate-zero"),
    (lambda w: w.release(pcrs=PcrDigests.of({**w.pcrs(), 4: ZERO})), "keypolicy.gate-zero"),
    (lambda w: w.release(pcrs=w.pcrs(pcr2=ZERO)), "keypolicy.gate-constant"),
    (lambda w: w.release(pcrs=w.pcrs(pcr12=w.digest("init=/bin/sh"))), "keypolicy.gate-constant"),
    (lambda w: w.release(pcrs=w.pcrs(pcr13=w.digest("extension"))), "keypolicy.gate-constant"),
    (lambda w: w.release(overrides={2: ZERO}), "keypolicy.gate-constant"),
    (lambda w: gated(w, pcrs=w.pcrs(pcr7=OFF)), "keypolicy.gate-pcr7"),
    (lambda w: w.release(epoch=0), "keypolicy.epoch"),
    (lambda w: w.release(expires=datetime(2027, 1, 1)), "keypolicy.expiry"),  # noqa: DTZ001 -- the fault
    (lambda w: w.release(ring="Canary"), "keypolicy.id"),
    (lambda w: w.vendor(product="-acme"), "keypolicy.id"),
    (lambda w: w.vendor(purposes=("Secret",)), "keypolicy.id"),
    (lambda w: w.vendor(purposes=()), "keypolicy.purpose"),
    (lambda w: w.vendor(purposes=("secret", "state")), "keypolicy.purpose"),
    (lambda w: w.vendor(account="1"), "keypolicy.account"),
    (lambda w: w.vendor(partition="aws*"), "keypolicy.partition"),
    (lambda w: w.vendor(sealer_role_arn=w.role(w.customer, "sealer")), "keypolicy.role"),
    (lambda w: w.vendor(sealer_role_arn=w.role(w.vendor_account, "*")), "keypolicy.role"),
    (lambda w: w.vendor(partition="aws-cn"), "keypolicy.role"),
    (lambda w: w.vendor(change_role_arn=w.role(w.customer, "x")), "keypolicy.role"),
    (lambda w: w.spec(tenant="a" * 64), "keypolicy.id"),
    (lambda w: w.spec(tenant="globex\n"), "keypolicy.id"),
    (lambda w: w.spec(names=("db", "")), "keypolicy.id"),
    (lambda w: w.spec(accounts=()), "keypolicy.account"),
    (lambda w: w.spec(accounts=("*",)), "keypolicy.account"),
    (lambda w: w.spec(releases=()), "keypolicy.no-release"),
    (lambda w: w.spec(role_patterns=("*",)), "keypolicy.role"),
    (lambda w: w.spec(role_patterns=(w.role(w.stranger, "app"),)), "keypolicy.role"),
    (lambda w: w.spec(role_patterns=(f"arn:aws-cn:iam::{w.customer}:role/app",)), "keypolicy.role"),
    (lambda w: EscrowKeySpec(vendor=w.vendor(), escrow_role_arn=w.role(w.customer, "x")), "keypolicy.role"),
    (lambda w: EscrowKeySpec(vendor=w.vendor(), escrow_role_arn=w.vendor().sealer_role_arn), "keypolicy.role"),
]


@pytest.mark.parametrize(("build", "code"), REFUSED)
def test_a_spec_that_would_weaken_the_policy_cannot_be_built(world, build, code):
    with pytest.raises(UsageError) as caught:
        build(world)
    assert caught.value.code == code


def test_a_pcr2_of_other_firmware_is_taken_when_it_is_named(world):
    rom = world.digest("option rom")
    policy = world.policy(releases=(world.release(pcrs=world.pcrs(pcr2=rom), overrides={2: rom}),))
    assert statements(policy)["DenyUnlessPcr2"]["Condition"]["StringNotEqualsIgnoreCase"][PCR + "2"] == rom.hex()


def test_secure_boot_off_is_no_fault_of_a_release_that_does_not_gate_it(world):
    policy = world.policy(releases=(world.release(pcrs=world.pcrs(pcr7=OFF)),))
    assert OFF.hex() not in encode_key_policy(policy)


# --- Each statement removed or weakened: what was refused is then allowed, or the reverse. ---


def lenient(world):
    """A second Allow, such as a hurried person adds: no document, no context. The Denies must hold against it."""
    return world.statement(Sid="Hurried", Principal={"AWS": world.customer}, Action="kms:*")


def hurried(world, *, releases=None):
    policy = world.policy(releases=releases or (gated(world),))
    return world.edited(policy, lambda body: body.update(Hurried=lenient(world)))


MUTATED = [
    (2, "DenyUnlessPcr2"),
    (4, "DenyUnlessPcr4"),
    (7, "DenyUnlessPcr7"),
    (12, "DenyUnlessPcr12"),
    (13, "DenyUnlessPcr13"),
]


@pytest.mark.parametrize(("index", "sid"), MUTATED)
@pytest.mark.parametrize("action", ALL_FOUR)
def test_without_the_deny_of_a_pcr_another_allow_opens_for_another_value(world, index, sid, action):
    values = PcrDigests.of({**world.pcrs(), index: world.digest("other")})
    context = {} if action == "kms:DeriveSharedSecret" else world.context
    request = world.request(action, attestation=world.tpm(values), encryption_context=context)
    policy = hurried(world)
    policy = world.minus(policy, "DenyOtherEpochs") if not context else policy
    assert world.decide(policy, request).statement == sid
    assert world.decide(world.minus(policy, sid), request).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("index", [2, 4, 7, 12, 13])
def test_without_its_pcr_an_open_statement_opens_for_any_value_of_it(world, index):
    values = PcrDigests.of({**world.pcrs(), index: world.digest("other")})
    request = world.request(attestation=world.tpm(values))
    policy = world.minus(world.policy(releases=(gated(world),)), f"DenyUnlessPcr{index}")
    assert world.decide(policy, request).outcome is Outcome.NOT_ALLOWED

    def weaken(body):
        del body["Open1General"]["Condition"]["StringEqualsIgnoreCase"][f"{PCR}{index}"]

    assert world.decide(world.edited(policy, weaken), request).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("field", ["product", "tenant", "purpose", "epoch", "name"])
def test_without_its_context_an_open_statement_opens_what_was_sealed_for_others(world, field):
    request = world.request(encryption_context={**world.context, f"strongroom:{field}": "2"})
    policy = world.minus(world.policy(names=("db",)), "DenyOtherEpochs")
    assert world.decide(policy, request).outcome is Outcome.NOT_ALLOWED

    def weaken(body):
        del body["Open1General"]["Condition"]["StringEquals"][f"kms:EncryptionContext:strongroom:{field}"]

    assert world.decide(world.edited(policy, weaken), request).outcome is Outcome.ALLOWED


def test_without_the_role_pattern_any_role_of_the_tenant_opens(world):
    policy = world.policy(role_patterns=(f"arn:aws:iam::{world.customer}:role/vault*",))
    assert world.decide(policy).outcome is Outcome.NOT_ALLOWED
    weak = world.edited(policy, lambda body: body["Open1General"]["Condition"].pop("ArnLike"))
    assert world.decide(weak).outcome is Outcome.ALLOWED


def test_without_the_open_statement_nobody_opens(world):
    assert world.decide(world.policy()).outcome is Outcome.ALLOWED
    assert world.decide(world.minus(world.policy(), "Open1General")).outcome is Outcome.NOT_ALLOWED


def test_without_the_seal_statement_the_sealer_cannot_wrap(world):
    request = world.request("kms:Encrypt", caller=world.sealer, attestation=None)
    assert world.decide(world.policy(), request, own=[]).statement == "Seal"
    assert world.decide(world.minus(world.policy(), "Seal"), request, own=[]).outcome is Outcome.NOT_ALLOWED


@pytest.mark.parametrize("field", ["product", "tenant", "purpose"])
def test_without_its_context_the_seal_statement_wraps_for_others(world, field):
    context = {**world.context, f"strongroom:{field}": "other"}
    request = world.request("kms:Encrypt", caller=world.sealer, attestation=None, encryption_context=context)
    assert world.decide(world.policy(), request).outcome is Outcome.NOT_ALLOWED

    def weaken(body):
        del body["Seal"]["Condition"]["StringEquals"][f"kms:EncryptionContext:strongroom:{field}"]

    assert world.decide(world.edited(world.policy(), weaken), request).outcome is Outcome.ALLOWED


def test_without_the_admin_statement_nobody_manages_the_key(world):
    request = world.request("kms:PutKeyPolicy", caller=world.operator, attestation=None)
    assert world.decide(world.policy(), request).outcome is Outcome.ALLOWED
    assert world.decide(world.minus(world.policy(), "Admin"), request).outcome is Outcome.NOT_ALLOWED


def test_an_admin_statement_with_everything_lets_the_vendors_people_wrap(world):
    request = world.request("kms:Encrypt", caller=world.operator, attestation=None)
    assert world.decide(world.policy(), request).outcome is Outcome.NOT_ALLOWED
    weak = world.edited(world.policy(), lambda body: body["Admin"].update(Action="kms:*"))
    assert world.decide(weak, request).outcome is Outcome.ALLOWED


def test_without_the_change_statement_every_administrator_replaces_the_policy(world):
    changer = world.role(world.vendor_account, "changer")
    policy = world.policy(vendor=world.vendor(change_role_arn=changer))
    request = world.request("kms:PutKeyPolicy", caller=world.operator, attestation=None)
    assert world.decide(policy, request).statement == "DenyOtherChangers"
    named = world.request("kms:PutKeyPolicy", caller=world.session(world.vendor_account, "changer"), attestation=None)
    assert world.decide(policy, named).outcome is Outcome.ALLOWED
    assert world.decide(world.minus(policy, "DenyOtherChangers"), request).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("action", SIDE_DOORS)
def test_without_the_side_doors_statement_another_allow_opens_one(world, action):
    caller = world.app if OPERATIONS[action].cross_account else world.operator
    request = world.request(action, caller=caller, attestation=None)
    wide = world.statement(Sid="Hurried", Principal="*", Action="kms:*")
    policy = world.edited(world.policy(), lambda body: body.update(Hurried=wide))
    assert world.decide(policy, request).statement == "DenySideDoors"
    assert world.decide(world.minus(policy, "DenySideDoors"), request).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("action", ALL_FOUR)
def test_the_bootstrap_policy_opens_for_nobody_whatever_else_it_says(world, action):
    policy = bootstrap_key_policy(world.vendor())
    wide = world.edited(policy, lambda body: body.update(Hurried=world.statement(Sid="Hurried")))
    context = {} if action == "kms:DeriveSharedSecret" else world.context
    request = world.request(action, encryption_context=context)
    assert world.decide(policy, request).statement == "DenyOpening"
    assert world.decide(wide, request).statement == "DenyOpening"
    assert world.decide(world.minus(wide, "DenyOpening"), request).outcome is Outcome.ALLOWED
    grant = world.request("kms:CreateGrant", attestation=None)
    assert world.decide(wide, grant).statement == "DenySideDoors"


def test_the_bootstrap_policy_can_be_replaced_but_wraps_nothing(world):
    policy = bootstrap_key_policy(world.vendor())
    manage = world.request("kms:PutKeyPolicy", caller=world.operator, attestation=None)
    assert world.decide(policy, manage).outcome is Outcome.ALLOWED
    wrap = world.request("kms:Encrypt", caller=world.sealer, attestation=None)
    assert world.decide(policy, wrap).outcome is Outcome.NOT_ALLOWED


def test_the_escrow_key_opens_for_the_escrow_role_and_nobody_else(world):
    policy = escrow_key_policy(escrow(world))
    assert world.decide(policy, world.request(caller=world.escrow, attestation=None), own=[]).statement == "EscrowOpen"
    for caller in (world.operator, world.sealer, world.app, world.thief):
        assert world.decide(policy, world.request(caller=caller)).statement == "DenyOthers"
    wide = world.edited(policy, lambda body: body.update(Hurried=world.statement(Sid="Hurried")))
    assert world.decide(wide, world.request()).statement == "DenyOthers"
    assert world.decide(world.minus(wide, "DenyOthers"), world.request()).outcome is Outcome.ALLOWED
    grant = world.request("kms:CreateGrant", caller=world.escrow, attestation=None)
    assert world.decide(wide, grant).statement == "DenySideDoors"


@pytest.mark.parametrize(
    ("tenant", "product", "outcome"),
    [
        ("globex", "acme", Outcome.ALLOWED),
        ("initech", "acme", Outcome.ALLOWED),
        ("globex", "other", Outcome.NOT_ALLOWED),
    ],
)
def test_the_escrow_key_serves_every_tenant_of_the_product_and_no_other_product(world, tenant, product, outcome):
    policy = escrow_key_policy(escrow(world))
    context = {**world.context, "strongroom:tenant": tenant, "strongroom:product": product}
    wrap = world.request("kms:Encrypt", caller=world.sealer, attestation=None, encryption_context=context)
    assert world.decide(policy, wrap).outcome is outcome
    opened = world.request(caller=world.escrow, attestation=None, encryption_context=context)
    assert world.decide(policy, opened).outcome is outcome


def test_the_escrow_key_opens_no_customer_state(world):
    context = {**world.context, "strongroom:purpose": "state"}
    request = world.request(caller=world.escrow, attestation=None, encryption_context=context)
    assert world.decide(escrow_key_policy(escrow(world)), request).outcome is Outcome.NOT_ALLOWED


def test_a_generated_policy_reads_back_as_itself(world):
    for policy in (world.policy(), bootstrap_key_policy(world.vendor()), escrow_key_policy(escrow(world))):
        assert parse_key_policy(encode_key_policy(policy)) == policy


@pytest.mark.parametrize("kind", ["escrow", "bootstrap"])
def test_every_key_of_the_vendor_is_managed_by_him_and_changed_by_the_one_who_is_named(world, kind):
    vendor = world.vendor(change_role_arn=world.role(world.vendor_account, "changer"))
    spec = EscrowKeySpec(vendor=vendor, escrow_role_arn=world.role(world.vendor_account, "escrow"))
    policy = escrow_key_policy(spec) if kind == "escrow" else bootstrap_key_policy(vendor)
    replaced, read = (
        world.request(action, caller=world.operator, attestation=None)
        for action in ("kms:PutKeyPolicy", "kms:GetKeyPolicy")
    )
    assert world.decide(policy, read).outcome is Outcome.ALLOWED
    assert world.decide(policy, replaced).statement == "DenyOtherChangers"
    named = world.request("kms:PutKeyPolicy", caller=world.session(world.vendor_account, "changer"), attestation=None)
    assert world.decide(policy, named).outcome is Outcome.ALLOWED
