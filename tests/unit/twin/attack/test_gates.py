# SPDX-License-Identifier: Apache-2.0
"""A refusal counts only where the image as it is opens the key, and where the attacker's code is seen to have run."""

from types import SimpleNamespace

import pytest

from strongroom.formats.pcrs import PcrDigests
from strongroom.twin.attack.arena import Shared
from strongroom.twin.attack.boots import Boot
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.gates import GatedAttack, what_moved
from strongroom.twin.attack.row import NotPlayed, Reached, Stopped
from strongroom.twin.attack.vendor import Asked

CANARY = Canary("canary-8f14e45fceea167a5a36dedd4bea2543")
OPENED, DENIED = Asked(CANARY.text), Asked("", "KMS: DenyUnlessPcr12", (12,))
AS_PREDICTED = PcrDigests.of({4: b"4" * 48, 12: bytes(48)})
MOVED = PcrDigests.of({4: b"4" * 48, 12: b"\xab" * 48})


def boot(pcrs, console="[mark]\n"):
    return Boot(SimpleNamespace(pcrs=pcrs), console)


class Arena:
    """Answers by key and boot: `answers` holds what KMS says to the tampered machine under a key, by its gates."""

    def __init__(self, answers, *, honest=OPENED):
        self.canary, self.shared = CANARY, Shared()
        self.target = SimpleNamespace(pcrs=AS_PREDICTED)
        self.vendor, self.answers, self.honest = self, answers, honest
        self.safes = []
        self.shared.get("boot: honest", lambda: boot(AS_PREDICTED))

    def safe(self, *, without=(), admitted=()):
        self.safes.append((tuple(map(int, without)), admitted))
        return tuple(map(int, without)) or admitted

    def ask(self, safe, machine):
        return self.honest if machine.pcrs is AS_PREDICTED else self.answers[safe]


def played(arena, **changes):
    settings = {"gates": (12,), "mark": "[mark]", "boots": lambda _: boot(MOVED)} | changes
    row = GatedAttack("command-line", "B1", "an attack", **settings).row()
    return row.play(arena), row.play_without(arena)


def test_the_gate_stops_it_and_without_the_gate_it_works():
    first, second = played(Arena({(): DENIED, (12,): OPENED}))
    assert first == Stopped("KMS: DenyUnlessPcr12", "PCR 12 = abababababab…; [mark]")
    assert isinstance(second, Reached)
    assert CANARY.text in second.evidence


def test_a_key_that_does_not_open_for_the_image_itself_shows_nothing():
    first, second = played(Arena({(): DENIED, (12,): OPENED}, honest=DENIED))
    assert isinstance(first, NotPlayed)
    assert isinstance(second, NotPlayed)
    assert "does not open the key either" in first.reason


def test_code_that_is_not_seen_to_run_shows_nothing():
    first, _ = played(Arena({(): DENIED, (12,): OPENED}), boots=lambda _: boot(MOVED, "silence"))
    assert isinstance(first, NotPlayed)
    assert "'[mark]'" in first.reason


def test_what_gets_through_is_said():
    first, _ = played(Arena({(): OPENED, (12,): OPENED}))
    assert isinstance(first, Reached)


def test_one_boot_serves_both_plays():
    boots = []
    played(Arena({(): DENIED, (12,): OPENED}), boots=lambda _: boots.append(1) or boot(MOVED))
    assert boots == [1]


def test_an_image_left_in_is_admitted_beside_the_target():
    older = PcrDigests.of({4: b"o" * 48})
    arena = Arena({(): DENIED, (AS_PREDICTED, older): OPENED})
    _, second = played(arena, gates=(4,), admits=lambda _: [older])
    assert isinstance(second, Reached)


@pytest.mark.parametrize(
    ("pcrs", "words"), [(AS_PREDICTED, "every predicted PCR as it should be"), (MOVED, "PCR 12 = abababababab…")]
)
def test_moved_pcrs_are_shown(pcrs, words):
    assert what_moved(Arena({}), boot(pcrs)) == words
