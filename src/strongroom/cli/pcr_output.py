# SPDX-License-Identifier: Apache-2.0
"""PCRs as text, and PCRs and the bytes of documents as `--json` prints them."""

from __future__ import annotations

from strongroom.formats.pcrs import PcrDigests, PcrIndex


def pcr_lines(index: PcrIndex, digest: bytes, sentence: str, *, indent: str = "") -> tuple[str, str]:
    """Return the two lines that show a PCR: its value, and that in words."""
    return f"{indent}PCR{index:<3} {digest.hex()}", f"{indent}       {sentence}"


def pcr_members(pcrs: PcrDigests) -> dict[str, str]:
    """Return PCRs by their index, in decimal, to their values in hex."""
    return {str(index): digest.hex() for index, digest in pcrs.items()}


def hex_member(value: bytes | None) -> str | None:
    """Return a field of a document in hex, None (null) for one that is absent."""
    return None if value is None else value.hex()
