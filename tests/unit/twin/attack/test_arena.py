# SPDX-License-Identifier: Apache-2.0
"""What rows share is made once."""

import threading

import pytest

from strongroom.errors import LocalFault
from strongroom.twin.attack.arena import Shared


def test_what_several_ask_for_at_once_is_made_once():
    shared, made, begun = Shared(), [], threading.Barrier(4, timeout=10)

    def make():
        made.append(1)
        return object()

    def ask(found):
        begun.wait()
        found.append(shared.get("boot", make))

    found = []
    threads = [threading.Thread(target=ask, args=(found,)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(made), len(found), len(set(map(id, found)))) == (1, 4, 1)


def test_another_name_is_another_thing():
    shared = Shared()
    assert (shared.get("a", lambda: 1), shared.get("b", lambda: 2), shared.get("a", lambda: 3)) == (1, 2, 1)


def test_what_could_not_be_made_is_tried_again():
    shared = Shared()

    def fails():
        raise LocalFault("attack.tool", "no")

    with pytest.raises(LocalFault):
        shared.get("boot", fails)
    assert shared.get("boot", lambda: 1) == 1
