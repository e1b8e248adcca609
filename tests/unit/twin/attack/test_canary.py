# SPDX-License-Identifier: Apache-2.0
"""Forms of a canary."""

import base64
import os

import pytest

from strongroom.twin.attack.canary import Canary

CANARY = Canary("canary-8f14e45fceea167a5a36dedd4bea2543")


def test_no_two_are_alike():
    assert len({Canary.make().text for _ in range(50)}) == 50


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("behind", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_recognised_between_any_other_bytes(before, behind, encode):
    for _ in range(20):
        longer = os.urandom(before) + CANARY.text.encode() + os.urandom(behind)
        assert CANARY.found_in(encode(longer))


@pytest.mark.parametrize(
    "written",
    [
        CANARY.text.encode(),
        CANARY.text.encode("utf-16-le"),
        CANARY.text.encode("utf-16-be"),
        CANARY.text.encode().hex().encode(),
        CANARY.text.encode().hex().upper().encode(),
        CANARY.text.encode().hex(" ").encode(),
    ],
)
def test_each_form_is_recognised_once(written):
    assert len(CANARY.found_in(b"..." + written + b"...")) == 1


def test_another_canary_is_not_taken_for_it():
    other = Canary.make()
    everything = b"".join(form.needle for form in other.forms)
    assert CANARY.found_in(everything) == ()
