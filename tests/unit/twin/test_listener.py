# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.errors import LocalFault
from strongroom.twin.listener import Listener


def test_a_machine_without_a_free_port_is_named(monkeypatch):
    def refuse(_):
        raise OSError("Address already in use")

    listener = Listener(lambda _: None, threads=1)
    monkeypatch.setattr(type(listener._server), "prepare", refuse)
    with pytest.raises(LocalFault) as caught:
        listener.start()
    assert caught.value.code == "twin.no-port"
    listener.stop()
