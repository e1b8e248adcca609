# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.images import make_uki

from strongroom.cli.key_releases import read_asked
from strongroom.errors import NotTrusted
from strongroom.formats.measurements import encode_measurements
from strongroom.measure.predict import measure_image

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def write(folder, variant):
    measured = measure_image(make_uki(), secure_boot=None)
    facts = replace(measured.strongroom, build_inputs=(("variant", variant),))
    path = folder / f"{variant}.json"
    path.write_bytes(encode_measurements(replace(measured, strongroom=facts)))
    return path


@pytest.mark.attack("B13")
def test_no_key_opens_for_a_debug_image(tmp_path):
    with pytest.raises(NotTrusted) as refused:
        read_asked([write(tmp_path, "debug")], None, (), now=NOW)
    assert refused.value.code == "key.debug-image"


@pytest.mark.parametrize("variant", ["production", "rehearsal"])
def test_one_opens_for_others(tmp_path, variant):
    assert read_asked([write(tmp_path, variant)], None, (), now=NOW).files
