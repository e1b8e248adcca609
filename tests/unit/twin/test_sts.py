# SPDX-License-Identifier: Apache-2.0
"""AssumeRole: whom a role trusts, what a session may, and when it ends."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from tests.twin_world import CUSTOMER, VENDOR, client
from tests.unit.twin.test_iam import DESCRIBE, ROOT, Place, refused, trust

from strongroom.twin.clock import OffsetClock
from strongroom.twin.server import Twin

ADMIN = f"arn:aws:iam::{CUSTOMER}:user/admin"
STRANGER = f"arn:aws:iam::{VENDOR}:root"
ASSUME = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
)


@pytest.fixture(scope="module")
def place():
    with Twin(clock=OffsetClock()) as twin:
        yield Place(twin)


@pytest.fixture
def role(place):
    """Make a role that trusts somebody; it is named after the test."""
    made = []

    def make(document, *, account=CUSTOMER):
        from strongroom.twin.accounts import PrincipalKind

        name = f"role-{len(place.twin.directory.unique_ids())}"
        made.append(name)
        place.twin.directory.create_principal(account, PrincipalKind.ROLE, name, policies=[DESCRIBE], trust=document)
        return name

    return make


def test_a_session_has_the_roles_policies_and_its_own_name(place, role):
    name = role(trust(ROOT))
    session = place.session(name, name="night.shift")
    arn = f"arn:aws:sts::{CUSTOMER}:assumed-role/{name}/night.shift"
    assert session["AssumedRoleUser"]["Arn"] == arn
    assert place.as_session("sts", session).get_caller_identity()["Arn"] == arn
    assert place.describes(place.as_session("kms", session))


def test_a_trusted_account_leaves_it_to_the_callers_policies(place, role):
    name = role(trust(ROOT))
    assert refused(place.session, role=name, who=place.nobody) == "AccessDenied"
    place.session(name)


def test_who_is_named_needs_no_policy_in_his_own_account(place, role):
    place.session(role(trust(f"arn:aws:iam::{CUSTOMER}:user/nobody")), who=place.nobody)


def test_another_account_needs_both(place, role):
    open_to_vendor = role(trust(STRANGER))
    place.session(open_to_vendor, who=place.vendor)
    weak = place.twin.create_user(VENDOR, "weak", policies=[])
    assert refused(place.session, role=open_to_vendor, who=weak) == "AccessDenied"
    named = role(trust(f"arn:aws:iam::{VENDOR}:user/weak"))
    assert refused(place.session, role=named, who=weak) == "AccessDenied"
    able = place.twin.create_user(VENDOR, "able", policies=[ASSUME])
    place.session(role(trust(f"arn:aws:iam::{VENDOR}:user/able")), who=able)


def test_who_is_not_trusted_is_refused_like_who_asks_for_what_is_not_there(place, role):
    name = role(trust(ADMIN))
    assert refused(place.session, role=name, who=place.vendor) == "AccessDenied"
    assert refused(place.session, role="not-there") == "AccessDenied"
    assert refused(place.session, role="app") == "AccessDenied"


def test_a_condition_that_is_not_understood_keeps_an_allow_from_applying(place, role):
    name = role(trust(ROOT, Condition={"StringEquals": {"sts:ExternalId": "42"}}))
    assert refused(place.session, role=name, ExternalId="42") == "AccessDenied"


def test_a_condition_on_the_caller_counts(place, role):
    def condition(arn):
        return {"Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}}

    place.session(role(trust(ROOT, **condition(ADMIN))))
    assert refused(place.session, role=role(trust(ROOT, **condition(STRANGER)))) == "AccessDenied"


def test_a_deny_in_the_trust_policy_wins(place, role):
    document = json.loads(trust(ROOT))
    document["Statement"].append({"Effect": "Deny", "Principal": {"AWS": ADMIN}, "Action": "sts:*"})
    assert refused(place.session, role=role(json.dumps(document))) == "AccessDenied"


@pytest.mark.parametrize(
    "parameters",
    [
        {"DurationSeconds": 3601},
        {"Policy": DESCRIBE},
        {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"SourceIdentity": "me"},
        {"SerialNumber": f"arn:aws:iam::{CUSTOMER}:mfa/me", "TokenCode": "123456"},
        {"name": "a b"},
        {"role": f"arn:aws:iam::{CUSTOMER}:user/admin"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_would_be_ignored_is_refused(place, role, parameters):
    call = {"role": role(trust(ROOT))} | parameters
    assert refused(place.session, **call) == "ValidationError"


def test_a_session_ends_when_it_says(place, role):
    session = place.session(role(trust(ROOT)), DurationSeconds=900)
    end = session["Credentials"]["Expiration"]
    assert abs(end - datetime.now(UTC) - timedelta(seconds=900)) < timedelta(seconds=5)
    found = place.twin.directory.credentials(session["Credentials"]["AccessKeyId"])
    assert found.issued_at == found.expires - timedelta(seconds=900)
    later = datetime.now(UTC) + timedelta(seconds=901)
    from strongroom.twin.fault import SignatureFault
    from strongroom.twin.sigv4 import SignedCall, _expect_token

    with pytest.raises(SignatureFault, match="expired"):
        _expect_token(SignedCall("POST", "/", "", {"x-amz-security-token": found.session_token}, b""), found, later)


def test_a_parameter_that_stands_twice_is_refused(place):
    from tests.unit.twin.test_endpoint import send, signed

    place.customer = place.admin
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = signed(place, "sts", body=b"Action=GetCallerIdentity&Action=AssumeRole", **form)
    assert b"<Code>MalformedInput</Code>" in send(request)[1]


def test_what_sts_has_not_is_named(place):
    with pytest.raises(ClientError, match="knows AssumeRole and GetCallerIdentity"):
        client(place.twin, "sts", place.admin).get_session_token()
