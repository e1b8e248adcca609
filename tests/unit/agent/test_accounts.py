# SPDX-License-Identifier: Apache-2.0
import grp
import pwd

import pytest

from strongroom.agent.accounts import owner_of
from strongroom.agent.delivery import Owner
from strongroom.errors import LocalFault
from strongroom.formats.agent_config import Delivery


def owner(user, group=None) -> Owner:
    return owner_of(Delivery("db-password", "/run/strongroom/a", user, group))


def test_a_user_gets_files_with_the_group_that_he_has():
    nobody = pwd.getpwnam("nobody")
    assert owner("nobody") == owner(nobody.pw_uid) == Owner(nobody.pw_uid, nobody.pw_gid)


def test_a_group_may_be_another():
    assert owner("root", "daemon") == Owner(0, grp.getgrnam("daemon").gr_gid)
    assert owner("root", 4711) == Owner(0, 4711)


def test_numbers_need_no_entry():
    assert owner(4711, 4712) == Owner(4711, 4712)


@pytest.mark.parametrize(
    ("user", "group", "code"),
    [
        ("no-such-user", None, "agent.no-user"),
        (3_999_999_999, None, "agent.no-user"),
        ("root", "no-such-group", "agent.no-group"),
    ],
)
def test_who_is_not_in_the_image_gets_nothing(user, group, code):
    with pytest.raises(LocalFault) as caught:
        owner(user, group)
    assert caught.value.code == code
    assert "db-password" in caught.value.message
