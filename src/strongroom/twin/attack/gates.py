# SPDX-License-Identifier: Apache-2.0
"""Rows whose guard is a gate of the key policy: one boot, and two keys that differ in that gate alone.

The same machine asks under both, so nothing but the gate can be what stopped it. A key that opened for nobody would
stop every attack, too; so the image as the vendor made it has to open the key first, or the row says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.boots import Boot, boot_to_kernel
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.vendor import Asked
from strongroom.twin.qemu.hardware import Hardware

MOVABLE = (2, 4, 7, 9, 11, 12, 13)
_SHOWN_HEX = 12


@dataclass(frozen=True, slots=True)
class GatedAttack:
    """What a row of this kind is made of.

    `boots` makes the tampered boot; `mark` is what the console shows where the attacker's own code ran, if it says
    anything. `gates` are the PCRs that may stop it: which of them it is depends on the image's stub where there are
    several, and all of them are left out in the second play. `removed` says so in words.
    """

    name: str
    attack: str
    title: str
    boots: Callable[[Arena], Boot]
    gates: tuple[int, ...]
    mark: str = ""
    removed: str = ""
    admits: Callable[[Arena], Sequence[PcrDigests]] | None = None
    """What the second key admits besides, where its guard is not a gate left out but an image left in."""

    def row(self) -> Row[Arena]:
        """Return the row."""
        names = " and ".join(f"PCR {gate}" for gate in self.gates)
        return Row(
            name=self.name,
            attack=self.attack,
            title=self.title,
            guards=tuple(f"KMS: DenyUnlessPcr{gate}" for gate in self.gates),
            removed=self.removed or f"a key policy without {names}",
            play=self._play,
            play_without=self._play_without,
        )

    def _play(self, arena: Arena) -> Ending:
        return self._asked(arena, arena.vendor.ask(arena.safe(), self._boot(arena).instance))

    def _play_without(self, arena: Arena) -> Ending:
        if self.admits is not None:
            safe = arena.safe(admitted=(arena.target.pcrs, *self.admits(arena)))
        else:
            safe = arena.safe(without=[PcrIndex(gate) for gate in self.gates])
        return self._asked(arena, arena.vendor.ask(safe, self._boot(arena).instance))

    def _boot(self, arena: Arena) -> Boot:
        return arena.shared.get(f"boot: {self.name}", lambda: self.boots(arena))

    def _asked(self, arena: Arena, asked: Asked) -> Ending:
        if reason := why_nothing_is_shown(arena):
            return NotPlayed(reason)
        boot = self._boot(arena)
        if self.mark and self.mark not in boot.console:
            return NotPlayed(f"expected {self.mark!r} on the console, found none: the attacker's code did not run")
        evidence = "; ".join(filter(None, (what_moved(arena, boot), boot.line_with(self.mark) if self.mark else "")))
        if asked.secret == arena.canary.text:
            return Reached(f"the attacker reads {asked.secret}; {evidence}")
        return Stopped(asked.refused_by, evidence)


def honest_boot(arena: Arena) -> Boot:
    """Return the boot of the image as the vendor made it."""
    return arena.shared.get("boot: honest", lambda: boot_to_kernel(arena, Hardware(arena.target.disk)))


def why_nothing_is_shown(arena: Arena) -> str:
    """Return why the key's refusals say nothing: it refuses the vendor's own image. Empty where it opens for that."""
    asked = arena.shared.get("honest asks", lambda: arena.vendor.ask(arena.safe(), honest_boot(arena).instance))
    if asked.secret == arena.canary.text:
        return ""
    moved = what_moved(arena, honest_boot(arena))
    return f"the image as it is does not open the key either: {asked.refused_by}, {moved}"


def what_moved(arena: Arena, boot: Boot) -> str:
    """Return the PCRs of a boot that are not as predicted, with the first digits of what they are."""
    expected, found = arena.target.pcrs, boot.instance.pcrs
    moved = [index for index in map(PcrIndex, MOVABLE) if index in expected and found[index] != expected[index]]
    if not moved:
        return "every predicted PCR as it should be"
    return ", ".join(f"PCR {index} = {found[index].hex()[:_SHOWN_HEX]}…" for index in moved)
