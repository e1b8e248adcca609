# SPDX-License-Identifier: Apache-2.0
import configparser

import pytest

from strongroom.errors import FormatError
from strongroom.ids import AccountId
from strongroom.twin.accounts import Credentials, Principal, PrincipalKind
from strongroom.twin.aws_configuration import write_configuration

SOMEBODY = Principal(AccountId("1" * 12), PrincipalKind.USER, "u", "AIDAX", ())


def write(folder, secret):
    key = Credentials(SOMEBODY, "AKIDEXAMPLE", secret)
    write_configuration(folder, {"vendor": key}, region="eu-central-1", endpoint="http://127.0.0.1:1")


def test_a_profile_has_its_key_its_region_and_the_endpoint(tmp_path):
    write(tmp_path, "a%b=c#d")
    found = configparser.RawConfigParser()
    found.read([tmp_path / "aws" / "config", tmp_path / "aws" / "credentials"])
    assert found["profile vendor"]["endpoint_url"] == "http://127.0.0.1:1"
    assert found["profile vendor"]["region"] == "eu-central-1"
    assert found["vendor"]["aws_secret_access_key"] == "a%b=c#d"


@pytest.mark.parametrize("secret", ["a\nendpoint_url = http://elsewhere", "a\r", "", "\x00"])
def test_a_secret_is_no_second_setting(tmp_path, secret):
    with pytest.raises(FormatError) as caught:
        write(tmp_path, secret)
    assert caught.value.code == "twin.access-key"
    assert not (tmp_path / "aws" / "credentials").exists()
