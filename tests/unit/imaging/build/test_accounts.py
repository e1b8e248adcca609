# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.errors import FormatError
from strongroom.formats.image_spec_model import SpecUser
from strongroom.imaging.build.accounts import GROUP, GSHADOW, PASSWD, SHADOW, add_users

FILES = {
    PASSWD: "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n",
    SHADOW: "root:*:19675:0:99999:7:::\ndaemon:*:19675:0:99999:7:::\n",
    GROUP: "root:x:0:\ndaemon:x:1:\ntss:x:101:daemon\n",
    GSHADOW: "root:*::\ndaemon:*::\ntss:!::daemon\n",
}
DAY = 86_400


def user(**changes) -> SpecUser:
    fields = {"name": "acme", "uid": 990, "home": "/nonexistent", "groups": ()}
    return SpecUser(**{**fields, **changes})


def added(*users: SpecUser):
    return add_users(FILES.__getitem__, users, epoch=19_700 * DAY + 5)


def test_a_user_has_a_group_of_its_own_no_password_and_no_shell():
    files = added(user()).files
    assert files[PASSWD].decode() == FILES[PASSWD] + "acme:x:990:990::/nonexistent:/usr/sbin/nologin\n"
    assert files[SHADOW].decode() == FILES[SHADOW] + "acme:!*:19700::::::\n"
    assert files[GROUP].decode() == FILES[GROUP] + "acme:x:990:\n"
    assert files[GSHADOW].decode() == FILES[GSHADOW] + "acme:!::\n"


def test_it_joins_groups_that_exist():
    files = added(user(groups=("tss",))).files
    assert b"tss:x:101:daemon,acme\n" in files[GROUP]
    assert b"tss:!::daemon,acme\n" in files[GSHADOW]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (user(name="daemon"), "image.user-taken"),
        (user(uid=1), "image.user-taken"),
        (user(name="tss"), "image.user-taken"),
        (user(uid=101), "image.user-taken"),
        (user(groups=("wheel",)), "image.no-group"),
    ],
)
def test_what_is_taken_and_what_is_not_there_is_refused(wrong, code):
    with pytest.raises(FormatError) as refused:
        added(wrong)
    assert refused.value.code == code


def test_two_users_of_one_number_are_refused():
    with pytest.raises(FormatError) as refused:
        added(user(), user(name="other"))
    assert refused.value.code == "image.user-taken"


def test_owners_are_names_or_numbers_of_the_image():
    accounts = added(user())
    assert accounts.owner("acme", "tss") == (990, 101)
    assert accounts.owner(5, 6) == (5, 6)
    with pytest.raises(FormatError) as refused:
        accounts.owner("nobody-here", "acme")
    assert refused.value.code == "image.no-owner"
