# SPDX-License-Identifier: Apache-2.0
"""Looks through all files of a tree for short byte strings, once for all rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from strongroom.imaging.tree.tree import Tree

IMDS = (b"169.254.169.254", b"fd00:ec2::254")
PRIVATE_KEY = b"PRIVATE KEY"
AWS_KEYS = (b"AKIA", b"ASIA")
TOKENS = (
    *(b"ghp_", b"gho_", b"ghs_", b"github_pat_", b"glpat-", b"xoxb-", b"xoxp-", b"AIza", b"sk_live_", b"npm_"),
    *(b"sk-ant-", b"hvs.", b"AGE-SECRET-KEY-1", b"pypi-AgE", b"dop_v1_", b"SG."),
)
_NEEDLES = (*IMDS, PRIVATE_KEY, *AWS_KEYS, *TOKENS)
_SHOWS_BINARY = 8192


@lru_cache(maxsize=4)
def occurrences(tree: Tree) -> Mapping[bytes, tuple[str, ...]]:
    """Return for each of the byte strings the paths of the files that hold it.

    Programs and libraries are searched for private keys alone: the others are for text, and would be chance there.
    """
    found: dict[bytes, list[str]] = {needle: [] for needle in _NEEDLES}
    for node in tree.files:
        if node.size:
            contents = bytes(tree.view(node.path))
            for needle in _NEEDLES if is_text(contents) else (PRIVATE_KEY,):
                if needle in contents:
                    found[needle].append(node.path)
    return MappingProxyType({needle: tuple(paths) for needle, paths in found.items()})


def files_with(tree: Tree, needles: tuple[bytes, ...]) -> Iterator[str]:
    """Yield the paths of files that hold one of some byte strings, each once."""
    found = occurrences(tree)
    return iter(dict.fromkeys(path for needle in needles for path in found[needle]))


def is_text(contents: bytes) -> bool:
    """Tell whether a file looks like text: no zero byte near its start."""
    return b"\0" not in contents[:_SHOWS_BINARY]
