# SPDX-License-Identifier: Apache-2.0
"""Whom `strongroom verify` believes: the roots it was told to trust, what it was told to refuse, and who vouched."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from strongroom.appraisal.deny_list import NOTHING_DENIED
from strongroom.appraisal.endorsements import NitroRoots, root_name
from strongroom.appraisal.evidence import VerifiedEnclaveEvidence, VerifiedEvidence
from strongroom.cli.hex_options import read_hex
from strongroom.cli.paths import named
from strongroom.errors import Finding, Severity
from strongroom.flows.files import read_file
from strongroom.formats.deny_list import MAX_DENY_LIST_BYTES, DenyList, parse_deny_list

Denied = TypeVar("Denied")
MAX_PEM_BYTES = 262_144
"""Of a file of certificates."""

_UNSIGNED = Finding(
    "deny-list.unsigned",
    "the deny list is not signed: whoever can write the file decides what it refuses and what it lets pass",
    severity=Severity.NOTE,
)


def read_roots(files: Sequence[Path], fingerprints: Sequence[str]) -> NitroRoots:
    """Return exactly the roots that were named, in PEM files or by SHA-256; AWS's when none was."""
    roots = [_roots_in(path) for path in files]
    if fingerprints:
        roots.append(NitroRoots.from_fingerprints(*map(_sha256, fingerprints)))
    return functools.reduce(operator.or_, roots) if roots else NitroRoots.aws()


def _roots_in(path: Path) -> NitroRoots:
    with named(path):
        return NitroRoots.from_pem(read_file(path, maximum_bytes=MAX_PEM_BYTES))


def _sha256(text: str) -> bytes:
    """Read a fingerprint as people have it: hex digits, with colons between them where openssl wrote it."""
    return read_hex("--root-sha256", text.replace(":", ""))


def read_deny_lists(files: Sequence[Path]) -> DenyList:
    """Return what any of the files denies; nothing without files."""
    return functools.reduce(operator.or_, map(_deny_list_in, files), NOTHING_DENIED)


def _deny_list_in(path: Path) -> DenyList:
    with named(path):
        found = parse_deny_list(read_file(path, maximum_bytes=MAX_DENY_LIST_BYTES))
    return DenyList(
        _reasons_of(path, found.certificates),
        _reasons_of(path, found.modules),
        _reasons_of(path, found.instances),
    )


def _reasons_of(path: Path, denied: Mapping[Denied, str]) -> Mapping[Denied, str]:
    """Return the entries with their file in each reason, so that a refusal names the list that it comes from."""
    return MappingProxyType({each: f"{reason} (in {path})" for each, reason in denied.items()})


def deny_notices(files: Sequence[Path]) -> tuple[Finding, ...]:
    """Return what the reader of a verdict has to know about the deny lists that were used."""
    return (_UNSIGNED,) if files else ()


def root_facts(evidence: VerifiedEvidence | VerifiedEnclaveEvidence) -> dict[str, str | None]:
    """Return which root vouched, for programs. The keys are stable."""
    return {"root_sha256": evidence.root_sha256.hex(), "root_name": root_name(evidence.root_sha256)}


def root_line(evidence: VerifiedEvidence | VerifiedEnclaveEvidence) -> str:
    """Return the same in words."""
    name = root_name(evidence.root_sha256) or "not AWS's: it was named as trusted here"
    return f"its root is {evidence.root_sha256.hex()} ({name})"
