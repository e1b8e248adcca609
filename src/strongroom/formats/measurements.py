# SPDX-License-Identifier: Apache-2.0
"""Reference measurements of an image, and the file they travel in.

The file is AWS's `pcr_measurements.json` (EC2 User Guide, "Attestable AMIs"; written by `nitro-tpm-pcr-compute`)::

    {"Measurements": {"HashAlgorithm": "SHA384 { ... }", "PCR4": "…", "PCR7": "…", "PCR12": "…"}}

with `PCR2`, `PCR11` and `PCR13` beside them where we wrote it, and an optional sibling object `strongroom` that says
what was measured (DESIGN 5.4). AWS's file is read as it is: what it leaves out is taken as the constant it has to be,
and `Measurements.findings` says so. The file is unsigned; whoever relies on it has to know where it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.errors import Finding, FormatError
from strongroom.formats.pcrs import (
    GATES,
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrDigests,
    PcrIndex,
)

MAX_FILE_BYTES = 65_536
"""Far above any real file, far below what could hurt."""
MAX_FACT_CHARACTERS = 1_024

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
_PCR_NAME = re.compile(r"PCR(0|[1-9][0-9]?)")
_SHA256_HEX_DIGITS = 64
_FACT_KEYS = ("image_id", "architecture", "root_hash", "uki_digest", "stub", "stub_version")
_BUILD_INPUTS = "build_inputs"


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
    stub: str = ""
    stub_version: str = ""
    build_inputs: tuple[tuple[str, str], ...] = ()
    """Name and version or digest of what went into the image."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """SHA-384 reference values of one image. Always holds the whole gate set: PCR 2, 4, 7, 12 and 13 (DESIGN 5.4).

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
                "measurements.assumed", f"PCR{index} was not given; taken as its constant {_short(self.pcrs[index])}"
            )
            for index in sorted(self.assumed)
        )


def parse_measurements(data: bytes) -> Measurements:
    """Read a measurements file, AWS's or ours.

    Raises FormatError for anything unknown, duplicate, missing, or not 48 bytes of hex.
    """
    document = _mapping(_decode(data), "the file")
    _refuse_unknown(document, ("Measurements", "strongroom"), "the file")
    if "Measurements" not in document:
        raise FormatError("measurements.missing", 'expected an object "Measurements", found none', offset=0, spec=_SPEC)
    given = _pcrs(_mapping(document["Measurements"], '"Measurements"'))
    facts = document.get("strongroom")
    return Measurements(
        pcrs=PcrDigests.of({**CONSTANTS, **given}),
        assumed=frozenset(PcrIndex(index) for index in CONSTANTS if index not in given),
        strongroom=None if facts is None else _facts(_mapping(facts, '"strongroom"')),
    )


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
    if facts.build_inputs:
        known[_BUILD_INPUTS] = dict(facts.build_inputs)
    return known


def _decode(data: bytes) -> object:
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            "measurements.too-large", f"expected at most {MAX_FILE_BYTES} bytes, found {len(data)}", spec=_SPEC
        )
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise FormatError(
            "measurements.not-json", "expected JSON in UTF-8, found other bytes", offset=error.start, spec="RFC 8259"
        ) from error
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode())
        raise FormatError(
            "measurements.not-json", f"expected JSON: {error.msg}", offset=offset, spec="RFC 8259"
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(
            "measurements.not-json",
            "expected a small JSON object, found numbers or nesting beyond all bounds",
            spec=_SPEC,
        ) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FormatError(
            "measurements.duplicate-key",
            f"expected each key once, found {_quoted(twice)} twice",
            spec="RFC 8259 section 4",
        )
    return members


def _refuse_constant(name: str) -> object:
    raise FormatError("measurements.not-json", f"expected JSON, found {name}", spec="RFC 8259 section 6")


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise FormatError(
            "measurements.wrong-type", f"expected {where} to be an object, found {_json_kind(value)}", spec=_SPEC
        )
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_FACT_CHARACTERS:
        raise FormatError(
            "measurements.wrong-type",
            f"expected {where} to be a string of at most {MAX_FACT_CHARACTERS} characters, found {_json_kind(value)}",
            spec=_SPEC,
        )
    return value


def _refuse_unknown(members: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in members:
        if key not in known:
            enclave = _PCR_NAME.fullmatch(key) is not None and "PCR4" not in members
            raise FormatError(
                "measurements.unknown-key",
                f"expected only {', '.join(known)} in {where}, found {_quoted(key)}",
                spec=_SPEC,
                remedy="This looks like the measurements of a Nitro Enclave image, which has other PCRs."
                if enclave
                else "",
            )


def _pcrs(members: Mapping[str, object]) -> dict[int, bytes]:
    names = {f"PCR{index}": index for index in PREDICTED}
    _refuse_unknown(members, ("HashAlgorithm", *names), '"Measurements"')
    algorithm = _text(members.get("HashAlgorithm"), '"HashAlgorithm"')
    if not _HASH_ALGORITHM.fullmatch(algorithm):
        raise FormatError(
            "measurements.hash-algorithm", f"expected HashAlgorithm SHA384, found {_quoted(algorithm)}", spec=_SPEC
        )
    return {names[key]: _digest(key, _text(members[key], key)) for key in members if key in names}


def _digest(name: str, value: str) -> bytes:
    if not _HEX.fullmatch(value):
        raise FormatError("measurements.not-hex", f"expected {name} in hex, found {_quoted(value)}", spec=_SPEC)
    if len(value) == _SHA256_HEX_DIGITS:
        raise FormatError(
            "measurements.sha256",
            f"expected {name} from the SHA-384 bank ({2 * SHA384_BYTES} hex digits), found a SHA-256 value",
            spec=_SPEC,
            remedy="NitroTPM documents carry the SHA-384 bank only; compute the value again with SHA-384.",
        )
    if len(value) != 2 * SHA384_BYTES:
        raise FormatError(
            "measurements.wrong-length",
            f"expected {name} to have {2 * SHA384_BYTES} hex digits, found {len(value)}",
            spec=_SPEC,
        )
    return bytes.fromhex(value)


def _facts(members: Mapping[str, object]) -> ImageFacts:
    _refuse_unknown(members, (*_FACT_KEYS, _BUILD_INPUTS), '"strongroom"')
    inputs = _mapping(members.get(_BUILD_INPUTS, {}), f'"{_BUILD_INPUTS}"')
    return ImageFacts(
        **{key: _text(members[key], f'"{key}"') for key in _FACT_KEYS if key in members},
        build_inputs=tuple((name, _text(value, _quoted(name))) for name, value in sorted(inputs.items())),
    )


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "nothing"}
    return kinds.get(type(value), "a number")


def _quoted(value: str) -> str:
    """Return untrusted text fit for a message: short, and without control characters."""
    shown = value if len(value) <= 40 else f"{value[:40]}…"  # noqa: PLR2004 -- a line's worth
    return json.dumps(shown, ensure_ascii=True)


def _names(indices: Sequence[PcrIndex]) -> str:
    return ", ".join(str(index) for index in indices)


def _short(digest: bytes) -> str:
    return "zeros" if digest == ZERO_SHA384 else f"{digest.hex()[:16]}…"
