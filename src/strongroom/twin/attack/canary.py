# SPDX-License-Identifier: Apache-2.0
"""A canary: a secret that exists to be looked for. And the forms that it would have where it leaked.

Looked for are the text itself, UTF-16 in both byte orders, hex in both cases, plain and as hex dumps space it, and
base64 and base64url at each of the three places that a secret may have between other bytes of a longer encoding.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

_PREFIX = "canary-"
_RANDOM_BYTES = 16
_GROUP_BYTES = 3


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a canary."""

    name: str
    needle: bytes


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret of printable ASCII that occurs nowhere by chance."""

    text: str

    @classmethod
    def make(cls) -> Canary:
        """Return a new one, 128 bits of it random."""
        return cls(_PREFIX + secrets.token_hex(_RANDOM_BYTES))

    @property
    def forms(self) -> tuple[Form, ...]:
        """Every form that is looked for; where two are the same bytes, the first."""
        plain = self.text.encode("ascii")
        all_forms = (
            Form("plain", plain),
            Form("UTF-16LE", self.text.encode("utf-16-le")),
            Form("UTF-16BE", self.text.encode("utf-16-be")),
            *_hex_forms(plain),
            *_base64_forms(plain),
        )
        return tuple({form.needle: form for form in reversed(all_forms)}.values())[::-1]

    def found_in(self, data: bytes) -> tuple[str, ...]:
        """Return the names of the forms that occur in `data`."""
        return tuple(form.name for form in self.forms if form.needle in data)


def _hex_forms(plain: bytes) -> Iterator[Form]:
    for name, separator in (("hex", ""), ("spaced hex", " ")):
        text = plain.hex(separator) if separator else plain.hex()
        yield Form(name, text.encode())
        yield Form(f"{name}, upper case", text.upper().encode())


def _base64_forms(plain: bytes) -> Iterator[Form]:
    for before in range(_GROUP_BYTES):
        behind = -(before + len(plain)) % _GROUP_BYTES
        framed = bytes(before) + plain + bytes(behind)
        # Only characters that no neighbouring byte has a part in.
        ours = slice(_characters_touched(before), -_characters_touched(behind) or None)
        yield Form(f"base64 at {before}", base64.b64encode(framed)[ours])
        yield Form(f"base64url at {before}", base64.urlsafe_b64encode(framed)[ours])


def _characters_touched(count: int) -> int:
    """Return how many characters of six bits this many bytes at an end have a part in."""
    return -(-count * 8 // 6)
