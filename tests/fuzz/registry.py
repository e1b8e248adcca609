# SPDX-License-Identifier: Apache-2.0
"""All fuzz targets: the areas of `targets/`, each a file with its `TARGETS`."""

from __future__ import annotations

import importlib

from tests.fuzz.target import Target

AREAS = (
    "cbor",
    "documents",
    "certificates",
    "cms",
    "images",
    "disks",
    "uefi",
    "logs",
    "identity",
    "console",
    "files",
    "bundles",
    "policies",
    "replies",
    "tpm",
    "inspection",
    "trees",
    "audit",
    "hosts",
    "nitrotpm",
)
PLANTED = "careless"
"""Readers with one bug each, which the fuzzer and the limits have to find."""


def targets_of(area: str) -> tuple[Target, ...]:
    """Return the targets of an area. Imports nothing of the others: a run should instrument what it reads with."""
    targets: tuple[Target, ...] = importlib.import_module(f"tests.fuzz.targets.{area}").TARGETS
    return targets


def every_target() -> tuple[Target, ...]:
    """Return all targets but the planted ones."""
    return tuple(target for area in AREAS for target in targets_of(area))


def find(name: str) -> Target:
    """Return a target by its name, a planted one too. Raises KeyError."""
    area = name.partition(".")[0]
    found = targets_of(area) if area in (*AREAS, PLANTED) else ()
    return {target.name: target for target in found}[name]
