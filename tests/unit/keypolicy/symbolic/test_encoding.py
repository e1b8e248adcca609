# SPDX-License-Identifier: Apache-2.0
"""What stands around a request lets through what it allows."""

import pytest

from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import parse_resource_policy


@pytest.mark.parametrize("level", ["endpoint", "resource_control", "service_control"])
def test_a_level_that_allows_everything_stops_nobody(asking, world, level):
    everything = parse_resource_policy(world.document(world.statement()))
    around = {
        "endpoint": Guardrails(endpoint=everything),
        "resource_control": Guardrails(resource_control=((everything,),)),
        "service_control": Guardrails(service_control=((world.iam_all,),)),
    }
    found = asking.witness(*asking.only_if({}), guardrails=around[level])
    assert not found.caller.is_service_linked
