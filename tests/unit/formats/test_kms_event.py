# SPDX-License-Identifier: Apache-2.0
"""CloudTrail's records of calls to KMS, in the shapes in which people have them."""

import base64
import json

import pytest

from strongroom.errors import FormatError
from strongroom.formats.kms_event import MAX_EVENT_BYTES, parse_kms_events

KEY = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::111122223333:role/path/app"
PCR4 = bytes(range(48))
EVENT = {
    "eventVersion": "1.11",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Decrypt",
    "eventTime": "2026-11-22T12:00:00Z",
    "eventID": "e-1",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "192.0.2.1",
    "userAgent": "aws-cli",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLEEXAMPLE12:i-1",
        "arn": "arn:aws:sts::111122223333:assumed-role/app/i-1",
        "accountId": "111122223333",
        "sessionContext": {"sessionIssuer": {"arn": ROLE, "principalId": "AROAEXAMPLEEXAMPLE12"}},
    },
    "requestParameters": {"keyId": KEY, "encryptionContext": {"strongroom:tenant": "globex"}},
    "responseElements": None,
    "resources": [{"accountId": "444455556666", "type": "AWS::KMS::Key", "ARN": KEY}],
    "additionalEventData": {"recipient": {"attestationDocumentNitroTPMPCR4": PCR4.hex()}},
}


def parse(value):
    return parse_kms_events(json.dumps(value).encode())


def event(**changes):
    (found,) = parse({**EVENT, **changes})
    return found


def recipient(**members):
    return event(additionalEventData={"recipient": members})


def test_an_allowed_call():
    found = event()
    assert (found.event_id, found.operation, found.region, found.denied) == ("e-1", "Decrypt", "eu-central-1", False)
    assert (found.account, found.role_arn, found.caller_id) == ("111122223333", ROLE, "AROAEXAMPLEEXAMPLE12")
    assert found.caller_arn.endswith(":assumed-role/app/i-1")
    assert (found.key_arn, found.context) == (KEY, {"strongroom:tenant": "globex"})
    assert found.tpm_pcrs is not None
    assert dict(found.tpm_pcrs) == {4: PCR4}
    assert found.enclave_pcrs is None
    assert found.time.isoformat() == "2026-11-22T12:00:00+00:00"


def test_a_denied_call_shows_no_document():
    found = event(errorCode="AccessDenied", errorMessage="User: …", additionalEventData=None, resources=None)
    assert (found.denied, found.tpm_pcrs, found.key_arn) == (True, None, KEY)
    other = event(errorCode="InvalidCiphertextException")
    assert (other.denied, other.allowed) == (False, False)
    assert event(errorCode="DryRunOperationException").allowed
    assert (event().attested, found.attested) == (True, False)
    assert event(errorCode="AccessDeniedException").denied


def test_pcrs_in_hex_and_in_base64_are_the_same():
    written = base64.b64encode(PCR4).decode()
    assert recipient(attestationDocumentNitroTPMPCR4=written).tpm_pcrs == event().tpm_pcrs


def test_the_digest_of_an_enclaves_image_is_its_pcr0():
    found = recipient(attestationDocumentEnclaveImageDigest=PCR4.hex(), attestationDocumentEnclavePCR8="00" * 48)
    assert found.enclave_pcrs is not None
    assert dict(found.enclave_pcrs) == {0: PCR4, 8: bytes(48)}
    assert found.tpm_pcrs is None


def test_the_record_that_another_account_gets_names_no_caller():
    found = event(
        userIdentity={"type": "AWSAccount", "principalId": "AROAEXAMPLEEXAMPLE12:s", "accountId": "111122223333"}
    )
    assert (found.caller_arn, found.role_arn, found.caller_id) == ("", "", "AROAEXAMPLEEXAMPLE12")


def test_a_key_that_was_named_otherwise_is_found_among_the_resources_or_not_at_all():
    assert event(requestParameters={"keyId": "alias/app"}).key_arn == KEY
    assert event(requestParameters={"keyId": "alias/app"}, resources=[]).key_arn == ""
    assert event(requestParameters=None, resources=None).key_arn == ""


@pytest.mark.parametrize(
    "shape",
    [
        lambda body: body,
        lambda body: [body],
        lambda body: {"Records": [body]},
        lambda body: {"CloudTrailEvent": json.dumps(body), "EventId": "e-1"},
        lambda body: {"Events": [{"CloudTrailEvent": json.dumps(body)}]},
    ],
)
def test_the_shapes_in_which_people_have_them(shape):
    assert parse(shape(EVENT)) == (event(),)


def test_calls_to_other_services_are_left_out():
    other = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}
    assert parse([other, EVENT]) == (event(),)
    assert parse({"eventName": "none"}) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"eventTime": "yesterday"}, "kms-event.time"),
        ({"eventTime": "2026-11-22T12:00:00"}, "kms-event.time"),
        ({"eventTime": "9999-12-31T23:59:59-01:00"}, "kms-event.time"),
        ({"awsRegion": "here"}, "field.pattern"),
        ({"userIdentity": None}, "field.wrong-type"),
        ({"requestParameters": {"encryptionContext": {"a": 1}}}, "field.wrong-type"),
        ({"additionalEventData": {"recipient": {"attestationDocumentNitroTPMPCR4": "00"}}}, "kms-event.pcr"),
        ({"additionalEventData": {"recipient": {"attestationDocumentNitroTPMPCR4": "zz" * 48}}}, "kms-event.pcr"),
        ({"additionalEventData": {"recipient": {"attestationDocumentNitroTPMPCR4": "!" * 64}}}, "kms-event.pcr"),
        ({"additionalEventData": {"recipient": {"attestationDocumentNitroTPMPCR40": "00" * 48}}}, "pcr.index"),
    ],
)
def test_what_is_malformed_is_refused(changes, code):
    with pytest.raises(FormatError) as refused:
        event(**changes)
    assert refused.value.code == code


@pytest.mark.parametrize("missing", ["eventName", "eventTime", "awsRegion", "userIdentity"])
def test_what_is_missing_is_refused(missing):
    with pytest.raises(FormatError, match=missing):
        parse({name: value for name, value in EVENT.items() if name != missing})


def test_no_json_and_too_much_of_it_are_refused():
    for data in (b"", b"1", b" " * (MAX_EVENT_BYTES + 1), b'{"Events": [{}]}'):
        with pytest.raises(FormatError):
            parse_kms_events(data)
