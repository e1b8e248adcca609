# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.images import make_uki

from strongroom.errors import NotTrusted
from strongroom.formats.uki import parse_uki
from strongroom.measure.stub import recognise_stub

AMAZON_LINUX_2023 = b'NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\n'


def code_of(image: bytes) -> str:
    with pytest.raises(NotTrusted) as caught:
        recognise_stub(parse_uki(image))
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize(
    ("version", "major"), [(b"252.39-1~deb12u2", 252), (b"254", 254), (b"257.8-1~deb13u1", 257), (b"258~rc1", 258)]
)
def test_systemd_stub_says_who_it_is(version, major):
    stub = recognise_stub(parse_uki(make_uki(version=version)))
    assert (stub.name, stub.version, stub.major, stub.says_so) == ("systemd-stub", version.decode(), major, True)
    assert stub.loads_kernel_through_firmware == (major < 258)
    assert bool(stub.pcr11_sections) == (major in (252, 257))


def test_amazon_linux_2023_is_taken_for_252_and_pcr11_is_left_out():
    stub = recognise_stub(parse_uki(make_uki(version=None, osrel=AMAZON_LINUX_2023)))
    assert (stub.major, stub.says_so, stub.pcr11_sections) == (252, False, ())
    assert stub.loads_kernel_through_firmware


@pytest.mark.attack("B1")
@pytest.mark.parametrize(
    ("image", "code"),
    [
        (make_uki(version=None), "measure.unknown-stub"),
        (make_uki(version=None, drop=[".osrel"]), "measure.unknown-stub"),
        (make_uki(version=None, osrel=b'NAME="Amazon Linux"\nVERSION="2"\n'), "measure.unknown-stub"),
        (make_uki(version=None, osrel=b'VERSION="2023"\nX=NAME="Amazon Linux"\n'), "measure.unknown-stub"),
        (make_uki(sdmagic=b"#### LoaderInfo: systemd-boot 252 ####\0"), "measure.unknown-stub"),
        (make_uki(sdmagic=b"#### LoaderInfo: mystub 252 ####\0"), "measure.unknown-stub"),
        (make_uki(sdmagic=b"#### LoaderInfo: systemd-stub next ####\0"), "measure.unknown-stub"),
        (make_uki(sdmagic=b"#### LoaderInfo: systemd-stub 252 #### and more"), "measure.unknown-stub"),
        (make_uki(sdmagic=b"#### LoaderInfo: systemd-stub 252 ####" * 200), "measure.unknown-stub"),
        (make_uki(version=b"251.4"), "measure.unknown-stub-version"),
        (make_uki(version=b"259"), "measure.unknown-stub-version"),
        (make_uki(version=b"2520"), "measure.unknown-stub-version"),
    ],
)
def test_a_stub_that_is_not_known_to_measure_what_the_gates_rely_on_is_refused(image, code):
    assert code_of(image) == code
