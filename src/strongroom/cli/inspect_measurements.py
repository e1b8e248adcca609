# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for measurements files, AWS's and ours: each PCR in a sentence."""

from __future__ import annotations

import json

from strongroom.cli.inspection import Inspection
from strongroom.cli.pcr_output import pcr_lines
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind
from strongroom.formats.measurements import ImageFacts, Measurements, encode_measurements, parse_measurements
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import PcrIndex

_ASSUMED = " (assumed: the file does not name it)"
_POINTER = "Compare a document with it: `strongroom verify --measurements`."


def recognise(data: bytes) -> Inspection | None:
    """Describe a measurements file; None for anything else. Raises FormatError."""
    if guess_kind(data[:HEAD_BYTES]) is not FileKind.MEASUREMENTS:
        return None
    measurements = parse_measurements(data)
    return Inspection("measurements", "a measurements file", _lines(measurements), _facts(measurements), _POINTER)


def _lines(measurements: Measurements) -> tuple[str, ...]:
    gates = ", ".join(str(index) for index in measurements.gates)
    return (
        *_image_lines(measurements.strongroom),
        *(line for pcr in measurements.pcrs for line in _pcr_lines(measurements, pcr)),
        "",
        f"To gate on: PCR {gates}. Without a name of who wrote it, this file is a claim and nothing more.",
    )


def _image_lines(facts: ImageFacts | None) -> tuple[str, ...]:
    if facts is None:
        return ()
    named = (
        ("Image", facts.image_id),
        ("Architecture", facts.architecture),
        ("Stub", f"{facts.stub} {facts.stub_version}".strip()),
        ("Root hash", facts.root_hash),
        ("Authenticode SHA-384", facts.uki_digest),
        *facts.build_inputs,
    )
    return (*(f"{name}: {value}" for name, value in named if value), "")


def _pcr_lines(measurements: Measurements, index: PcrIndex) -> tuple[str, str]:
    digest = measurements.pcrs[index]
    value, meaning = pcr_lines(index, digest, pcr_sentence(index, digest))
    return value + (_ASSUMED if index in measurements.assumed else ""), meaning


def _facts(measurements: Measurements) -> dict[str, object]:
    written = json.loads(encode_measurements(measurements))
    return {
        "measurements": written["Measurements"],
        "assumed": sorted(measurements.assumed),
        "gates": list(measurements.gates),
        "strongroom": written.get("strongroom"),
    }
