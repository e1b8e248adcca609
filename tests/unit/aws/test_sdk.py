# SPDX-License-Identifier: Apache-2.0
"""The vendor's adapters over boto3, against the twin; nothing of boto3 gets out but errors of ours."""

import json

import pytest
from botocore.stub import Stubber
from tests.twin_world import CONTEXT, SECRET, VENDOR
from tests.twin_world import world as running_world

from strongroom.aws.sdk.key_inventory import SdkKeyInventory
from strongroom.aws.sdk.kms import SdkEscrowKms, SdkKeyAdmin, SdkSealingKms
from strongroom.aws.sdk.session import AwsSession
from strongroom.aws.sdk.trial import SdkTrialKms
from strongroom.errors import KeyRefused, NotAuthentic, NotTrusted, ServiceFault, UsageError
from strongroom.ids import KeyArn, WrappedKey

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "All",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)


@pytest.fixture(scope="module")
def world():
    with running_world() as running:
        yield running


@pytest.fixture
def profile(world, tmp_path, monkeypatch):
    """The vendor's access key in a profile, as a person has it, and nothing else of this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    keys = world.vendor
    text = f"[vendor]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key}\n"
    (tmp_path / "credentials").write_text(text)
    (tmp_path / "config").write_text(f"[profile vendor]\nregion = {world.twin.region}\n[profile empty]\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return "vendor"


@pytest.fixture
def session(world, profile):
    return AwsSession(profile=profile, endpoint_url=world.twin.endpoint_url)


@pytest.fixture
def key(session):
    return SdkKeyAdmin(session.kms()).create_key(policy=POLICY, description="a key", tags={}).arn


def refused(code, error, call, *arguments, **parameters):
    with pytest.raises(error) as caught:
        call(*arguments, **parameters)
    assert caught.value.code == code
    return caught.value


def test_profile_region_and_endpoint_come_as_in_the_aws_cli(world, profile, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.twin.endpoint_url)
    monkeypatch.setenv("AWS_PROFILE", profile)
    session = AwsSession()
    assert session.region == "eu-central-1"
    assert session.identity().arn == f"arn:aws:iam::{VENDOR}:user/release"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert AwsSession().region == "us-west-2"
    assert AwsSession(region="eu-west-1").region == "eu-west-1"


def test_sealing_and_escrow_agree(session, key):
    blob = SdkSealingKms(session.kms()).encrypt(SECRET, key_arn=key, context=CONTEXT)
    escrow = SdkEscrowKms(session.kms())
    assert escrow.decrypt_unattested(blob, key_arn=key, context=CONTEXT) == SECRET
    wrong = {"key_arn": key, "context": {}}
    refused("kms.invalid-ciphertext", KeyRefused, escrow.decrypt_unattested, blob, **wrong)


def test_what_kms_refuses_is_a_refusal(world, session, key):
    seal = SdkSealingKms(session.kms())
    missing = KeyArn(key[:-12] + "0" * 12)
    refused("kms.key-unusable", KeyRefused, seal.encrypt, b"x", key_arn=missing, context={})
    refused("kms.invalid-request", KeyRefused, seal.encrypt, bytes(4097), key_arn=key, context={})
    escrow = SdkEscrowKms(session.kms())
    blob = WrappedKey(world.blob)
    gated = KeyArn(world.key_arn)
    refused("kms.access-denied", KeyRefused, escrow.decrypt_unattested, blob, key_arn=gated, context=CONTEXT)
    refused("kms.incorrect-key", KeyRefused, escrow.decrypt_unattested, blob, key_arn=key, context=CONTEXT)


def test_keys_are_administered(session, key):
    admin = SdkKeyAdmin(session.kms())
    facts = admin.describe_key(key)
    assert (facts.arn, facts.enabled, facts.state) == (key, True, "Enabled")
    assert (facts.origin, facts.multi_region) == ("AWS_KMS", False)
    assert json.loads(admin.key_policy(key)) == json.loads(POLICY)
    renamed = POLICY.replace('"All"', '"Everything"')
    admin.put_key_policy(key, renamed)
    assert json.loads(admin.key_policy(key)) == json.loads(renamed)
    assert "exist" in refused("kms.malformed-policy", KeyRefused, admin.put_key_policy, key, "{}").remedy


@pytest.mark.attack("K7")
def test_an_answer_from_another_key_is_refused(session, key):
    client = session.kms()
    other = {"KeyId": key[:-1] + "x"}
    with Stubber(client) as stub:
        stub.add_response("encrypt", other | {"CiphertextBlob": b"c"})
        stub.add_response("decrypt", other | {"Plaintext": b"p"})
        refused("kms.other-key", NotAuthentic, SdkSealingKms(client).encrypt, b"x", key_arn=key, context={})
        opening = SdkEscrowKms(client).decrypt_unattested
        refused("kms.other-key", NotAuthentic, opening, WrappedKey(b"x"), key_arn=key, context={})


def test_credentials_that_are_missing_or_wrong_are_a_question_to_the_user(world, profile, monkeypatch):
    unknown = refused("aws.credentials", UsageError, AwsSession, profile="nobody")
    assert "strongroom twin env" in unknown.remedy
    empty = AwsSession(profile="empty", region="eu-central-1", endpoint_url=world.twin.endpoint_url)
    refused("aws.credentials", UsageError, empty.identity)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    stranger = AwsSession(region="eu-central-1", endpoint_url=world.twin.endpoint_url)
    refused("aws.credentials", UsageError, stranger.identity)
    admin = SdkKeyAdmin(stranger.kms())
    refused("aws.credentials", UsageError, admin.describe_key, KeyArn("k"))


def test_a_region_is_needed(profile):
    refused("aws.region", UsageError, AwsSession(profile="empty").kms)


def test_parameters_that_aws_would_not_take_are_a_usage_error(session):
    refused("aws.parameters", UsageError, SdkKeyAdmin(session.kms()).describe_key, KeyArn(""))
    refused("aws.parameters", UsageError, AwsSession(profile="vendor", endpoint_url="nonsense").kms)


def test_nobody_there_is_a_service_fault(profile):
    alone = AwsSession(profile=profile, endpoint_url="http://127.0.0.1:9")
    fault = refused("aws.unavailable", ServiceFault, alone.identity)
    assert fault.retryable
    assert "strongroom twin up" in fault.remedy
    nowhere = AwsSession(profile=profile, endpoint_url="http://nowhere.invalid:9")
    assert "twin" not in refused("aws.unavailable", ServiceFault, nowhere.identity).remedy


TAGS = {"strongroom:product": "acme", "strongroom:tenant": "globex"}


def test_a_key_is_found_by_all_of_its_tags_in_whatever_page_it_stands(session, monkeypatch):
    admin, inventory = SdkKeyAdmin(session.kms()), SdkKeyInventory(session.kms())
    ours = admin.create_key(policy=POLICY, description="ours", tags={**TAGS, "team": "release"}).arn
    admin.create_key(policy=POLICY, description="another", tags={"strongroom:product": "acme"})
    admin.create_key(policy=POLICY, description="another", tags={**TAGS, "strongroom:tenant": "initech"})
    assert inventory.find_keys(TAGS) == (ours,)
    assert inventory.find_keys({"strongroom:product": "nobody"}) == ()
    inventory.expect_tags(ours, TAGS)
    refused("key.tags", NotTrusted, inventory.expect_tags, ours, {**TAGS, "strongroom:tenant": "initech"})


def test_a_key_whose_tags_are_closed_is_not_looked_at_and_other_errors_are_not_swallowed(session, key):
    client = session.kms()
    inventory = SdkKeyInventory(client)
    for name, found in (("AccessDeniedException", ()), ("NotFoundException", ()), ("KMSInternalException", None)):
        with Stubber(client) as stub:
            stub.add_response("list_keys", {"Keys": [{"KeyId": "1", "KeyArn": key}]})
            stub.add_client_error("list_resource_tags", name, http_status_code=500 if found is None else 400)
            if found is None:
                refused("kms.unavailable", ServiceFault, inventory.find_keys, TAGS)
            else:
                assert inventory.find_keys(TAGS) == found
    with Stubber(client) as stub:
        stub.add_response("list_keys", {"Keys": [{"KeyId": "1", "KeyArn": key}]})
        stub.add_client_error("list_resource_tags", "ValidationException")
        refused("kms.invalid-request", KeyRefused, inventory.find_keys, TAGS)
    with Stubber(client) as stub:
        stub.add_client_error("list_resource_tags", "AccessDeniedException")
        refused("kms.access-denied", KeyRefused, inventory.expect_tags, KeyArn(key), TAGS)


def test_an_alias_names_the_first_key_that_got_it(session):
    admin, inventory = SdkKeyAdmin(session.kms()), SdkKeyInventory(session.kms())
    first, second = (admin.create_key(policy=POLICY, description="a key", tags={}).arn for _ in range(2))
    alias = "alias/strongroom/acme/tenant/named-once"
    assert inventory.name_key(first, alias) == first
    assert inventory.name_key(first, alias) == first
    assert inventory.name_key(second, alias) == first
    refused("kms.invalid-request", KeyRefused, inventory.name_key, first, "alias/not a name")


def test_an_alias_that_exists_and_is_not_listed_is_a_fault(session, key):
    client = session.kms()
    with Stubber(client) as stub:
        stub.add_client_error("create_alias", "AlreadyExistsException")
        stub.add_response("list_aliases", {"Aliases": [{"AliasName": "alias/other", "TargetKeyId": "1"}]})
        refused("kms.alias", ServiceFault, SdkKeyInventory(client).name_key, key, "alias/mine")


def test_a_dry_run_that_ends_with_an_answer_is_a_fault(session, key):
    client = session.kms()
    call = {"key_arn": KeyArn(key), "context": CONTEXT, "recipient": None}
    with Stubber(client) as stub:
        stub.add_response("decrypt", {"KeyId": key, "Plaintext": b"secret"})
        refused("kms.no-dry-run", ServiceFault, SdkTrialKms(client).would_decrypt, WrappedKey(b"w"), **call)
