# SPDX-License-Identifier: Apache-2.0
"""`strongroom key explain`: a request, a saved console, a record of CloudTrail; as text and as JSON."""

import json

import pytest
from tests.key_folder import CONTEXT, CUSTOMER, KEY, ROLE, VENDOR, allow, make_key_folder, policy_of, tenant_policy
from tests.nitro_pki import NOW, PCR4, PCRS, document, good_pki
from tests.unit.cli.test_key_simulate import flags
from tests.unit.formats.test_kms_event import EVENT
from tests.unit.keypolicy.test_grant_list import ENTRY

from strongroom.formats.console import encode_failure, encode_receipt
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.pcrs import GATES, PcrDigests

OTHER = "11" * 48
DENIES = "statement DenyUnlessPcr4 of the key policy denies kms:Decrypt"
SESSION = f"arn:aws:sts::{CUSTOMER}:assumed-role/app/i-1"


@pytest.fixture
def world(tmp_path, capsys):
    return make_key_folder(tmp_path, capsys)


def codes(answer):
    return [reason["code"] for reason in answer["reasons"]]


def test_an_allowed_request_says_that_the_document_decides(world):
    code, answer = world.ask("explain", *world.document)
    assert (code, answer["ok"], answer["allowed"]) == (0, True, True)
    assert codes(answer) == ["decision.allowed", "decision.document-decides"]
    assert answer["changes"] == []


def test_an_allowed_request_that_needs_no_document_is_warned_about(world):
    world.write("policy", policy_of(allow(Principal="*")))
    code, answer = world.ask("explain", *world.document)
    (warning,) = (each for each in answer["reasons"] if each["code"] == "decision.document-not-needed")
    assert (code, warning["severity"]) == (0, "warning")
    code, out, _ = world.run("explain", world.folder / "policy", "--key", KEY, "--caller", ROLE)
    assert (
        "  warning decision.document-not-needed:\n      no document was sent, and it is allowed all the same\n" in out
    )


def test_another_pcr_is_named_with_what_was_expected_and_seen(world):
    world.write("policy", tenant_policy({**PCRS, 4: bytes.fromhex(OTHER)}).encode())
    code, answer = world.ask("explain", *world.document)
    assert code == 6
    first = answer["reasons"][0]
    assert (first["code"], first["statement"], first["pcr"]) == ("decision.pcr", "DenyUnlessPcr4", 4)
    assert (first["expected"], first["seen"]) == ([OTHER], [PCR4.hex()])
    assert answer["statement"] == first["statement"]
    (change,) = (each for each in answer["changes"] if each["kind"] == "document")
    assert change["facts"] == [
        {"key": "kms:recipientattestation:nitrotpmpcr4", "before": [PCR4.hex()], "after": [OTHER]}
    ]


def test_people_read_reasons_remedies_and_changes(world):
    world.write("policy", tenant_policy({**PCRS, 4: bytes.fromhex(OTHER)}).encode())
    words = [world.folder / "policy", "--key", KEY, "--caller", ROLE, "--context", json.dumps(CONTEXT)]
    code, out, _ = world.run("explain", *words, *world.document)
    assert code == 6
    lines = out.splitlines()
    assert lines[:5] == [
        "Denied: statement DenyUnlessPcr4 of the key policy denies kms:Decrypt.",
        "  decision.pcr:",
        f"      {DENIES}: NitroTPMPCR4 is 00010203… and not 11111111… (StringNotEqualsIgnoreCase)",
        f"        expected {OTHER}",
        f"        seen     {PCR4.hex()}",
    ]
    assert lines[5].startswith(
        "      -> Run `strongroom explain --measurements REFERENCE --document DOCUMENT`: it says"
    )
    assert "It would be allowed with" in lines
    assert "  - a NitroTPM document with NitroTPMPCR4 11111111… instead of 00010203… (by Open1General)" in lines


def test_where_several_things_are_wrong_they_are_named_together(world):
    code, out, _ = world.run("explain", world.folder / "policy", "--key", KEY, "--caller", ROLE)
    assert code == 6
    assert "No single change would allow it. It would be allowed with\n  - all of this together: " in out


def test_many_changes_are_cut_for_people_and_whole_in_json(world):
    values = [f"{n:02x}" * 48 for n in range(1, 10)]
    pcr = "kms:RecipientAttestation:NitroTPMPCR4"
    world.write(
        "policy",
        policy_of(*(allow(Principal="*", Condition={"StringEquals": {pcr: value}}) for value in values)),
    )
    _, out, _ = world.run("explain", world.folder / "policy", "--key", KEY, "--caller", ROLE)
    assert "  - and 3 more; --json lists them all" in out
    assert len(world.ask("explain")[1]["changes"]) == 9


def test_a_list_of_many_expected_values_is_cut_for_people(world):
    values = [f"{n:02x}" * 48 for n in range(1, 10)]
    condition = {"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": values}}
    world.write("policy", policy_of(allow(Principal="*", Condition=condition)))
    _, out, _ = world.run("explain", world.folder / "policy", "--key", KEY, "--caller", ROLE, *world.document)
    assert "names one of 9 values" in out
    assert f"        expected {', '.join(values[:3])} and 6 more\n" in out


def test_grants_that_would_have_allowed(world):
    entry = ENTRY | {"KeyId": KEY, "GranteePrincipal": ROLE, "Constraints": {"EncryptionContextEquals": {"a": "b"}}}
    listed = world.write("grants", json.dumps({"Grants": [entry]}).encode())
    world.write("policy", policy_of(allow(Principal="*", Action="s3:*")))
    code, answer = world.ask("explain", "--grants", listed)
    assert code == 6
    assert "decision.grant-constraint" in codes(answer)
    assert [change["kind"] for change in answer["changes"]] == ["encryption-context"]


# --- a saved console


def printed(code="kms.access-denied", pcrs=PCRS):
    measured = PcrDigests.of({index: pcrs[index] for index in GATES})
    return encode_failure(ConsoleFailure(code, "", measured))


def test_the_failure_on_a_console_is_compared_with_the_policy(world):
    other = {**PCRS, 4: bytes.fromhex(OTHER)}
    console = world.write("console", printed(pcrs=other))
    code, answer = world.ask("explain", "--console", console)
    assert (code, answer["statement"]) == (6, "DenyUnlessPcr4")
    assert answer["reasons"][0]["seen"] == [OTHER]
    assert flags(answer)["key.console-unsigned"]["severity"] == "warning"
    assert flags(answer)["key.console-failure"]["severity"] == "note"


def test_the_last_refusal_of_kms_counts_before_later_failures(world):
    other = {**PCRS, 4: bytes.fromhex(OTHER)}
    console = world.write("console", printed(pcrs=other) + printed("bundle.expired"))
    assert world.ask("explain", "--console", console)[1]["reasons"][0]["seen"] == [OTHER]
    world.write("console", printed("bundle.expired"))
    code, answer = world.ask("explain", "--console", console)
    assert code == 0
    assert "bundle.expired, which is not KMS's refusal" in flags(answer)["key.console-failure"]["message"]


def test_a_console_without_a_failure_is_refused_and_its_receipt_is_a_document(world):
    receipt = world.write("console", encode_receipt(document(good_pki())))
    code, answer = world.ask("explain", "--console", receipt)
    assert (code, answer["error"]["code"]) == (3, "key.no-failure")
    assert world.ask("explain", "--document", receipt, "--root", world.folder / "root")[0] == 0


# --- a record of CloudTrail


def record(**changes):
    identity = {**EVENT["userIdentity"], "arn": SESSION, "sessionContext": {"sessionIssuer": {"arn": ROLE}}}
    parameters = {"keyId": KEY, "encryptionContext": CONTEXT}
    shown = {"attestationDocumentNitroTPMPCR4": PCR4.hex()}
    mine = {"userIdentity": identity, "requestParameters": parameters, "additionalEventData": {"recipient": shown}}
    resources = [{"accountId": VENDOR, "type": "AWS::KMS::Key", "ARN": KEY}]
    return {**EVENT, **mine, "resources": resources, "eventTime": NOW.isoformat(), **changes}


def denied(**changes):
    return record(errorCode="AccessDenied", errorMessage="no", additionalEventData=None, **changes)


def about(world, event, *more):
    path = world.write("event", json.dumps(event).encode())
    code, out, err = world.run("explain", world.folder / "policy", "--event", path, *more, "--json")
    assert not err
    return code, json.loads(out)


def test_an_allowed_call_is_explained_with_the_pcrs_that_cloudtrail_shows(world):
    code, answer = about(world, record())
    assert (code, answer["statement"], answer["event"]["agrees"]) == (0, "Open1General", True)
    assert "PCR 2, 12, 13" in flags(answer)["key.event-unseen-pcrs"]["message"]
    assert "AND THE ANSWER HANGS ON IT" in flags(answer)["key.rights-assumed"]["message"]
    assert (answer["caller"], answer["key"]) == (SESSION, KEY)
    assert answer["context"]["aws:currenttime"] == ["2026-06-01T12:00:00Z"]
    assert answer["context"]["aws:sourceip"] == ["192.0.2.1"]


def test_an_allowed_call_with_another_pcr_than_the_policy_names_disagrees(world):
    world.write("policy", tenant_policy({**PCRS, 4: bytes.fromhex(OTHER)}).encode())
    code, answer = about(world, record())
    assert (code, answer["event"]["agrees"]) == (6, False)
    assert answer["reasons"][0]["code"] in {"decision.no-document", "decision.pcr-absent", "decision.pcr"}


def test_a_denied_call_shows_no_document_and_is_explained_with_the_one_given(world):
    code, answer = about(world, denied())
    assert (code, answer["event"]["agrees"]) == (6, True)
    assert "key.event-document-unknown" in flags(answer)
    code, answer = about(world, denied(), *world.document)
    assert (code, answer["event"]["agrees"], answer["event"]["message"]) == (0, False, "no")
    assert "key.event-document-unknown" not in flags(answer)


def test_people_read_whether_cloudtrail_agrees(world):
    path = world.write("event", json.dumps(denied()).encode())
    _, out, _ = world.run("explain", world.folder / "policy", "--event", path)
    assert "\nCloudTrail: denied: no\n" in out
    _, out, _ = world.run("explain", world.folder / "policy", "--event", path, *world.document)
    assert "\nCloudTrail: denied: no\n" in out
    assert "  WARNING key.event-differs: KMS decided otherwise when it was asked" in out


def test_a_call_through_an_endpoint_or_a_service(world):
    _, answer = about(world, record(vpcEndpointId="vpce-1"))
    assert answer["context"]["aws:sourcevpce"] == ["vpce-1"]
    assert "aws:sourceip" not in answer["context"]
    identity = record()["userIdentity"] | {"invokedBy": "ec2.amazonaws.com"}
    _, answer = about(world, record(userIdentity=identity, sourceIPAddress="ec2.amazonaws.com"))
    assert answer["context"]["kms:viaservice"] == ["ec2.eu-central-1.amazonaws.com"]
    assert "aws:sourceip" not in answer["context"]


def test_an_error_that_is_no_policys_word_is_flagged_and_differs_from_nothing(world):
    code, answer = about(world, record(errorCode="InvalidCiphertextException", additionalEventData=None))
    assert "InvalidCiphertextException" in flags(answer)["key.event-other-error"]["message"]
    assert (code, answer["event"]["agrees"]) == (6, True)
    _, answer = about(world, record(errorCode="DryRunOperationException", additionalEventData=None), *world.document)
    assert (answer["allowed"], answer["event"]["agrees"]) == (True, True)
    assert "key.event-other-error" not in flags(answer)


def test_an_allowed_call_without_a_document_is_not_taken_for_one_with_it(world):
    code, answer = about(world, record(additionalEventData=None))
    assert (code, answer["event"]["agrees"]) == (6, False)
    assert "key.event-differs" in flags(answer)
    assert "key.event-unseen-pcrs" not in flags(answer)


def test_a_call_of_another_account_needs_the_caller_named(world):
    foreign = {"type": "AWSAccount", "principalId": "AROAEXAMPLEEXAMPLE12:i-1", "accountId": CUSTOMER}
    code, answer = about(world, record(userIdentity=foreign))
    assert (code, answer["error"]["code"]) == (2, "key.no-caller")
    assert about(world, record(userIdentity=foreign), "--caller", ROLE)[0] == 0


def test_one_of_several_calls_is_chosen_by_its_id(world):
    both = [record(), denied(eventID="e-2")]
    code, answer = about(world, both)
    assert (code, answer["error"]["code"]) == (2, "key.which-event")
    assert about(world, both, "--event-id", "e-2")[0] == 6
    assert about(world, both, "--event-id", "e-3")[1]["error"]["code"] == "key.which-event"


def test_an_event_about_another_key_is_refused(world):
    other = [{"ARN": f"{KEY}0"}]
    assert about(world, record(resources=other), "--key", KEY)[1]["error"]["code"] == "key.event-other-key"
    silent = record(resources=[], requestParameters={"encryptionContext": CONTEXT})
    assert about(world, silent)[1]["error"]["code"] == "key.no-arn"
    assert about(world, silent, "--key", KEY)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "now"),
        ("--via-service", "ec2.eu-central-1.amazonaws.com"),
        ("--action", "Encrypt"),
        ("--context", "a=b"),
        ("--console", "c"),
    ],
)
def test_what_the_event_says_cannot_be_said_otherwise(world, words):
    code, answer = about(world, record(), *words)
    assert (code, answer["error"]["code"].startswith("key.which-")) == (2, True)


def test_an_id_needs_an_event_and_a_console_stands_alone(world):
    console = world.write("console", printed())
    for words in (("--event-id", "e"), ("--console", console, "--no-document")):
        code, answer = world.ask("explain", *words)
        assert (code, answer["error"]["code"].startswith("key.which-")) == (2, True)


def test_a_call_that_asks_for_two_actions_is_refused(world):
    code, answer = about(world, record(eventName="ReEncrypt"))
    assert (code, answer["error"]["code"]) == (2, "keypolicy.request-action")
