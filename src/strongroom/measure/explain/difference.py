# SPDX-License-Identifier: Apache-2.0
"""What an explanation is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from strongroom.formats.pcrs import GATES, PcrIndex
from strongroom.measure.events import Event


class Component(enum.StrEnum):
    """What can move. The values are stable: `--json` prints them."""

    SECTION = "uki-section"
    STUB = "uki-stub"
    IMAGE = "uki"
    BOOT_PATH = "boot-path"
    DRIVER = "efi-driver"
    COMMAND_LINE = "added-command-line"
    CREDENTIAL = "added-credential"
    EXTENSION = "added-extension"
    ADDED = "added-input"
    SECURE_BOOT = "secure-boot"
    KERNEL_INPUTS = "kernel-inputs"
    FIRMWARE = "firmware"
    CONFIGURATION = "machine-configuration"
    PARTITIONS = "partition-table"
    RUNNING_SYSTEM = "running-system"
    EVENT_LOG = "event-log"


class Grounds(enum.StrEnum):
    """How well a sentence is founded."""

    PROVEN = "proven"
    """Digests show it."""
    LOGGED = "logged"
    """Digests show that something moved; what it is, the event log says alone. So with all that a log says for which
    no document vouches."""
    INFERRED = "inferred"
    """The register has this one purpose; only its value is known."""


def grounds_of(*events: Event) -> Grounds:
    """Return how well a sentence about events is founded: as well as about the one with the least behind it."""
    return Grounds.LOGGED if any(event.claimed for event in events) else Grounds.PROVEN


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that moved. `code` is stable; `sentence` says what was expected and what was seen, for people."""

    code: str
    component: Component
    sentence: str
    pcrs: tuple[PcrIndex, ...]
    grounds: Grounds
    details: tuple[str, ...] = ()
    """What exactly came and went, where that is a list."""
    subject: str = ""
    """Name of the section, variable or program, where there is one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The differences between two accounts, those that policies gate on first."""

    reference: str
    """What the first account is called."""
    seen: str
    differences: tuple[Difference, ...]
    same: tuple[PcrIndex, ...]
    """PCRs that both accounts know, and agree on."""
    unknown: tuple[PcrIndex, ...]
    """PCRs of the gate set that one of them does not know."""
    notes: tuple[str, ...] = field(default=())

    @property
    def gated(self) -> tuple[Difference, ...]:
        """The differences that keep a machine from being trusted: in the gate set, PCR 7 also with Secure Boot off."""
        return tuple(each for each in self.differences if set(each.pcrs) & set(GATES))

    @property
    def ungated(self) -> tuple[Difference, ...]:
        """The others."""
        return tuple(each for each in self.differences if not set(each.pcrs) & set(GATES))
