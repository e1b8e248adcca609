# SPDX-License-Identifier: Apache-2.0
"""Entry names of bundles on their way to becoming file names: whoever seals is not trusted to place files.

The rules are those of docs/formats/bundle.md section 7; a bundle that `flows.open_bundle` returned keeps them already.
They are applied again where a name meets the file system, so that delivery does not rest on who called it.
"""

from __future__ import annotations

from strongroom.errors import FormatError
from strongroom.formats.names import ENTRY_NAME

MAX_NAME = 255 + 1 + 255
"""Characters: the folder of a bundle, a slash, the name of an entry."""


def segments_of(name: str) -> tuple[str, ...]:
    """Return the parts of an entry name: each names one thing in one folder and can lead nowhere else.

    Raises FormatError for an absolute name, `.` and `..`, empty parts, NUL and every other odd character.
    """
    if len(name) > MAX_NAME or not ENTRY_NAME.fullmatch(name):
        raise FormatError(
            "delivery.name",
            f"expected an entry name that stays inside its folder, found {name[:300]!r}",
            spec="docs/formats/bundle.md section 7",
        )
    return tuple(name.split("/"))
