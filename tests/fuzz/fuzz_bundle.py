# SPDX-License-Identifier: Apache-2.0
"""One fuzz target: fuzz_bundle.py bundle|escrow|table|cms|ber SEEDS-FOLDER RUNS

The corpus is ours: the bundle vectors and a reply that we wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.errors import FormatError, UsageError
    from strongroom.formats.ber import parse_ber
    from strongroom.formats.bundle import parse_bundle, parse_escrow
    from strongroom.formats.bundle_header import encode_escrow_fields, encode_header_fields
    from strongroom.formats.bundle_table import EntryInfo, encode_table, parse_table
    from strongroom.formats.cms import EnvelopedData, encode_enveloped_data, parse_enveloped_data
    from strongroom.ids import CmsBytes

VECTORS = Path(__file__).parents[1] / "vectors/bundle"


def bundle(data: bytes) -> None:
    try:
        parsed = parse_bundle(data)
    except UsageError:
        return
    assert encode_header_fields(parsed.header.claimed) == parsed.header.signed.payload


def escrow(data: bytes) -> None:
    parsed = parse_escrow(data)
    assert encode_escrow_fields(parsed.claimed) == parsed.signed.payload


def table(data: bytes) -> None:
    assert encode_table(parse_table(data)) == data


def cms(data: bytes) -> None:
    envelope = parse_enveloped_data(CmsBytes(data))
    assert parse_enveloped_data(encode_enveloped_data(envelope)) == envelope


def ber(data: bytes) -> None:
    assert parse_ber(data, maximum_bytes=6144).raw == data


TARGETS: dict[str, Callable[[bytes], None]] = {
    "bundle": bundle,
    "escrow": escrow,
    "table": table,
    "cms": cms,
    "ber": ber,
}


def seeds(target: str) -> list[bytes]:
    vectors = {p.stem: p.read_bytes().partition(b"\n\n")[2] for p in VECTORS.glob("*.vector")}
    assert vectors, f"no vectors in {VECTORS}"
    if target in ("bundle", "escrow"):
        return [
            data for name, data in vectors.items() if len(data) < 4096 and ("escrow" in name) == (target == "escrow")
        ]
    if target == "table":
        return [encode_table([EntryInfo("etc/app", "text/plain", 0o600, 5), EntryInfo("b", "a/b", 0, 0)])]
    return [encode_enveloped_data(EnvelopedData(b"k" * 32, b"e" * 256, b"i" * 16, (b"c" * 48,)))]


def main() -> None:
    target, folder, runs = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(seed)

    def one_input(data: bytes) -> None:
        try:
            TARGETS[target](data)
        except FormatError:
            return

    atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=8192", "-rss_limit_mb=1024", str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
