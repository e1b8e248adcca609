# SPDX-License-Identifier: Apache-2.0
"""Reads a policy file and the measurements files it names, so that errors say in which file something is wrong."""

from __future__ import annotations

from pathlib import Path

from strongroom.appraisal.composition import AllOf
from strongroom.appraisal.policy_file import assumptions, rule_of
from strongroom.cli.paths import named
from strongroom.errors import Finding, LocalFault
from strongroom.flows.files import read_file
from strongroom.formats.appraisal_policy import MAX_BYTES, parse_appraisal_policy
from strongroom.formats.measurements import MAX_FILE_BYTES, Measurements, parse_measurements


def read_policy(path: Path) -> tuple[AllOf, tuple[Finding, ...]]:
    """Return the rule of a policy file, and what was assumed of the measurements it names.

    Their paths are relative to its folder. Raises FormatError, LocalFault, and UsageError as `rule_of`.
    """
    with named(path):
        policy = parse_appraisal_policy(read_file(path, maximum_bytes=MAX_BYTES))
    files = {name: _read_measurements_of(path, name) for name in policy.paths()}
    return rule_of(policy, files), assumptions(policy, files)


def _read_measurements_of(policy: Path, name: str) -> Measurements:
    """Return the measurements that a policy names, and let errors say which policy that is."""
    try:
        return read_measurements_file(policy.parent / name)
    except LocalFault as error:
        message = f"{error.message}: the policy {policy} names it as {name!r}"
        remedy = f"Paths in a policy file count from its own folder. {error.remedy}".strip()
        raise LocalFault(error.code, message, remedy=remedy) from error


def read_measurements_file(path: Path) -> Measurements:
    """Return the measurements in a file. Raises FormatError, which names the file, and LocalFault."""
    with named(path, missing="`strongroom measure IMAGE -o FILE` writes one."):
        return parse_measurements(read_file(path, maximum_bytes=MAX_FILE_BYTES))
