# SPDX-License-Identifier: Apache-2.0
"""The kept console has a real failure on it: a demo whose agent opens another tenant's bundle leaves nothing."""

from types import SimpleNamespace

import pytest
from tests.nitro_pki import PCRS

from strongroom.cli.demo import keepsake
from strongroom.errors import NotTrusted
from strongroom.formats.pcrs import GATES

INSTANCE = SimpleNamespace(pcrs=PCRS)


@pytest.fixture
def failure(monkeypatch):
    """What the console shows of an agent that runs as it is told."""

    def call(run_agent):
        monkeypatch.setattr(keepsake, "run_agent", run_agent)
        monkeypatch.setattr(keepsake, "watch", lambda *_: None)
        monkeypatch.setattr(keepsake, "shelf_of", lambda _: None)
        return keepsake._failure(SimpleNamespace(globex=None), INSTANCE)

    return call


def test_the_failure_is_the_agents_and_shows_every_gate(failure):
    def refuses(*_):
        raise NotTrusted("bundle.account", "expected a bundle for another account")

    found = failure(refuses)
    assert (found.code, dict(found.pcrs)) == ("bundle.account", {index: PCRS[index] for index in GATES})


def test_an_agent_that_opens_another_tenants_bundle_leaves_no_console(failure):
    with pytest.raises(RuntimeError, match="opened the bundle of Globex"):
        failure(lambda *_: None)
