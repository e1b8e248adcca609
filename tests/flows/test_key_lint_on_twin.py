# SPDX-License-Identifier: Apache-2.0
"""`strongroom key lint` on a key of the twin: its policy and its grants as KMS returns them."""

import json

import pytest
from tests.twin_world import world as twin_world

from strongroom.cli.main import run


@pytest.fixture(scope="module")
def world():
    with twin_world() as running:
        yield running


@pytest.fixture
def lint(world, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.vendor.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.vendor.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", world.vendor.session_token or "")

    def call(*options):
        code = run(["key", "lint", "--key", world.key_arn, "--endpoint-url", world.twin.endpoint_url, *options])
        return code, json.loads(capsys.readouterr().out)

    return call


@pytest.mark.attack("K4")
@pytest.mark.attack("K20")
def test_a_grant_that_somebody_planted_is_found(world, lint):
    code, said = lint("--json")
    assert (code, "lint.planted-grant" in {each["rule"] for each in said["findings"]}) == (1, False)
    grantee = f"arn:aws:iam::{world.key_arn.split(':')[4]}:root"
    grant = world.kms(world.vendor).create_grant(KeyId=world.key_arn, GranteePrincipal=grantee, Operations=["Decrypt"])
    found = [each["message"] for each in lint("--json")[1]["findings"] if each["rule"] == "lint.planted-grant"]
    assert found == [f"grant {grant['GrantId']} lets {grantee} call Decrypt without a document"]


def test_a_key_is_named_in_sarif_by_its_arn(world, lint):
    _, log = lint("--sarif")
    (run_of_key,) = log["runs"]
    assert run_of_key["artifacts"][0]["location"] == {"uri": world.key_arn}
    assert all("region" not in each["locations"][0]["physicalLocation"] for each in run_of_key["results"])
