# SPDX-License-Identifier: Apache-2.0
"""`strongroom key simulate`: what is asked is what is evaluated, and what was assumed is said."""

import json

import pytest
from tests.key_folder import AT_DOCUMENT, CUSTOMER, KEY, ROLE, VENDOR, allow, make_key_folder, policy_of, tenant_policy
from tests.nitro_pki import PCRS, document, enclave_document, enclave_pki, good_pki, root_pem
from tests.unit.keypolicy.test_grant_list import ENTRY
from tests.verify_world import measured

from strongroom.crypto.public_keys import KeyKind


@pytest.fixture
def world(tmp_path, capsys):
    return make_key_folder(tmp_path, capsys)


def flags(answer):
    return {flag["code"]: flag for flag in answer["flags"]}


def test_an_attested_request_is_allowed_by_the_statement_that_opens(world):
    code, answer = world.ask("simulate", *world.document)
    assert code == 0
    assert (answer["ok"], answer["allowed"], answer["outcome"]) == (True, True, "allowed")
    assert (answer["decided_by"], answer["statement"]) == ("key policy", "Open1General")
    assert answer["by_kind"]["key policy"] == {"says": "allows", "statement": "Open1General"}
    assert answer["context"]["kms:recipientattestation:nitrotpmpcr4"] == [PCRS[4].hex()]
    assert (answer["key"], answer["action"]) == (KEY, "kms:Decrypt")


def test_without_a_document_it_is_denied_with_6(world):
    code, answer = world.ask("simulate")
    assert (code, answer["ok"], answer["allowed"], answer["statement"]) == (6, True, False, "DenyUnlessPcr2")
    assert world.ask("simulate", "--no-document")[0] == 6


def test_people_read_the_answer_who_says_what_and_what_was_assumed(world):
    code, out, _ = world.run("simulate", world.folder / "policy", "--key", KEY, "--caller", ROLE)
    assert code == 6
    assert out.splitlines()[:3] == [
        "denied: statement DenyUnlessPcr2 of the key policy denies kms:Decrypt",
        "  key policy: denies (DenyUnlessPcr2)",
        "  identity policy: allows (AssumedFullRights)",
    ]
    assert "note: no grants were looked at" in out


def test_rights_of_the_caller_are_assumed_loudly_where_the_answer_hangs_on_them(world):
    _, answer = world.ask("simulate", *world.document)
    assert flags(answer)["key.rights-assumed"]["severity"] == "warning"
    assert "AND THE ANSWER HANGS ON IT" in flags(answer)["key.rights-assumed"]["message"]
    _, answer = world.ask("simulate")
    assert flags(answer)["key.rights-assumed"]["severity"] == "note"


def test_rights_of_the_caller_as_they_are(world):
    code, answer = world.ask("simulate", *world.document, "--no-identity-policy")
    assert (code, answer["lacking"]) == (6, "identity policy")
    may = world.write("may", policy_of(allow(Sid="May")))
    not_this = world.write("not", policy_of(allow(Action="s3:*")))
    assert world.ask("simulate", *world.document, "--identity-policy", not_this)[0] == 6
    code, answer = world.ask("simulate", *world.document, "--identity-policy", not_this, "--identity-policy", may)
    assert code == 0
    assert answer["by_kind"]["identity policy"]["statement"] == "May"
    assert "key.rights-assumed" not in flags(answer)
    code, answer = world.ask("simulate", "--identity-policy", may, "--no-identity-policy")
    assert (code, answer["error"]["code"]) == (2, "key.identity-policy")


@pytest.mark.parametrize("option", ["--boundary", "--session-policy", "--scp", "--rcp", "--endpoint-policy"])
def test_every_policy_that_limits_is_asked(world, option):
    for_all = {"Principal": "*"} if option in {"--rcp", "--endpoint-policy"} else {}
    nothing = world.write("nothing", policy_of(allow(Action="s3:*", **for_all)))
    everything = world.write("everything", policy_of(allow(**for_all)))
    assert world.ask("simulate", *world.document, option, nothing)[0] == 6
    assert world.ask("simulate", *world.document, option, everything)[0] == 0


def test_policies_of_an_organization_hang_on_levels(world):
    nothing, everything = (
        world.write(name, policy_of(allow(Action=action))) for name, action in (("n", "s3:*"), ("e", "*"))
    )
    assert world.ask("simulate", *world.document, "--scp", nothing, "--scp", everything)[0] == 0
    assert world.ask("simulate", *world.document, "--scp", f"0:{everything}", "--scp", f"1:{nothing}")[0] == 6
    assert world.ask("simulate", *world.document, "--scp", f"0:{everything}", "--scp", f"1:{everything}")[0] == 0
    assert world.ask("simulate", "--scp", "")[1]["error"]["code"] == "key.level"


def test_grants_of_a_file(world):
    entry = ENTRY | {"KeyId": KEY, "GranteePrincipal": ROLE, "Constraints": {}}
    listed = world.write("grants", json.dumps({"Grants": [entry]}).encode())
    world.write("policy", policy_of(allow(Action="s3:*", Principal="*")))
    code, answer = world.ask("simulate", "--grants", listed, "--no-identity-policy")
    # The key's account made the grant: a grantee of another account needs his own IAM policies as well.
    assert (code, answer["lacking"]) == (6, "identity policy")
    code, answer = world.ask("simulate", "--grants", listed)
    assert (code, answer["decided_by"], answer["statement"]) == (0, "grant", ENTRY["GrantId"])
    assert "key.grants-unknown" not in flags(answer)


@pytest.mark.parametrize(
    ("caller", "named"),
    [(ROLE, ROLE), (f"arn:aws:sts::{CUSTOMER}:assumed-role/app/i-1", ROLE), (f"arn:aws:iam::{CUSTOMER}:user/u", None)],
)
def test_the_caller_in_each_form(world, caller, named):
    code, answer = world.ask("simulate", *world.document, caller=caller)
    assert code == 0
    assert answer["context"]["aws:principalarn"] == [named or caller]


def test_the_account_and_its_root_user(world):
    code, answer = world.ask(
        "simulate", *world.document, "--no-identity-policy", caller=f"arn:aws:iam::{CUSTOMER}:root"
    )
    assert (code, flags(answer).get("key.rights-assumed")) == (0, None)
    assert world.ask("simulate", *world.document, caller=CUSTOMER)[0] == 0
    assert world.ask("simulate", *world.document, caller=VENDOR)[0] == 6


def test_any_other_condition_key(world):
    asked = allow(Principal="*", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})
    several = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}
    world.write("policy", policy_of(asked, allow(Principal="*", Action="kms:Sign", Condition=several)))
    assert world.ask("simulate")[0] == 6
    code, answer = world.ask("simulate", "--set", "aws:SourceVpce=vpce-1")
    assert code == 0
    assert "aws:sourceip" not in answer["context"]
    paths = ("--set", "aws:PrincipalOrgPaths=o-2/", "--set", "aws:PrincipalOrgPaths=o-1/r/")
    assert world.ask("simulate", "--action", "Sign", *paths, context={})[0] == 0
    via = allow(Principal="*", Condition={"StringEquals": {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"}})
    world.write("policy", policy_of(via))
    assert world.ask("simulate", "--via-service", "ec2.eu-central-1.amazonaws.com")[0] == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("aws:SourceVpce", "key.set"),
        ("aws:Nonsense=x", "key.set"),
        ("aws:PrincipalArn=x", "key.set"),
        ("kms:RecipientAttestation:NitroTPMPCR4=00", "key.set"),
        ("kms:EncryptionContext:a=b", "key.set"),
        ("aws:CurrentTime=2026-01-01", "key.set"),
        ("aws:SourceIp=nowhere", "keypolicy.request-context"),
        ("kms:SigningAlgorithm=x", "keypolicy.request-context"),
    ],
)
def test_a_condition_key_that_cannot_be_set_is_refused(world, text, code):
    exit_code, answer = world.ask("simulate", "--set", text)
    assert (exit_code, answer["error"]["code"]) == (2, code)


def test_a_document_is_verified_before_it_is_used(world):
    code, answer = world.ask("simulate", "--document", world.folder / "document")
    assert (code, answer["error"]["code"]) == (4, "chain.unknown-root")
    flipped = bytearray((world.folder / "document").read_bytes())
    flipped[-1] ^= 1
    world.write("document", bytes(flipped))
    assert world.ask("simulate", *world.document)[0] == 4


def test_a_document_is_verified_as_of_its_own_time_or_of_the_one_given(world):
    code, answer = world.ask("simulate", *world.document)
    assert code == 0
    assert "above five minutes" in flags(answer)["key.document-age"]["message"]
    code, answer = world.ask("simulate", *world.document, "--at", "document")
    assert (code, "key.document-age" in flags(answer)) == (0, False)
    assert answer["context"]["aws:currenttime"] == ["2026-06-01T12:00:00Z"]
    assert world.ask("simulate", *world.document, *AT_DOCUMENT)[0] == 0
    assert world.ask("simulate", *world.document, "--at", "2031-01-01T00:00:00Z")[1]["error"]["code"].startswith(
        "chain."
    )
    assert world.ask("simulate", "--at", "document")[1]["error"]["code"] == "key.no-document-time"


def test_a_document_that_kms_could_not_answer_is_flagged(world):
    world.write("document", bytes(document(good_pki(), public_key=None)))
    _, answer = world.ask("simulate", *world.document)
    assert flags(answer)["key.document-key"]["message"].endswith("its public key is none")
    world.write("document", bytes(document(good_pki(), public_key=b"no key")))
    assert KeyKind.UNREADABLE in flags(world.ask("simulate", *world.document)[1])["key.document-key"]["message"]


def test_a_document_as_an_image_would_give(world):
    images = world.write("measurements", json.dumps(measured()).encode())
    code, answer = world.ask("simulate", "--measurements", images)
    assert code == 0
    assert "key.document-as-measured" in flags(answer)
    other = world.write("measurements", json.dumps(measured(PCR4="11" * 48)).encode())
    assert world.ask("simulate", "--measurements", other)[1]["statement"] == "DenyUnlessPcr4"


def test_a_document_of_an_enclave_has_other_keys(world):
    pki = enclave_pki()
    world.write("root", root_pem(pki))
    world.write("document", bytes(enclave_document(pki)))
    code, answer = world.ask("simulate", *world.document, "--enclave")
    assert code == 6
    names = [key for key in answer["context"] if "recipientattestation" in key]
    assert names
    assert not [name for name in names if "nitrotpm" in name]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--no-document", "--measurements", "m"), "key.which-document"),
        (("--enclave",), "key.which-document"),
        (("--root", "root"), "key.which-document"),
        (("--action", "kms:Fly"), "keypolicy.request-action"),
        (("--context", '{"strongroom:tenant": "twice"}'), "usage.map"),
        (("--caller", "nobody"), "key.caller"),
        (("--at", "later"), "verify.time"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(world, words, code):
    exit_code, answer = world.ask("simulate", *words)
    assert (exit_code, answer["error"]["code"]) == (2, code)


def test_a_caller_and_the_key_of_a_file_have_to_be_named(world):
    for words, wanted in ((("--key", KEY), "key.no-caller"), (("--caller", ROLE), "key.no-arn")):
        code, out, _ = world.run("simulate", world.folder / "policy", *words, "--json")
        assert (code, json.loads(out)["error"]["code"]) == (2, wanted)


def test_an_operation_without_a_key_leaves_the_key_policy_out(world):
    code, answer = world.ask("simulate", "--action", "GenerateRandom", context={})
    assert (code, answer["decided_by"], answer["key"]) == (0, "identity policy", None)
    assert "key.no-key-used" in flags(answer)


def test_a_condition_that_is_not_known_is_flagged_and_denies(world):
    world.write("policy", policy_of(allow(Sid="New", Principal="*", Condition={"StringEquals": {"kms:New": "x"}})))
    code, answer = world.ask("simulate")
    assert code == 6
    assert flags(answer)["key.condition-unread"]["message"].startswith("New: ")


def test_a_policy_of_other_pcrs_denies_the_same_document(world):
    world.write("policy", tenant_policy({**PCRS, 12: b"c" * 48, 4: b"4" * 48} | {12: bytes(48)}).encode())
    assert world.ask("simulate", *world.document)[1]["statement"] == "DenyUnlessPcr4"


def test_condition_keys_that_nobody_gave_are_named_where_they_could_matter(world):
    deny = allow(Effect="Deny", Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-bad"}})
    signing = deny | {"Action": "kms:Sign", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    world.write("policy", policy_of(allow(Principal="*"), deny, signing))
    code, answer = world.ask("simulate")
    unknown = flags(answer)["key.facts-unknown"]
    assert (code, unknown["severity"]) == (0, "warning")
    assert unknown["message"].startswith("the policies ask for aws:PrincipalOrgID, which ")
    code, answer = world.ask("simulate", "--set", "aws:PrincipalOrgID=o-bad")
    assert (code, "key.facts-unknown" in flags(answer)) == (6, False)


def test_policies_that_may_still_deny_are_remembered_where_the_answer_is_yes(world):
    everything = world.write("everything", policy_of(allow()))
    assert "key.limits-unknown" in flags(world.ask("simulate", *world.document)[1])
    assert "key.limits-unknown" not in flags(world.ask("simulate", *world.document, "--scp", everything)[1])
    assert "key.limits-unknown" not in flags(world.ask("simulate")[1])


def test_a_condition_that_is_not_known_in_an_iam_policy_is_flagged(world):
    own = world.write("own", policy_of(allow(Sid="Mine", Condition={"StringEquals": {"kms:New": "x"}})))
    code, answer = world.ask("simulate", *world.document, "--identity-policy", own)
    assert code == 6
    assert flags(answer)["key.condition-unread"]["message"].startswith("Mine: ")


def test_nothing_is_taken_for_granted_of_a_key_that_signs(world):
    spec = allow(Principal="*", Condition={"StringEquals": {"kms:KeySpec": "ECC_NIST_P384"}})
    world.write("policy", policy_of(spec))
    code, answer = world.ask("simulate", "--action", "Sign", context={})
    assert (code, "kms:KeySpec" in flags(answer)["key.facts-unknown"]["message"]) == (6, True)
    assert world.ask("simulate", "--action", "Sign", "--set", "kms:KeySpec=ECC_NIST_P384", context={})[0] == 0
