# SPDX-License-Identifier: Apache-2.0
"""An interrupt that came to nothing is tried again; what was seen is not."""

import pytest

from strongroom.errors import LocalFault
from strongroom.twin.attack.row import NotPlayed, Reached, Stopped
from strongroom.twin.attack.rows import interrupt

STOPPED, REACHED, NOT_PLAYED = Stopped("kernel", "goes on"), Reached("seen"), NotPlayed("nothing")


def tried(monkeypatch, *endings):
    left, names = list(endings), []

    def play(_arena, _image, name):
        names.append(name)
        ending = left.pop(0)
        if isinstance(ending, LocalFault):
            raise ending
        return ending

    monkeypatch.setattr(interrupt, "_interrupted", play)
    return interrupt._tried(None, b"", "try"), names


@pytest.mark.parametrize("seen", [STOPPED, REACHED])
def test_what_was_seen_is_the_end(monkeypatch, seen):
    assert tried(monkeypatch, seen) == (seen, ["try-0"])
    assert tried(monkeypatch, NOT_PLAYED, seen) == (seen, ["try-0", "try-1"])
    assert tried(monkeypatch, LocalFault("attack.no-boot", "silence"), seen) == (seen, ["try-0", "try-1"])


def test_three_times_nothing_is_nothing(monkeypatch):
    assert tried(monkeypatch, *[NOT_PLAYED] * 3)[0] == NOT_PLAYED
    ending, _ = tried(monkeypatch, *[LocalFault("attack.no-boot", "silence")] * 3)
    assert ending == NotPlayed("attack.no-boot: silence")


def test_another_fault_is_raised(monkeypatch):
    with pytest.raises(LocalFault, match="full"):
        tried(monkeypatch, LocalFault("attack.copy", "the disk is full"))
