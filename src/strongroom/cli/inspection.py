# SPDX-License-Identifier: Apache-2.0
"""What `strongroom inspect` knows about a file, and the shape of the functions that find it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file in plain words. `facts` is what `--json` prints; its keys are stable."""

    kind: str
    """A stable word for machines."""
    title: str
    """What it is, as it follows "This is"."""
    lines: tuple[str, ...]
    facts: Mapping[str, object]


Recogniser: TypeAlias = Callable[[bytes], "Inspection | None"]
"""Returns None for bytes of another kind. Raises FormatError for bytes of its kind that are malformed."""
