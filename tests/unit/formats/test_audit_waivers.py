# SPDX-License-Identifier: Apache-2.0
"""Waivers of an audit: a rule, a reason, perhaps a path and a last day."""

import datetime as dt

import pytest

from strongroom.errors import FormatError
from strongroom.formats.audit_waivers import MAX_BYTES, Waiver, parse_waivers

GOOD = """version = 1
[[waivers]]
rule = "audit.sshd"
reason = "the bastion of the lab"
[[waivers]]
rule = "audit.setuid"
reason = "needs it"
path = "/usr/bin/*"
expires = 2030-12-31
"""


def refused(text: str) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_waivers(text, name="w.toml")
    return caught.value


def test_waivers_are_read():
    first, second = parse_waivers(GOOD, name="w.toml")
    assert first == Waiver("audit.sshd", "the bastion of the lab")
    assert second == Waiver("audit.setuid", "needs it", "/usr/bin/*", dt.date(2030, 12, 31))
    assert second.holds(dt.date(2030, 12, 31))
    assert not second.holds(dt.date(2031, 1, 1))
    assert first.holds(dt.date(9999, 1, 1))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("version = 1", "version = 2"), "field.range"),
        (("reason = ", "reasons = "), "field.unknown"),
        (('reason = "needs it"\n', ""), "field.missing"),
        (('"needs it"', '"  "'), "field.pattern"),
        (("audit.sshd", "lint.sshd"), "field.pattern"),
        (("2030-12-31", '"2030-12-31"'), "field.wrong-type"),
        (("2030-12-31", "2030-12-31T00:00:00Z"), "field.wrong-type"),
        (("version = 1", "version 1"), "waivers.toml"),
        (("version = 1", "x" + ".y" * 40 + " = 1"), "waivers.too-large"),
        (("version = 1", "version = 1 #" + "x" * MAX_BYTES), "waivers.too-large"),
    ],
)
def test_what_is_wrong_is_named(change, code):
    assert refused(GOOD.replace(*change)).code == code


def test_an_error_names_the_line():
    assert "w.toml:2: waivers.1.expires" in refused(GOOD.replace("2030-12-31", "1")).message
