# SPDX-License-Identifier: Apache-2.0
"""Two accounts of a boot, register by register, the gated ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from strongroom.formats.pcrs import GATES, PcrIndex
from strongroom.measure.explain.account import PCR4, BootAccount, in_the_light_of
from strongroom.measure.explain.added import driver_differences, extension_differences, input_differences
from strongroom.measure.explain.boot_path import boot_path_differences
from strongroom.measure.explain.difference import Component, Difference, Explanation, Grounds
from strongroom.measure.explain.image_parts import PCR11
from strongroom.measure.explain.secure_boot import secure_boot_differences
from strongroom.measure.explain.surroundings import other_differences, payload_differences

_EXPLAINERS: Mapping[int, Callable[[BootAccount, BootAccount], Iterator[Difference]]] = {
    2: driver_differences,
    4: boot_path_differences,
    7: secure_boot_differences,
    12: input_differences,
    13: extension_differences,
    11: payload_differences,
}
"""In the order in which people should read it: what ran before, what ran, who allowed it, what was added."""


def explain(reference: BootAccount, seen: BootAccount) -> Explanation:
    """Return what moved between two accounts of a boot. Says what is the same, and what one of them does not know."""
    reference, seen = in_the_light_of(reference, seen), in_the_light_of(seen, reference)
    shared = [index for index in reference.pcrs if index in seen.pcrs]
    moved = [index for index in shared if reference.pcrs[index] != seen.pcrs[index]]
    return Explanation(
        reference=reference.name,
        seen=seen.name,
        differences=tuple(_differences(reference, seen, moved)),
        same=tuple(index for index in shared if index not in moved),
        unknown=tuple(index for index in GATES if index not in shared),
        notes=(*reference.notes, *seen.notes),
    )


def _differences(reference: BootAccount, seen: BootAccount, moved: list[PcrIndex]) -> Iterator[Difference]:
    for index in _reading_order(moved):
        if index == PCR11 and PCR4 in moved:
            continue  # the image moved, and PCR 11 with it
        explainer = _EXPLAINERS.get(index) or other_differences(index)
        found = tuple(explainer(reference, seen)) or (_unexplained(index, reference, seen),)
        yield from map(_logged, found) if reference.unvouched or seen.unvouched else found


def _logged(difference: Difference) -> Difference:
    """Return what digests of a log show, for which nobody vouches."""
    return replace(difference, grounds=Grounds.LOGGED) if difference.grounds is Grounds.PROVEN else difference


def _unexplained(index: PcrIndex, reference: BootAccount, seen: BootAccount) -> Difference:
    """Return what is said of a register that moved when nothing else is: never nothing."""
    return Difference(
        "explain.unexplained",
        Component.BOOT_PATH if index in GATES else Component.RUNNING_SYSTEM,
        f"PCR {index} is another one in {seen.name} than in {reference.name}, and nothing known here says why",
        (index,),
        Grounds.PROVEN,
    )


def _reading_order(moved: list[PcrIndex]) -> Iterator[PcrIndex]:
    yield from (PcrIndex(index) for index in _EXPLAINERS if index in moved)
    yield from (index for index in moved if index not in _EXPLAINERS)
