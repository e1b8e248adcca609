# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal takes from its environment: nothing that leads away from the twin."""

import os

import boto3
import pytest

from strongroom.cli.twin_parties import away_from_aws

LEADING_AWAY = {
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_KMS": "https://kms.eu-central-1.amazonaws.com",
    "AWS_ACCESS_KEY_ID": "AKIAUSER",
    "HTTP_PROXY": "http://proxy",
    "https_proxy": "http://proxy",
    "all_proxy": "http://proxy",
    "no_proxy": "example.org",
}


def test_settings_and_proxies_are_out_of_sight_and_come_back(monkeypatch):
    for name, value in LEADING_AWAY.items():
        monkeypatch.setenv(name, value)
    before, within = dict(os.environ), {}

    def interrupted():
        with away_from_aws():
            within.update(os.environ)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert dict(os.environ) == before
    assert not LEADING_AWAY.keys() & within.keys()
    assert (within["NO_PROXY"], within["PATH"]) == ("*", before["PATH"])


def test_profiles_in_files_are_out_of_sight(monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = us-east-1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    assert boto3.Session().region_name == "us-east-1"
    with away_from_aws():
        assert boto3.Session().region_name is None
