# SPDX-License-Identifier: Apache-2.0
"""Asks whether a few statements open the key, for tests of the parts of the symbolic answer."""

import pytest

from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.model import parse_key_policy
from strongroom.keypolicy.symbolic import ask
from strongroom.keypolicy.symbolic.answer import Witness


class Asking:
    """Policies of one wide Allow under a condition, and a Deny for each other condition."""

    def __init__(self, world):
        self._world = world

    def only_if(self, allowed, *denied, principal="*"):
        """Return the statements: conditions as JSON."""
        one = self._world.statement
        denies = [one(Effect="Deny", Condition=each) for each in denied]
        return [one(Principal=principal, Action="kms:Decrypt", Condition=allowed), *denies]

    def answer(self, *statements, **facts):
        """Ask for Decrypt without any document."""
        policy = parse_key_policy(self._world.document(*statements))
        return ask.opening_without_allowed_document(
            policy, key_account=self._world.vendor_account, operations=["kms:Decrypt"], **facts
        )

    def witness(self, *statements, **facts):
        """Return the call that opens, after a look at its decision."""
        found = self.answer(*statements, **facts)
        assert isinstance(found, Witness), found
        assert found.decision.outcome is Outcome.ALLOWED
        return found.call


@pytest.fixture(scope="session")
def asking(world):
    return Asking(world)
