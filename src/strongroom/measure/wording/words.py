# SPDX-License-Identifier: Apache-2.0
"""What is said of a logged event, and how far a digest vouches for it.

Everything here was written by whoever wrote the log. The rule for words: what is not covered by the digest is either
marked CLAIMED as a whole, or stands in brackets that begin with "the log".
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.formats.event_log import LogEvent
from strongroom.formats.pcrs import PcrBank
from strongroom.measure.banks import bank_digest

MAX_TEXT_CHARACTERS = 1_024
"""Of one text in the words for an event; a kernel's command line has at most 2,048, and rarely 500."""
_SNIPPET_BYTES = 32
_LAYOUT = str.maketrans("", "", "\n\r\t")


class Proof(enum.StrEnum):
    """What stands behind the words for an event, once the replay of its PCR equals an authentic one.

    COVERED does not include the event's type, which no digest covers: it says that the bytes which the words were
    read from are the measured ones, and that such events belong into this PCR. Who measured them follows from what was
    measured into the PCR before. In a SHA-1 bank it says little, as two texts with one digest can be made.
    """

    COVERED = "covered"
    """The words follow from the digest: it is that of the event's data, or of a part or an encoding of it."""
    CLAIMED = "claimed"
    """The words are the log's. Anybody can have written them; only the digest itself is certain."""
    UNMEASURED = "unmeasured"
    """EV_NO_ACTION: no PCR holds anything of this event."""


@dataclass(frozen=True, slots=True)
class Words:
    """What an event is about."""

    about: str
    proof: Proof
    section: str = ""
    """The section of a unified kernel image that this event names; the next event of the PCR has its contents."""
    subject: str = ""
    """What it is about by name, as certain as the words: a variable, a section, a kind of input, a file."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An event to be put into words, with what came before it in its PCR."""

    event: LogEvent
    bank: PcrBank
    after_separator: bool
    """Whether a separator was measured before: the firmware's own configuration comes earlier."""
    section: str = ""
    """The section that the event before this one named."""

    def proof(self, *measured: bytes) -> Proof:
        """Return COVERED if the digest is that of one of these."""
        digest = self.event.digests[self.bank]
        return Proof.COVERED if any(bank_digest(self.bank, each) == digest for each in measured) else Proof.CLAIMED


def quoted(text: str, *, most: int = MAX_TEXT_CHARACTERS) -> str:
    """Return a stranger's text, at most so many characters, in quotes that it cannot close, and fit for a terminal."""
    shown = "".join(c if c.isprintable() and c != '"' else _escaped(c) for c in text[:most])
    return f'"{shown}"' if len(text) <= most else f'"{shown}"…'


def _escaped(character: str) -> str:
    return r"\x22" if character == '"' else character.encode("unicode_escape").decode()


def snippet(data: bytes) -> str:
    """Return the first bytes in hex, and how many there are."""
    rest = "…" if len(data) > _SNIPPET_BYTES else ""
    return f"{len(data)} bytes {data[:_SNIPPET_BYTES].hex()}{rest}" if data else "no data"


def text_of(data: bytes) -> str | None:
    """Return what `data` says in ASCII, UTF-16LE or UTF-8, without closing NULs; None if it is no text."""
    wide = 4 * data[1::2].count(0) >= len(data)  # half of the characters, at least, are Latin
    for encoding in ("ascii", "utf-16-le", "utf-8") if wide else ("ascii", "utf-8"):
        try:
            text = data.decode(encoding).rstrip("\0")
        except UnicodeDecodeError:
            continue
        if text and text.translate(_LAYOUT).isprintable():
            return text
    return None


def shown(data: bytes) -> str:
    """Return data as text where it is one, and in hex where it is not."""
    text = text_of(data)
    return snippet(data) if text is None else quoted(text)


def listed(words: Sequence[str], *, most: int, separator: str = ", ") -> str:
    """Return the first words in one line, and how many more there are; empty for none."""
    more = len(words) - most
    return separator.join([*words[:most], f"{more} more"] if more > 0 else words)


def anything(subject: Subject) -> Words:
    """Return words for an event of which nothing is known: its data."""
    return Words(shown(subject.event.data), subject.proof(subject.event.data))
