# SPDX-License-Identifier: Apache-2.0
"""The rows of the hostile customer that need no machine: each is stopped by its guard, and works without it."""

import threading

import pytest
from tests.images import make_uki

from strongroom.cli.twin_parties import away_from_aws
from strongroom.measure.predict import measure_image
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.engine import run_rows
from strongroom.twin.attack.row import Verdict
from strongroom.twin.attack.rows import agent_inputs, hostile_nv
from strongroom.twin.attack.target import Target
from strongroom.twin.attack.vendor import TwinVendor
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

ROWS = (*agent_inputs.ROWS, *hostile_nv.ROWS)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    image = make_uki()
    folder = tmp_path_factory.mktemp("arena")
    target = Target(folder / "no-disk", image, measure_image(image, secure_boot=None))
    canary = Canary.make()
    with away_from_aws(), Twin() as twin:
        arena = Arena(twin, target, TwinVendor(twin, canary), canary, folder, folder, threading.BoundedSemaphore())
        yield canary, {result.name: result for result in run_rows(ROWS, arena)}


@pytest.mark.attack("B14")
@pytest.mark.attack("B15")
@pytest.mark.attack("B16")
@pytest.mark.attack("B17")
@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_it_is_stopped_by_its_guard_and_works_without(results, name):
    result = results[1][name]
    assert result.verdict is Verdict.STOPPED, result


@pytest.mark.parametrize("name", ["user-data", "start-up-hook", "hostile-nv"])
def test_without_the_guard_the_secret_itself_is_shown(results, name):
    canary, played = results
    assert canary.text in played[name].without_guard.evidence
