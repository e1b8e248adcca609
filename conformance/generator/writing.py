# SPDX-License-Identifier: Apache-2.0
"""Writes a case as a vector: `key: value` lines, an empty line, the document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from .recipe import Case, Recipe
from .rules import CLASSES, RULES, table

TABLE_BEGINS = "<!-- rules: generate.py writes what follows -->\n"
TABLE_ENDS = "\n<!-- rules end -->"


def file_name(case: Case) -> str:
    """Return the vector's name: the group of its rule, then its own."""
    return f"{RULES[case.rule].group}-{case.name}"


def _head(case: Case, recipe: Recipe) -> Iterator[tuple[str, str]]:
    rule = RULES[case.rule]
    root = recipe.chain.root if recipe.root is None else recipe.root
    yield "expect", "success" if case.accepted else CLASSES[rule.group]
    yield "rule", rule.id
    yield "spec", rule.source
    if rule.attacks:
        yield "attacks", rule.attacks
    if case.reason:
        yield "optional", "yes"
        yield "reason", case.reason
    yield "comment", case.comment
    if case.same_as:
        yield "same-as", case.same_as
    yield "time", f"{recipe.time:%Y-%m-%dT%H:%M:%SZ}"
    yield "max-age", str(recipe.max_age)
    yield "root-sha256", hashlib.sha256(root).hexdigest()
    yield "root", root.hex()
    yield "nonce", recipe.nonce.hex()
    for index, value in recipe.pcrs.items():
        yield "pcr", f"{index}={value.hex()}"
    for key, bound in (("public-key", recipe.public_key), ("user-data", recipe.user_data)):
        if bound is not None:
            yield key, bound.hex()


def vector(case: Case) -> bytes:
    """Return the vector's bytes."""
    recipe = Recipe()
    case.edit(recipe)
    document = recipe.document()
    lines = "".join(f"{key}: {value}\n" for key, value in _head(case, recipe))
    return lines.encode() + b"\n" + document


def write_all(cases: tuple[Case, ...], folder: Path) -> int:
    """Write every vector, remove every other one, and return how many there are."""
    names = [file_name(case) for case in cases]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.vector"):
        old.unlink()
    for name, case in zip(names, cases, strict=True):
        (folder / f"{name}.vector").write_bytes(vector(case))
    return len(cases)


def write_table(page: Path) -> None:
    """Put the table of rules into its place in a page."""
    before, _, rest = page.read_text().partition(TABLE_BEGINS)
    _, _, after = rest.partition(TABLE_ENDS)
    page.write_text(f"{before}{TABLE_BEGINS}\n{table()}\n{TABLE_ENDS}{after}")
