# SPDX-License-Identifier: Apache-2.0
"""Bundles, their headers, escrow files and tables of entries. The seeds are the bundle vectors, which are ours."""

import functools
from pathlib import Path

from tests.fuzz.target import Target

from strongroom.errors import FormatError, UsageError
from strongroom.formats.bundle import parse_bundle, parse_bundle_header, parse_escrow
from strongroom.formats.bundle_header import encode_escrow_fields, encode_header_fields
from strongroom.formats.bundle_table import EntryInfo, encode_table, parse_table

VECTORS = Path(__file__).parents[2] / "vectors/bundle"
SMALL_BYTES = 1_536


def bundle(data: bytes) -> None:
    parsed = parse_bundle(data)
    assert encode_header_fields(parsed.header.claimed) == parsed.header.signed.payload
    assert len(parsed.body) + len(parsed.hash_table) + parsed.header.signed.end == len(data)


def header(data: bytes) -> None:
    """What stands behind a header is nothing to it."""
    parsed = parse_bundle_header(data)
    assert encode_header_fields(parsed.claimed) == parsed.signed.payload
    assert parse_bundle_header(data[: parsed.signed.end]) == parsed


def escrow(data: bytes) -> None:
    parsed = parse_escrow(data)
    assert encode_escrow_fields(parsed.claimed) == parsed.signed.payload


def table(data: bytes) -> None:
    assert encode_table(parse_table(data)) == data


@functools.cache
def vectors() -> dict[str, bytes]:
    found = {path.stem: path.read_bytes().partition(b"\n\n")[2] for path in sorted(VECTORS.glob("*.vector"))}
    assert found, f"no vectors in {VECTORS}"
    return found


def bundles() -> list[bytes]:
    small = [data for name, data in vectors().items() if len(data) < SMALL_BYTES and "escrow" not in name]
    return [vectors()["good"], *small]


def escrows() -> list[bytes]:
    return [vectors()["good-escrow"], *(data for name, data in vectors().items() if "escrow" in name)]


def tables() -> list[bytes]:
    return [encode_table([EntryInfo("etc/app", "text/plain", 0o600, 5), EntryInfo("b", "a/b", 0, 0)])]


def many_entries() -> list[bytes]:
    return [encode_table([EntryInfo(f"f{n}", "a/b", 0o600, 0) for n in range(count)]) for count in (256, 1_000)]


TARGETS = (
    Target("bundles.bundle", bundle, bundles, (FormatError, UsageError)),
    Target("bundles.header", header, bundles),
    Target("bundles.escrow", escrow, escrows),
    Target("bundles.table", table, tables, max_bytes=1_024, worst=many_entries),
)
