# SPDX-License-Identifier: Apache-2.0
"""Reference measurements of an image, and the file they travel in.

The file is AWS's `pcr_measurements.json` (EC2 User Guide, "Attestable AMIs"; written by `nitro-tpm-pcr-compute`)::

    {"Measurements": {"HashAlgorithm": "SHA384 { ... }", "PCR4": "…", "PCR7": "…", "PCR12": "…"}}

with `PCR2`, `PCR11` and `PCR13` beside them where we wrote it, and an optional sibling object `strongroom` that says
what was measured (docs/formats/measurements.md). AWS's file is read as it is: what it leaves out is taken as the
constant it has to be, and `Measurements.findings` says so. The file is unsigned; whoever relies on it has to know where
it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.errors import Finding, FormatError, Severity
from strongroom.formats import strict_json
from strongroom.formats.pcrs import (
    GATES,
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrDigests,
    PcrIndex,
)
from strongroom.formats.tree import Node, shown

MAX_FILE_BYTES = 65_536
"""Far above any real file, far below what could hurt."""
MAX_FACT_CHARACTERS = 4_096
"""A kernel command line may have that many (COMMAND_LINE_SIZE of arm64 is 2,048, of x86 as well)."""

PREDICTED = tuple(map(PcrIndex, (2, 4, 7, 11, 12, 13)))
"""The PCRs a measurements file may hold: those that follow from an image alone."""
AWS_PREDICTED = tuple(map(PcrIndex, (4, 7, 12)))
"""The PCRs that `nitro-tpm-pcr-compute` writes."""
CONSTANTS: Mapping[int, bytes] = {
    2: SEPARATOR_ONLY_SHA384,
    12: ZERO_SHA384,
    13: ZERO_SHA384,
}
"""What PCRs hold that files may leave out: no EFI driver ran, no command line, credential or extension was added."""
_REQUIRED = tuple(index for index in PREDICTED if index in GATES)
_NEVER_ZERO = tuple(map(PcrIndex, (2, 4, 7)))

_SPEC = "AWS pcr_measurements.json"
_HASH_ALGORITHM = re.compile(r"SHA384(\s.*)?", re.DOTALL)
_HEX = re.compile(r"[0-9A-Fa-f]*")
_ENCLAVE_PCRS = frozenset(("PCR0", "PCR1"))
_SHA256_HEX_DIGITS = 64
_FACT_KEYS = (
    *("image_id", "architecture", "root_hash", "uki_digest", "kernel_digest", "stub", "stub_version"),
    "command_line",
)
_TABLES = ("sections", "build_inputs")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The `strongroom` object: what was measured, as text. Nothing here is compared with evidence; empty is unknown."""

    image_id: str = ""
    """The vendor's name for the image, or an AMI id."""
    architecture: str = ""
    """`x86_64` or `arm64`, as in RegisterImage."""
    root_hash: str = ""
    """dm-verity root hash, lower-case hex, as in the kernel command line."""
    uki_digest: str = ""
    """SHA-384 Authenticode digest of the UKI, lower-case hex: the same whether it is signed or not."""
    kernel_digest: str = ""
    """The same of the kernel inside it, where the firmware measures that too."""
    stub: str = ""
    stub_version: str = ""
    command_line: str = ""
    """The kernel command line inside the image."""
    sections: tuple[tuple[str, str], ...] = ()
    """Name and SHA-384 in lower-case hex of what each payload section holds: tells which one moved."""
    build_inputs: tuple[tuple[str, str], ...] = ()
    """Name and version or digest of what went into the image."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """SHA-384 reference values of one image. Always holds the whole gate set: PCR 2, 4, 7, 12 and 13.

    Raises FormatError when one of them is missing, or when PCR 2, 4 or 7 is all zero: no measured boot leaves them so,
    and such a value would admit a machine on which nothing was measured (ATTACKS B8, A12).
    """

    pcrs: PcrDigests
    assumed: frozenset[PcrIndex] = field(default=frozenset())
    """The PCRs that were not in the file and were taken as their constants."""
    strongroom: ImageFacts | None = None

    def __post_init__(self) -> None:
        for index in _REQUIRED:
            if index not in self.pcrs:
                raise FormatError("measurements.missing-pcr", f"expected PCR{index}, found none", spec=_SPEC)
        for index in _NEVER_ZERO:
            if self.pcrs[index] == ZERO_SHA384:
                raise FormatError(
                    "measurements.zero-pcr",
                    f"expected PCR{index} of a measured boot, found all zeros: nothing was measured into it",
                    spec=_SPEC,
                    remedy="Measure the image again; a value of zeros would admit a machine that measured nothing.",
                )
        for index in self.pcrs:
            if index not in PREDICTED:
                raise FormatError(
                    "measurements.unpredictable-pcr",
                    f"expected only PCRs that follow from an image ({_names(PREDICTED)}), found PCR{index}",
                    spec=_SPEC,
                )

    @property
    def gates(self) -> tuple[PcrIndex, ...]:
        """The PCRs to gate on: the gate set, without PCR 7 when Secure Boot is off (then it says nothing)."""
        off = self.pcrs[PcrIndex(7)] == SECURE_BOOT_OFF_PCR7_SHA384
        return tuple(index for index in GATES if not (off and index == PcrIndex(7)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One finding, `measurements.assumed`, for each PCR that was not in the file."""
        return tuple(
            Finding(
                "measurements.assumed",
                f"PCR{index} was not given; taken as its constant {_short(self.pcrs[index])}",
                severity=Severity.NOTE,
                pcr=index,
            )
            for index in sorted(self.assumed)
        )


def parse_measurements(data: bytes) -> Measurements:
    """Read a measurements file, AWS's or ours.

    Raises FormatError for anything unknown, duplicate, missing, or not 48 bytes of hex.
    """
    return read_measurements(strict_json.parse(data, maximum_bytes=MAX_FILE_BYTES, spec=_SPEC))


def read_measurements(node: Node) -> Measurements:
    """Read what stands in a measurements file, wherever it stands. Raises FormatError as `parse_measurements`."""
    members = node.record(("Measurements",), ("strongroom",))
    given = _pcrs(members["Measurements"])
    facts = _facts(members["strongroom"]) if "strongroom" in members else None
    try:
        return Measurements(
            pcrs=PcrDigests.of({**CONSTANTS, **given}),
            assumed=frozenset(PcrIndex(index) for index in CONSTANTS if index not in given),
            strongroom=facts,
        )
    except FormatError as error:  # which knows the values, and not where they stand
        raise members["Measurements"].refused(error.code, error.message, remedy=error.remedy) from error


def encode_measurements(measurements: Measurements) -> bytes:
    """Return the file with every predicted PCR and the `strongroom` object. Equal measurements give equal bytes."""
    document = _document(measurements, PREDICTED)
    if measurements.strongroom is not None:
        document["strongroom"] = _encode_facts(measurements.strongroom)
    return _encode(document)


def encode_aws_measurements(measurements: Measurements) -> bytes:
    """Return the file as AWS's tool writes it: PCR 4, 7 and 12, and nothing else."""
    return _encode(_document(measurements, AWS_PREDICTED))


def _document(measurements: Measurements, indices: Sequence[PcrIndex]) -> dict[str, object]:
    values = {f"PCR{index}": measurements.pcrs[index].hex() for index in indices if index in measurements.pcrs}
    return {"Measurements": {"HashAlgorithm": "SHA384 { ... }", **values}}


def _encode(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _encode_facts(facts: ImageFacts) -> dict[str, object]:
    known: dict[str, object] = {key: getattr(facts, key) for key in _FACT_KEYS if getattr(facts, key)}
    return known | {key: dict(getattr(facts, key)) for key in _TABLES if getattr(facts, key)}


def _pcrs(node: Node) -> dict[int, bytes]:
    names = {f"PCR{index}": index for index in PREDICTED}
    given = dict(node.table())
    if given.keys() >= _ENCLAVE_PCRS and "PCR4" not in given:
        raise node.refused(
            "measurements.enclave",
            "expected PCR4 and PCR7 of an instance, found PCR0 and PCR1",
            remedy="This looks like the measurements of a Nitro Enclave image, which has other PCRs.",
        )
    members = node.record(("HashAlgorithm",), tuple(names))
    algorithm = members["HashAlgorithm"].string()
    if not _HASH_ALGORITHM.fullmatch(algorithm):
        raise members["HashAlgorithm"].refused(
            "measurements.hash-algorithm", f"expected HashAlgorithm SHA384, found {shown(algorithm)}"
        )
    return {names[name]: read_digest(each) for name, each in members.items() if name in names}


def read_digest(node: Node) -> bytes:
    """Read a value of the SHA-384 bank in hex. Raises FormatError, and says so if it is one of the SHA-256 bank."""
    value = node.string()
    if not _HEX.fullmatch(value):
        raise node.refused("measurements.not-hex", f"expected hex, found {shown(value)}")
    if len(value) == _SHA256_HEX_DIGITS:
        raise node.refused(
            "measurements.sha256",
            f"expected a value from the SHA-384 bank ({2 * SHA384_BYTES} hex digits), found a SHA-256 value",
            remedy="NitroTPM documents carry the SHA-384 bank only; compute the value again with SHA-384.",
        )
    if len(value) != 2 * SHA384_BYTES:
        raise node.refused("measurements.wrong-length", f"expected {2 * SHA384_BYTES} hex digits, found {len(value)}")
    return bytes.fromhex(value)


def _facts(node: Node) -> ImageFacts:
    members = node.record((), (*_FACT_KEYS, *_TABLES))
    texts = {key: members[key].string(maximum=MAX_FACT_CHARACTERS) for key in _FACT_KEYS if key in members}
    tables = {key: _texts(members[key]) for key in _TABLES if key in members}
    return ImageFacts(sections=tables.get("sections", ()), build_inputs=tables.get("build_inputs", ()), **texts)


def _texts(node: Node) -> tuple[tuple[str, str], ...]:
    members = [each for _, each in node.table()]
    return tuple(sorted((each.key().string(), each.string(maximum=MAX_FACT_CHARACTERS)) for each in members))


def _names(indices: Sequence[PcrIndex]) -> str:
    return ", ".join(str(index) for index in indices)


def _short(digest: bytes) -> str:
    return "zeros" if digest == ZERO_SHA384 else f"{digest.hex()[:16]}…"
