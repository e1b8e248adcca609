# SPDX-License-Identifier: Apache-2.0
"""The registers that no policy gates on: firmware, configuration, partitions, and what the running system measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.explain.account import BootAccount
from strongroom.measure.explain.changes import event_changes
from strongroom.measure.explain.difference import Component, Difference, Grounds, grounds_of
from strongroom.measure.explain.image_parts import PCR11

_INSTANCE = "as it does from instance to instance: no policy should name PCR 1"
_SYSTEM = ("explain.running-system", Component.RUNNING_SYSTEM)
_SENTENCES: dict[int, tuple[str, Component, str]] = {
    0: ("explain.firmware", Component.FIRMWARE, "the firmware itself is another one"),
    1: ("explain.configuration", Component.CONFIGURATION, f"the machine's configuration differs, {_INSTANCE}"),
    3: ("explain.driver-configuration", Component.CONFIGURATION, "the configuration of EFI drivers differs"),
    5: (
        "explain.partition-table",
        Component.PARTITIONS,
        "it is another partition table (partitions added, moved or renamed, or another disk), or another boot attempt",
    ),
    6: ("explain.host", Component.FIRMWARE, "the host platform measured something else"),
    8: (*_SYSTEM, "the boot loader's commands, or its command line for the kernel, differ"),
    9: (
        "explain.kernel-inputs",
        Component.KERNEL_INPUTS,
        "Linux, or the boot loader, got another command line, another initrd or other files",
    ),
    10: (*_SYSTEM, "the running system measured other files (IMA), as it does from boot to boot"),
    14: (*_SYSTEM, "the keys of shim differ"),
    15: (*_SYSTEM, "the running system measured another machine id, or other volumes"),
    16: (*_SYSTEM, "software set the register for debugging"),
    23: (*_SYSTEM, "software set the register for applications"),
}
_OTHER = ("explain.other", Component.RUNNING_SYSTEM, "a register differs that has no known purpose here")


def other_differences(pcr: PcrIndex) -> Callable[[BootAccount, BootAccount], Iterator[Difference]]:
    """Return what explains a register without a file of its own."""

    def differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
        code, component, sentence = _SENTENCES.get(pcr, _OTHER)
        changes = event_changes(pcr, reference, seen)
        if changes is None:
            yield Difference(code, component, sentence, (pcr,), Grounds.INFERRED)
        else:
            yield Difference(code, component, sentence, (pcr,), Grounds.PROVEN, changes.rows(reference.name, seen.name))

    return differences


def payload_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 11 although PCR 4 did not: the running system. What moved the image is told by PCR 4."""
    changes = event_changes(PCR11, reference, seen)
    if changes is not None and not changes.gone:
        phases = ", ".join(event.about if event.claimed else event.subject or event.about for event in changes.new)
        sentence = f"the image's sections are the same; in {seen.name} the running system went on to: {phases}"
        grounds = grounds_of(*changes.new)
        yield Difference("explain.boot-phase", Component.RUNNING_SYSTEM, sentence, (PCR11,), grounds)
        return
    yield Difference(
        "explain.payload",
        Component.RUNNING_SYSTEM,
        f"PCR 11 differs and PCR 4 does not: in {seen.name} the running system, or another stub, measured more or "
        "other things into it than is known here",
        (PCR11,),
        Grounds.INFERRED,
    )
