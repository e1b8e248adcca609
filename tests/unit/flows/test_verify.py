# SPDX-License-Identifier: Apache-2.0
"""One call from bytes to trusted evidence, against documents of the twin."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.twin_world import small_uki, world

from strongroom import NOBODY_CHALLENGED, NitroRoots, measure_image, verify_document
from strongroom.errors import FormatError, NotAuthentic, NotTrusted
from strongroom.twin.firmware import Firmware

NONCE = b"n" * 32


@pytest.fixture(scope="module")
def stage():
    with world() as here:
        yield here


def test_a_document_of_the_measured_image_is_trusted(stage):
    image = small_uki()
    instance = stage.launch(image)
    evidence = verify_document(
        instance.attest(nonce=NONCE),
        measurements=measure_image(image, secure_boot=None),
        nonce=NONCE,
        now=datetime.now(UTC),
        roots=stage.twin.nitro_roots,
    )
    assert evidence.instance_id == instance.instance_id


@pytest.mark.parametrize(
    ("family", "change"),
    [
        (NotAuthentic, {"roots": NitroRoots.aws()}),
        (NotAuthentic, {"now": datetime.now(UTC) + timedelta(hours=4)}),
        (NotTrusted, {"nonce": b"another nonce"}),
        (NotTrusted, {"now": datetime.now(UTC) + timedelta(minutes=7)}),
    ],
)
def test_what_is_wrong_is_raised(stage, family, change):
    image = small_uki()
    call = {
        "measurements": measure_image(image, secure_boot=None),
        "nonce": NONCE,
        "now": datetime.now(UTC),
        "roots": stage.twin.nitro_roots,
    }
    with pytest.raises(family):
        verify_document(stage.launch(image).attest(nonce=NONCE), **(call | change))


@pytest.mark.attack("B1")
def test_an_appended_command_line_is_not_trusted(stage):
    image = small_uki()
    instance = stage.launch(image, firmware=Firmware(load_options="init=/bin/sh"))
    with pytest.raises(NotTrusted) as caught:
        verify_document(
            instance.attest(),
            measurements=measure_image(image, secure_boot=None),
            nonce=NOBODY_CHALLENGED,
            now=datetime.now(UTC),
            roots=stage.twin.nitro_roots,
        )
    assert [finding.code for finding in caught.value.findings] == ["pcr.mismatch"]


def test_garbage_is_malformed(stage):
    with pytest.raises(FormatError):
        verify_document(
            b"garbage",
            measurements=measure_image(small_uki(), secure_boot=None),
            nonce=NONCE,
            now=datetime.now(UTC),
        )
