# SPDX-License-Identifier: Apache-2.0
"""Where `strongroom key` gets a policy from: a file in both shapes, KMS, the project file."""

import json
from pathlib import Path

import pytest
from tests.key_folder import CUSTOMER, KEY, ROLE, VENDOR, allow, make_key_folder, policy_of
from tests.twin_world import client

from strongroom.cli.key_source import KeyChoice, read_grants_file
from strongroom.errors import FormatError, KeyRefused, LocalFault, UsageError
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.server import Twin

POLICY = policy_of(allow(Sid="Root", Principal={"AWS": f"arn:aws:iam::{VENDOR}:root"})).decode()
PROJECT = """version = 1
[product]
id = "acme"
regions = ["eu-central-1"]
[targets.twin]
profile = "rehearsal"
vendor-account = "{vendor}"
endpoint = "{endpoint}"
aws-profile = "nobody"
[targets.twin.trust]
nitro-root = "r"
tls-root = "t"
kms-endpoint = "https://127.0.0.1:4601"
imds-endpoint = "http://127.0.0.1:4602"
identity-certificates = {{ eu-central-1 = "i" }}
[targets.twin.keys.globex]
{keys}
[tenants.globex]
accounts = ["{customer}"]
"""


@pytest.fixture
def world(tmp_path, capsys):
    return make_key_folder(tmp_path, capsys)


@pytest.fixture
def twin(monkeypatch):
    with Twin() as running:
        account = running.create_account(VENDOR, name="vendor")
        user = running.create_user(account, "engineer", policies=[FULL_ACCESS])
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_access_key)
        running.engineer = user
        yield running


@pytest.fixture
def key_arn(twin):
    return client(twin, "kms", twin.engineer).create_key(Policy=POLICY)["KeyMetadata"]["Arn"]


def choice(**options):
    none = dict.fromkeys(("policy_file", "key", "tenant", "target", "region", "profile", "endpoint_url"))
    return KeyChoice(**{**none, "project_path": Path("strongroom.toml"), **options})


def test_a_file_is_the_policy_or_what_the_aws_cli_prints_of_it(world):
    bare = world.write("bare", POLICY.encode())
    reply = world.write("reply", json.dumps({"Policy": POLICY, "PolicyName": "default"}).encode())
    for path in (bare, reply):
        source = choice(policy_file=path).read(with_grants=True)
        assert (source.text, source.name) == (POLICY, str(path))
        assert (source.key, source.grants) == (None, None)
        assert [each.sid for each in source.policy.statements] == ["Root"]


def test_a_file_may_hang_on_a_key_and_nothing_is_fetched(world):
    source = choice(policy_file=world.write("p", POLICY.encode()), key=KEY).read(with_grants=True)
    assert (source.expect_key().account, source.grants) == (VENDOR, None)
    with pytest.raises(UsageError) as refused:
        choice(policy_file=world.folder / "p").read().expect_key()
    assert refused.value.code == "key.no-arn"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"Policy": 1}', b'{"Policy": "{}"}', b'{"Policy": "x", "Other": 1}', b"\xff"]
)
def test_a_file_with_something_else_is_refused_with_its_name(world, content):
    path = world.write("p", content)
    with pytest.raises(FormatError, match=str(path)):
        choice(policy_file=path).read()
    with pytest.raises(LocalFault):
        choice(policy_file=world.folder / "missing").read()


def test_grants_in_a_file_are_refused_with_its_name(world):
    with pytest.raises(FormatError, match=str(world.folder)):
        read_grants_file(world.write("grants", b"{}"))


def test_a_policy_is_chosen_in_one_way(world):
    path = world.write("p", POLICY.encode())
    wrong = ({}, {"key": KEY, "tenant": "globex"}, {"policy_file": path, "tenant": "globex"})
    for options in wrong:
        with pytest.raises(UsageError) as refused:
            choice(**options).read()
        assert refused.value.code == "key.which-policy"
    useless = [{"policy_file": path, name: "x"} for name in ("region", "profile", "endpoint_url", "target")]
    for options in (*useless, {"key": KEY, "target": "x"}):
        with pytest.raises(UsageError, match="nothing asks for it"):
            choice(**options).read()
    with pytest.raises(UsageError) as no_arn:
        choice(key="alias/app").read()
    assert no_arn.value.code == "arn.key"


def test_the_policy_and_the_grants_of_a_key_in_kms(twin, key_arn):
    kms = client(twin, "kms", twin.engineer)
    user = f"arn:aws:iam::{VENDOR}:user/engineer"
    made = [
        kms.create_grant(KeyId=key_arn, GranteePrincipal=user, Operations=["Decrypt"], Name=str(n))["GrantId"]
        for n in range(60)  # more than ListGrants returns at once
    ]
    source = choice(key=key_arn, endpoint_url=twin.endpoint_url).read(with_grants=True)
    assert {each.grant_id for each in source.grants} == set(made)
    assert (source.text, source.key.arn, source.name) == (POLICY, key_arn, f"the policy of {key_arn}")
    assert choice(key=key_arn, endpoint_url=twin.endpoint_url).read().grants is None


def test_what_kms_refuses_is_a_refusal(twin, key_arn):
    with pytest.raises(KeyRefused):
        choice(key=f"{key_arn}0", endpoint_url=twin.endpoint_url).read()


def test_the_key_of_a_tenant(world, twin, key_arn, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "")  # as where it is not set: the profile of the target counts
    project = PROJECT.format(
        vendor=VENDOR, customer=CUSTOMER, endpoint=twin.endpoint_url, keys=f'eu-central-1 = "{key_arn}"'
    )
    config = world.write("config", b"[profile nobody]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    credentials = f"[nobody]\naws_access_key_id = {twin.engineer.access_key_id}\n"
    credentials += f"aws_secret_access_key = {twin.engineer.secret_access_key}\n"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(world.write("credentials", credentials.encode())))
    path = world.write("strongroom.toml", project.encode())
    for region in (None, "eu-central-1"):
        assert choice(tenant="globex", project_path=path, region=region).read().key.arn == key_arn
    for options, code in (
        ({"tenant": "globex", "region": "eu-west-1"}, "key.no-key"),
        ({"tenant": "acme"}, "tenant.unknown"),
    ):
        with pytest.raises(UsageError) as refused:
            choice(project_path=path, **options).read()
        assert refused.value.code == code
    second = project.replace("[tenants", f'us-east-1 = "{key_arn.replace("eu-central-1", "us-east-1")}"\n[tenants')
    with pytest.raises(UsageError) as several:
        choice(tenant="globex", project_path=world.write("strongroom.toml", second.encode())).read()
    assert several.value.code == "key.which-region"
    assert "eu-central-1, us-east-1" in str(several.value)
    with pytest.raises(UsageError) as unknown:
        choice(tenant="globex", project_path=path, target="aws").read()
    assert unknown.value.code == "project.unknown-target"


def test_commands_take_the_same_choice(world):
    path = world.write("p", POLICY.encode())
    code, out, _ = world.run("simulate", path, "--key", KEY, "--caller", f"arn:aws:iam::{VENDOR}:user/u", "--json")
    assert (code, json.loads(out)["policy"]) == (0, str(path))
    code, out, _ = world.run("simulate", "--caller", ROLE, "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "key.which-policy")
