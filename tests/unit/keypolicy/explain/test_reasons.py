# SPDX-License-Identifier: Apache-2.0
"""Each code of an explanation, fired by a request that misses one thing, with the sentence that people read."""

from dataclasses import replace

import pytest

from strongroom.ids import Region
from strongroom.keypolicy.context import Sender
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.explain.explanation import explain
from strongroom.keypolicy.explain.inquiry import Inquiry, Policies
from strongroom.keypolicy.explain.statements import denials
from strongroom.keypolicy.grants import Grant, GrantConstraints
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    parse_identity_policy,
    parse_key_policy,
    parse_key_policy_leniently,
    parse_resource_policy,
)

PCR4 = "kms:RecipientAttestation:NitroTPMPCR4"
ENCLAVE = "kms:RecipientAttestation:ImageSha384"


def inquire(world, *statements, own=None, grants=(), guardrails=None, lenient=False, **request):
    """Return the question whether the tenant's attested app may decrypt, under these statements of the key policy."""
    parse = parse_key_policy_leniently if lenient else parse_key_policy
    mine = (world.iam_all,) if own is None else own
    policies = Policies(parse(world.document(*statements)), mine, tuple(grants), guardrails or Guardrails())
    return Inquiry(world.request(**request), policies)


def reasons(inquiry):
    """Return the reasons by code, after a look at what every explanation has to be."""
    found = explain(inquiry)
    assert found.decision == inquiry.decide()
    assert found.headline == f"{'Allowed' if found.allowed else 'Denied'}: {found.decision.reason}."
    return {each.code: each for each in reversed(found.reasons)}


def conditioned(world, operator, key, *values, **changes):
    return world.statement(Sid="Open", Condition={operator: {key: list(values)}}, **changes)


def test_an_allowed_request_names_the_statement_and_what_the_document_did(world):
    inquiry = inquire(world, conditioned(world, "StringEquals", PCR4, world.digest("v1").hex()))
    found = reasons(inquiry)
    assert found.keys() == {"decision.allowed", "decision.document-decides"}
    assert (found["decision.allowed"].policy, found["decision.allowed"].statement) == ("key policy", "Open")
    assert found["decision.document-decides"].sentence.startswith("without the document it would be denied: no ")


@pytest.mark.parametrize(("document", "begins"), [("sent", "the document played no role"), ("none", "no document was")])
def test_a_request_that_is_allowed_without_a_document_is_a_warning(world, document, begins):
    changes = {} if document == "sent" else {"attestation": None}
    found = reasons(inquire(world, world.statement(), **changes))["decision.document-not-needed"]
    assert found.severity == "warning"
    assert found.sentence.startswith(begins)
    assert "docs/formats/key-policy.md" in found.remedy


def test_nothing_is_said_of_a_document_that_the_action_does_not_take(world):
    inquiry = inquire(world, world.statement(), action="kms:Encrypt", attestation=None)
    assert reasons(inquiry).keys() == {"decision.allowed"}


def test_a_grant_that_would_have_allowed_by_itself_is_a_warning(world):
    operator, bound = world.operator, GrantConstraints.of(subset={"no": "such"})
    given = [world.granted(grantee=operator.role_arn), world.granted(grantee=operator.role_arn, constraints=bound)]
    found = reasons(inquire(world, world.statement(), grants=given, caller=operator))
    assert found["decision.grant-too"].sentence.startswith("grant g allows it, too")
    assert "decision.grant-too" not in reasons(inquire(world, world.statement(), grants=given[1:], caller=operator))


def test_another_pcr(world):
    inquiry = inquire(world, conditioned(world, "StringEqualsIgnoreCase", PCR4, "11" * 48, "22" * 48))
    found = reasons(inquiry)["decision.pcr"]
    seen = world.digest("v1").hex()
    assert found.sentence == (
        f"statement Open of the key policy does not apply: NitroTPMPCR4 is {seen[:8]}…, "
        "and StringEqualsIgnoreCase names one of 11111111…, 22222222…"
    )
    assert (found.pcr, found.expected, found.seen) == (4, ("11" * 48, "22" * 48), (seen,))
    assert "`strongroom explain --measurements REFERENCE --document DOCUMENT`" in found.remedy


def test_a_pcr_that_a_deny_does_not_spare(world):
    denied = conditioned(world, "StringNotEquals", PCR4, "11" * 48, Effect="Deny")
    found = reasons(inquire(world, denied, world.statement(Sid="All")))
    seen = world.digest("v1").hex()[:8]
    assert found["decision.pcr"].sentence == (
        f"statement Open of the key policy denies kms:Decrypt: NitroTPMPCR4 is {seen}… and not 11111111… "
        "(StringNotEquals)"
    )
    assert found["decision.otherwise-allowed"].statement == "All"


def test_no_document_and_a_negated_deny_that_fires_on_the_missing_key(world):
    policy = world.policy()
    found = reasons(Inquiry(world.request(attestation=None), Policies(policy, (world.iam_all,))))
    assert found["decision.no-document"].statement == "DenyUnlessPcr2"  # the first; all of them are among the reasons
    assert found["decision.no-document"].sentence.endswith(
        "no attestation document was sent, so NitroTPMPCR2 is missing; such a condition holds for a missing key"
    )


@pytest.mark.parametrize(
    ("key", "kind", "sent"), [(PCR4, "enclave", "an enclave's document"), (ENCLAVE, "tpm", "a NitroTPM document")]
)
def test_a_document_of_the_other_kind(world, key, kind, sent):
    attestation = getattr(world, kind)(world.pcrs())
    found = reasons(inquire(world, conditioned(world, "StringEquals", key, "11" * 48), attestation=attestation))
    assert f"{sent} was sent" in found["decision.other-document"].sentence


def test_a_pcr_that_the_document_does_not_have(world):
    found = reasons(inquire(world, conditioned(world, "StringEquals", PCR4.replace("4", "20"), "11" * 48)))
    assert "the document has no PCR20" in found["decision.pcr-absent"].sentence


def test_an_action_that_takes_no_document_can_never_show_one(world):
    asked = conditioned(world, "StringEquals", PCR4, "11" * 48)
    inquiry = inquire(world, asked, action="kms:Encrypt", attestation=None)
    assert "kms:Encrypt takes no attestation document" in reasons(inquiry)["decision.takes-no-document"].sentence


def test_upper_case_hex_under_an_operator_that_compares_case(world):
    upper = world.digest("v1").hex().upper()
    found = reasons(inquire(world, conditioned(world, "StringEquals", PCR4, upper)))
    assert "names in other case" in found["decision.case"].sentence
    assert "StringEqualsIgnoreCase" in found["decision.case"].remedy
    ignored = inquire(world, conditioned(world, "StringEqualsIgnoreCase", PCR4, upper))
    assert ignored.decide().outcome is Outcome.ALLOWED


def test_the_encryption_context_missing_differing_and_withdrawn(world):
    tenant, epoch = "kms:EncryptionContext:strongroom:tenant", "kms:EncryptionContext:strongroom:epoch"
    asked = conditioned(world, "StringEquals", tenant, "acme")
    assert reasons(inquire(world, asked))["decision.context"].seen == ("globex",)
    missing = reasons(inquire(world, asked, encryption_context={}))["decision.context-missing"]
    assert "the encryption context has no strongroom:tenant, where acme is named" in missing.sentence
    withdrawn = reasons(inquire(world, conditioned(world, "StringNotEquals", epoch, "2", "3", Effect="Deny")))
    assert "epoch 1, and the policy names one of 2, 3" in withdrawn["decision.epoch-withdrawn"].sentence
    shout = conditioned(world, "StringEquals", tenant, "GLOBEX")
    assert reasons(inquire(world, shout))["decision.case"].remedy == "Write it as the policy does."


def test_an_action_that_takes_no_context_can_never_show_one(world):
    asked = conditioned(world, "StringEquals", "kms:EncryptionContext:a", "b")
    found = reasons(inquire(world, asked, action="kms:DeriveSharedSecret"))
    assert "kms:DeriveSharedSecret takes no encryption context" in found["decision.takes-no-context"].sentence


def test_a_statement_that_has_ended_or_not_begun(world):
    ended = inquire(world, conditioned(world, "DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z"))
    assert reasons(ended)["decision.expired"].sentence.endswith(
        "it is 2026-11-22T12:00:00Z, and the end is 2026-01-01T00:00:00Z"
    )
    early = inquire(world, conditioned(world, "DateGreaterThan", "aws:CurrentTime", "2027-01-01T00:00:00Z"))
    assert "decision.not-yet" in reasons(early)
    denied = conditioned(world, "DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", Effect="Deny")
    assert "decision.expired" in reasons(inquire(world, denied, world.statement(Sid="All")))
    denied = conditioned(world, "DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z", Effect="Deny")
    assert "decision.not-yet" in reasons(inquire(world, denied, world.statement(Sid="All")))
    equal = inquire(world, conditioned(world, "DateEquals", "aws:CurrentTime", "2027-01-01T00:00:00Z"))
    assert "decision.value" in reasons(equal)


def test_other_condition_keys_missing_and_differing(world):
    asked = conditioned(world, "StringEquals", "aws:SourceVpce", "vpce-1")
    missing = reasons(inquire(world, asked))["decision.key-missing"].sentence
    assert "the request has no aws:SourceVpce (how the request came), where vpce-1 is named" in missing
    elsewhere = Sender(Region("eu-central-1"), source_vpce="vpce-2")
    assert reasons(inquire(world, asked, sender=elsewhere))["decision.value"].seen == ("vpce-2",)


def test_a_condition_that_is_not_known_here(world):
    found = reasons(inquire(world, conditioned(world, "StringEquals", "kms:Tomorrow", "x"), lenient=True))
    assert "keypolicy.condition-key" in found["decision.unread"].sentence


def test_statements_about_others(world):
    found = reasons(
        inquire(
            world,
            world.statement(Sid="Theirs", Principal={"AWS": world.thief.role_arn}),
            world.statement(Sid="Signing", Action="kms:Sign"),
            world.statement(Sid="Elsewhere", Resource=f"{world.key}0"),
        )
    )
    assert found["decision.principal"].sentence == (
        f"statement Theirs of the key policy names {world.thief.role_arn}, and the caller is {world.app.arn}"
    )
    assert found["decision.action"].statement == "Signing"
    assert found["decision.resource"].statement == "Elsewhere"
    assert "decision.key-policy" in found


def test_of_many_statements_the_closest_are_told_and_the_others_counted(world):
    far = [conditioned(world, "StringEquals", PCR4, f"{n:02x}" * 48) | {"Sid": f"Far{n}"} for n in range(1, 9)]
    for each in far:
        each["Condition"]["StringEquals"]["aws:SourceVpce"] = "vpce-1"
    near = conditioned(world, "StringEquals", PCR4, "11" * 48) | {"Sid": "Near"}
    found = explain(inquire(world, *far, near)).reasons
    assert [each.statement for each in found if each.code == "decision.pcr"] == ["Near", "Far1", "Far2"]
    assert found[-1].sentence == "6 more statements do not allow it either"


def test_the_account_is_named_and_the_callers_iam_policies_say_nothing(world):
    root = world.statement(Sid="Delegate", Principal={"AWS": f"arn:aws:iam::{world.customer}:root"})
    found = reasons(inquire(world, root, own=()))
    assert found["decision.iam"].sentence == (
        "statement Delegate of the key policy names the account (its root), not the caller, so the caller's own IAM "
        "policies must allow kms:Decrypt on this key, and they do not"
    )
    own_boundary = Guardrails(boundary=world.iam_all)
    mine = world.statement(Sid="Mine", Principal={"AWS": f"arn:aws:iam::{world.vendor_account}:root"})
    home = inquire(world, mine, own=(), guardrails=own_boundary, caller=world.operator)
    assert "names the account (its root)" in reasons(home)["decision.iam"].sentence
    by_name = reasons(inquire(world, world.statement(Sid="Named", Principal={"AWS": world.app.role_arn}), own=()))
    assert "lets in a caller of another account, 111122223333" in by_name["decision.iam"].sentence


@pytest.mark.parametrize("kind", ["boundary", "session", "scp", "rcp", "endpoint"])
def test_policies_that_only_take_away(world, kind):
    nothing = parse_identity_policy(world.document(world.without(world.statement(Action="s3:*"), "Principal")))
    of_resource = parse_resource_policy(world.document(world.statement(Action="s3:*")))
    around = {
        "boundary": Guardrails(boundary=nothing),
        "session": Guardrails(session_policies=(nothing,)),
        "scp": Guardrails(service_control=((nothing,),)),
        "rcp": Guardrails(resource_control=((of_resource,),)),
        "endpoint": Guardrails(endpoint=of_resource),
    }[kind]
    inquiry = inquire(world, world.statement(), guardrails=around)
    assert reasons(inquiry)["decision.limited"].policy == inquiry.decide().lacking


def test_an_action_that_no_policy_can_allow_to_another_account(world):
    inquiry = inquire(world, world.statement(), action="kms:PutKeyPolicy")
    assert world.vendor_account in reasons(inquiry)["decision.cross-account"].remedy


def test_a_grant_that_does_not_fit_and_one_that_cannot_be_retired(world):
    bound = world.granted(constraints=GrantConstraints.of(equals={"other": "pair"}))
    silent = world.statement(Action="s3:*")
    found = reasons(inquire(world, silent, grants=[bound]))["decision.grant-constraint"]
    assert found.sentence.startswith("grant g asks for exactly the encryption context other=pair, and it is ")
    retire = world.request("kms:RetireGrant", grant=world.granted(), caller=world.thief, encryption_context={})
    assert "decision.retiring" in reasons(Inquiry(retire, Policies(parse_key_policy(world.document(silent)))))


def test_a_deny_without_a_condition(world):
    denied = world.statement(Sid="Shut", Effect="Deny")
    found = reasons(inquire(world, world.statement(Sid="Open"), denied))
    assert found["decision.denied-always"].sentence == (
        "statement Shut of the key policy denies kms:Decrypt without a condition"
    )


def test_every_deny_that_applies_is_told_the_deciding_one_first(world):
    inquiry = Inquiry(world.request(attestation=world.tpm(world.pcrs("v2", pcr12=b"x" * 48))), _policies(world))
    found = explain(inquiry)
    denies = [each.statement for each in found.reasons if "denies" in each.sentence]
    assert denies == ["DenyUnlessPcr4", "DenyUnlessPcr12"]
    assert denies[0] == found.decision.statement


def _policies(world):
    return Policies(world.policy(), (world.iam_all,))


def test_a_decision_about_another_inquiry_is_not_mixed_up(world):
    one, other = (inquire(world, world.statement(Sid=sid)) for sid in ("A", "B"))
    with pytest.raises(RuntimeError):
        one.heard(other.decide())


def test_a_request_without_a_key_asks_the_callers_policies(world):
    request = replace(world.request("kms:GenerateRandom", key_arn=None, encryption_context={}))
    found = reasons(Inquiry(request, Policies(None)))
    assert found["decision.iam"].sentence.startswith("no statement of the identity policy allows kms:GenerateRandom")


def test_a_grant_never_denies(world):
    inquiry = inquire(world, world.statement(), grants=[world.granted()])
    heard = next(each for each in inquiry.heard(inquiry.decide()) if isinstance(each.source, Grant))
    with pytest.raises(TypeError):
        list(denials(heard, world.request()))
