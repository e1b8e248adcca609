# SPDX-License-Identifier: Apache-2.0
"""Reads vectors that describe themselves: `key: value` lines, an empty line, then the bytes (README.md beside this)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

CLASSES = ("success", "format", "not-authentic", "not-trusted", "refused", "unwrap")
ALWAYS = ("expect", "spec", "comment")


@dataclass(frozen=True)
class Vector:
    """One vector. `head` maps a key to all its values, in order."""

    name: str
    head: dict[str, list[str]]
    payload: bytes

    def one(self, key: str) -> str:
        (value,) = self.head[key]
        return value


def load_vector(path: Path, keys: Collection[str]) -> Vector:
    """Read one vector whose head has only ALWAYS and `keys`."""
    text, separator, payload = path.read_bytes().partition(b"\n\n")
    assert separator, f"{path}: no empty line"
    head: dict[str, list[str]] = {}
    for line in text.decode().splitlines():
        key, colon, value = line.partition(": ")
        assert colon, f"{path}: a line without a key: {line}"
        assert key in (*ALWAYS, *keys), f"{path}: unknown key {key}"
        head.setdefault(key, []).append(value)
    vector = Vector(path.stem, head, payload)
    assert all(vector.one(key) for key in ALWAYS), f"{path}: lacks one of {ALWAYS}"
    assert vector.one("expect") in CLASSES, f"{path}: unknown class {vector.one('expect')}"
    return vector


def load_vectors(folder: Path, keys: Collection[str]) -> list[Vector]:
    """Read every `*.vector` of a folder, of which there is at least one."""
    paths = sorted(folder.glob("*.vector"))
    assert paths, f"no vectors in {folder}"
    return [load_vector(path, keys) for path in paths]
