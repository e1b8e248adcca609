# SPDX-License-Identifier: Apache-2.0
"""PCRs and the bytes of documents as commands show them: in hex, with the PCR's meaning in a sentence for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import PcrDigests, PcrIndex


def pcr_lines(
    pcrs: PcrDigests, *, indent: str = "", sentence: Callable[[PcrIndex, bytes], str] = pcr_sentence
) -> Iterator[str]:
    """Yield each PCR with what its value means, for people."""
    for index, digest in pcrs.items():
        yield f"{indent}PCR{index:<3} {digest.hex()}\n{indent}       {sentence(index, digest)}"


def pcr_members(pcrs: PcrDigests) -> dict[str, str]:
    """Return PCRs as `--json` prints them: index to value."""
    return {str(index): digest.hex() for index, digest in pcrs.items()}


def hex_member(value: bytes | None) -> str | None:
    """Return a field of a document as `--json` prints it; null for one that is absent."""
    return None if value is None else value.hex()
