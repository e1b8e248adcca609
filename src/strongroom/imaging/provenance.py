# SPDX-License-Identifier: Apache-2.0
"""Where an image comes from, in the words of others: an in-toto Statement (v1) with SLSA's provenance (v1) inside.

It says what the build record says, for tools that read no build record: https://in-toto.io/Statement/v1 and
https://slsa.dev/spec/v1.0/provenance. It is **not signed** here: whoever relies on it has to get it from somebody they
believe, in a signed release. Times and invocation ids, which SLSA allows, are left out: equal builds write equal bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from strongroom.errors import LocalFault
from strongroom.formats import strict_json
from strongroom.formats.build_record import Base, BuildRecord, DebianPackage, FileDigest, encode_build_record

BUILD_TYPE = "urn:strongroom:image-build:1"
"""What `externalParameters` and `internalParameters` mean: docs/formats/build-record.md, section "Provenance"."""
BUILDER = "urn:strongroom:builder:unattested"
"""Whoever ran the program, on a machine about which nothing is claimed (SLSA build level 1 without a signature)."""
BUILD_RECORD_NAME = "build.json"
PROVENANCE_NAME = "provenance.intoto.json"

_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"


def digest_file(path: Path, name: str) -> FileDigest:
    """Return size and SHA-256 of a file, under the name that it shall have in a record.

    Raises LocalFault where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return FileDigest(name, digest, file.tell())
    except OSError as error:
        raise LocalFault("file.unreadable", f"cannot read {path}: {error.strerror}") from error


def digest_outputs(folder: Path, names: Sequence[str]) -> tuple[FileDigest, ...]:
    """Return the digests of the named files of an output folder. Raises LocalFault."""
    return tuple(digest_file(folder / name, name) for name in sorted(names))


def package_url(package: DebianPackage, base: Base) -> str:
    """Return the package URL of a `.deb` (github.com/package-url, type `deb`), with its suite where that is known."""
    version = quote(package.version, safe=":")
    distribution = f"&distro={quote(base.name)}" if base.kind == "debian" else ""
    return f"pkg:deb/debian/{quote(package.name)}@{version}?arch={package.architecture}{distribution}"


def encode_provenance(record: BuildRecord) -> bytes:
    """Return the statement about everything that a build wrote: JSON, equal for equal records."""
    return strict_json.encode(
        {
            "_type": _STATEMENT,
            "subject": [_artifact(each) for each in sorted(record.outputs, key=lambda each: each.name)],
            "predicateType": _PREDICATE,
            "predicate": {"buildDefinition": _definition(record), "runDetails": _run(record)},
        }
    )


def _artifact(file: FileDigest) -> dict[str, object]:
    return {"name": file.name, "digest": {"sha256": file.sha256.hex()}}


def _definition(record: BuildRecord) -> dict[str, object]:
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "image": record.image,
            "architecture": record.architecture.value,
            "variant": record.variant,
            "spec": _artifact(record.spec),
        },
        "internalParameters": {
            "source_date_epoch": record.source_date_epoch,
            "base": {"kind": record.base.kind, "name": record.base.name},
        },
        "resolvedDependencies": list(_dependencies(record)),
    }


def _dependencies(record: BuildRecord) -> Iterator[dict[str, object]]:
    for each in sorted(record.inputs, key=lambda each: each.name):
        yield _artifact(each)
    for package in sorted(record.packages, key=lambda each: each.identity):
        yield {"uri": package_url(package, record.base), "digest": {"sha256": package.sha256.hex()}}


def _run(record: BuildRecord) -> dict[str, object]:
    encoded = encode_build_record(record)
    itself = FileDigest(BUILD_RECORD_NAME, hashlib.sha256(encoded).digest(), len(encoded))
    return {
        "builder": {"id": BUILDER, "version": {each.name: each.version for each in record.tools}},
        "byproducts": [_artifact(itself)],
    }
