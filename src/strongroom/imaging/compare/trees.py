# SPDX-License-Identifier: Apache-2.0
"""What differs between two file trees: which files, and what of each."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from strongroom.imaging.compare.difference import (
    Aspect,
    Difference,
    Place,
    compare_bytes,
    compare_values,
    one_sided,
)
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree


def compare_trees(place: Place, left: Tree, right: Tree) -> Iterator[Difference]:
    """Yield what differs, in the order of paths. Times are not among what a tree holds. Raises as the trees do."""
    for path in sorted({*left.nodes, *right.nodes}):
        here = (*place, path)
        one, other = left.nodes.get(path), right.nodes.get(path)
        if one is None or other is None:
            yield one_sided(here, on_left=one is not None)
            continue
        yield from compare_values(here, _aspects(one, other))
        if one.is_file and other.is_file:
            yield from compare_bytes(here, left.view(path), right.view(path))


def _aspects(one: Node, other: Node) -> Iterator[tuple[Aspect, object, object]]:
    for aspect, *values in (
        (Aspect.MODE, stat.filemode(one.mode), stat.filemode(other.mode)),
        (Aspect.OWNER, f"{one.uid}:{one.gid}", f"{other.uid}:{other.gid}"),
        (Aspect.TARGET, one.target, other.target),
        (Aspect.DEVICE, one.device, other.device),
        (Aspect.CAPABILITIES, one.capabilities.hex(), other.capabilities.hex()),
    ):
        yield aspect, values[0], values[1]
