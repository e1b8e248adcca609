# SPDX-License-Identifier: Apache-2.0
"""What is known of the image that booted: by an image all, by a file its facts, by a log what the stub measured."""

from __future__ import annotations

import enum
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.formats.measurements import ImageFacts, Measurements
from strongroom.formats.pcrs import SHA384_BYTES, PcrIndex
from strongroom.formats.uki import MEASURABLE_SECTIONS, Uki
from strongroom.measure.events import Event, replay
from strongroom.measure.predict import section_events
from strongroom.measure.stub import PCR11_ORDERS, Stub

PCR11 = PcrIndex(11)
_TEXT_ENDS = (b"", b"\n", b"\0", b"\n\0")
_TEXT_SECTIONS = (".cmdline", ".osrel", ".uname")
_SECTION_NAMES = {hashlib.sha384(name.encode() + b"\0").digest(): name for name in MEASURABLE_SECTIONS}
"""The digest that proves a section's name."""


class Coverage(enum.Enum):
    """Which sections of an image an account knows."""

    NONE = "none"
    MEASURED = "those that the stub measured into PCR 11"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ImageParts:
    """What is known of the image that booted. Digests are SHA-384; those of programs are Authenticode digests."""

    uki: bytes | None = None
    kernel: bytes | None = None
    """None where it is not known, or where the firmware does not measure it."""
    stub: str = ""
    sections: Mapping[str, bytes] = field(default_factory=dict)
    """Digest of what each section holds, for those that `coverage` says."""
    coverage: Coverage = Coverage.NONE
    measured: tuple[str, ...] = ()
    """The sections that the image's stub measures, where that is known."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The sections that are text, where their contents are known."""


def parts_of_image(uki: Uki, stub: Stub, *, sections: Mapping[str, bytes], loaded: Sequence[bytes]) -> ImageParts:
    """Return everything; `loaded` are the programs that the firmware loads: the image, perhaps its kernel."""
    texts = {name: text for name in _TEXT_SECTIONS if (text := uki.section(name))}
    return ImageParts(
        uki=loaded[0],
        kernel=loaded[1] if len(loaded) > 1 else None,
        stub=f"{stub.name} {stub.version}",
        sections=sections,
        coverage=Coverage.ALL,
        measured=stub.pcr11_sections,
        texts={name: bytes(text).decode("utf-8", "replace").rstrip("\0\n") for name, text in texts.items()},
    )


def parts_of_measurements(measurements: Measurements) -> ImageParts:
    """Return what the facts in a measurements file say, as far as they agree with the file's own values."""
    facts = measurements.strongroom or ImageFacts()
    sections = {section: digest for section, text in facts.sections if (digest := _digest(text))}
    if not _lead_to_pcr11(sections, measurements):
        sections = {}
    return ImageParts(
        uki=_digest(facts.uki_digest),
        kernel=_digest(facts.kernel_digest),
        stub=f"{facts.stub} {facts.stub_version}".strip(),
        sections=sections,
        coverage=Coverage.ALL if sections else Coverage.NONE,
        texts={".cmdline": facts.command_line} if _is_text_of(sections.get(".cmdline"), facts.command_line) else {},
    )


def _lead_to_pcr11(sections: Mapping[str, bytes], measurements: Measurements) -> bool:
    """Tell whether the sections lead to the file's own PCR 11, in the order of a known stub.

    A file without PCR 11, as for a stub whose order is not known, has nothing to compare them with.
    """
    if PCR11 not in measurements.pcrs:
        return True
    orders = (section_events(order, sections) for order in PCR11_ORDERS)
    return any(replay(events, pcrs=[PCR11])[PCR11] == measurements.pcrs[PCR11] for events in orders)


def _is_text_of(digest: bytes | None, text: str) -> bool:
    """Tell whether a section with this digest holds the text, with whatever closes it."""
    return any(hashlib.sha384(text.encode() + end).digest() == digest for end in _TEXT_ENDS)


def _digest(text: str) -> bytes | None:
    """Return a fact as a digest; a file may hold anything there, and what is none says nothing."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        return None
    return digest if len(digest) == SHA384_BYTES else None


def parts_of_events(events: Sequence[Event]) -> ImageParts:
    """Return which sections went into PCR 11: a digest of the name, then one of the contents (systemd-stub(7))."""
    pcr11 = [event for event in events if event.pcr == PCR11]
    sections: dict[str, bytes] = {}
    for name, contents in itertools.pairwise(pcr11):
        if name.digest in _SECTION_NAMES:
            sections.setdefault(_SECTION_NAMES[name.digest], contents.digest)
    return ImageParts(sections=sections, coverage=Coverage.MEASURED if sections else Coverage.NONE)
