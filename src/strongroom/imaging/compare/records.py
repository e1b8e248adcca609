# SPDX-License-Identifier: Apache-2.0
"""What differs between two build records: which package, which input, which program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from strongroom.formats.build_record import BuildRecord, FileDigest, parse_build_record
from strongroom.imaging.compare.difference import (
    Aspect,
    Difference,
    Place,
    compare_bytes,
    compare_values,
    following,
    one_sided,
)

_Rows: TypeAlias = Mapping[str, tuple[tuple[Aspect, object], ...]]
_OUTPUTS = "outputs"


def compare_records(place: Place, left: bytes, right: bytes) -> Iterator[Difference]:
    """Yield what differs, entry by entry. Digests of outputs follow from those. Raises FormatError for no record."""
    one, other = parse_build_record(left), parse_build_record(right)
    if one == other:
        yield from compare_bytes(place, memoryview(left), memoryview(right))
        return
    yield from _rows(place, _facts(one), _facts(other))
    for name in ("inputs", "packages", "tools"):
        yield from _rows((*place, name), _table(one, name), _table(other, name))
    outputs = _rows((*place, _OUTPUTS), _files(one.outputs), _files(other.outputs))
    yield from following(outputs, "the outputs themselves")


def _rows(place: Place, lefts: _Rows, rights: _Rows) -> Iterator[Difference]:
    for name in sorted({*lefts, *rights}):
        here = (*place, name)
        if name not in lefts or name not in rights:
            yield one_sided(here, on_left=name in lefts)
            continue
        pairs = zip(lefts[name], rights[name], strict=True)
        yield from compare_values(here, ((aspect, one, other) for (aspect, one), (_, other) in pairs))


def _facts(record: BuildRecord) -> _Rows:
    return {
        "image": ((Aspect.CONTENTS, record.image),),
        "architecture": ((Aspect.CONTENTS, record.architecture),),
        "variant": ((Aspect.CONTENTS, record.variant),),
        "source_date_epoch": ((Aspect.CONTENTS, record.source_date_epoch),),
        "base": ((Aspect.CONTENTS, f"{record.base.kind} {record.base.name}"),),
        "spec": ((Aspect.CONTENTS, record.spec.sha256.hex()),),
    }


def _table(record: BuildRecord, name: str) -> _Rows:
    if name == "inputs":
        return _files(record.inputs)
    if name == "tools":
        return {each.name: ((Aspect.VERSION, each.version),) for each in record.tools}
    return {
        f"{each.name}:{each.architecture}": ((Aspect.VERSION, each.version), (Aspect.CONTENTS, each.sha256.hex()))
        for each in record.packages
    }


def _files(files: Iterable[FileDigest]) -> _Rows:
    return {each.name: ((Aspect.CONTENTS, each.sha256.hex()),) for each in files}
