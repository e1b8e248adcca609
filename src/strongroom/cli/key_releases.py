# SPDX-License-Identifier: Apache-2.0
"""The releases that `strongroom key` was told to admit: from options and measurements files to types of the domain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from strongroom.cli.option_group import option_group
from strongroom.cli.paths import PATH
from strongroom.cli.policy_file import read_measurements_file
from strongroom.errors import Finding, NotTrusted, UsageError
from strongroom.formats.durations import EXAMPLES, read_duration
from strongroom.formats.image_spec_model import DEBUG
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import SHA384_BYTES, PcrDigests, PcrIndex
from strongroom.formats.times import aws_time, read_moment
from strongroom.formats.trust import MAX_COUNTER
from strongroom.keypolicy.spec import CONSTANTS, PCR7, AdmittedRelease, SecureBoot
from strongroom.keypolicy.train import version_of

_ACCEPTED = re.compile(rf"(?:PCR)?([0-9]{{1,2}})=([0-9A-Fa-f]{{{2 * SHA384_BYTES}}})", re.IGNORECASE)
_ACCEPTABLE = ", ".join(map(str, CONSTANTS))
release_options = option_group(
    click.option(
        "--measurements", metavar="FILE", type=PATH, multiple=True, help="Measurements of a release; may be repeated."
    ),
    click.option("--expires", metavar="TIME", help="Admit it until then: 2027-01-31T12:00:00Z, or 90d from now."),
    click.option(
        "--epoch",
        "epochs",
        metavar="N",
        type=click.IntRange(1, MAX_COUNTER),
        multiple=True,
        help="Default: the epoch of the tenant's secrets. May be repeated.",
    ),
    click.option(
        "--accept",
        metavar="N=HEX",
        multiple=True,
        help=f"Another value of PCR {_ACCEPTABLE} than its constant, if it is meant.",
    ),
)
"""The options that say what to admit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be admitted, whoever the tenant is: measurements by file, and the end they all have."""

    files: Mapping[str, Measurements]
    expires: datetime | None
    accepted: Mapping[PcrIndex, bytes]

    def releases(self, *, ring: str, epochs: Iterable[int]) -> tuple[AdmittedRelease, ...]:
        """Return the releases for a ring. Raises UsageError for measurements that gate too little."""
        return tuple(self._release(each, ring, epoch) for epoch in epochs for each in self.files.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was assumed of the measurements."""
        return tuple(finding for each in self.files.values() for finding in each.findings)

    def _release(self, measurements: Measurements, ring: str, epoch: int) -> AdmittedRelease:
        pcrs = gates_of(measurements)
        return AdmittedRelease(
            version=version_of(pcrs),
            ring=ring,
            pcrs=pcrs,
            epoch=epoch,
            secure_boot=SecureBoot.GATED if PCR7 in pcrs else SecureBoot.NOT_GATED,
            expires=self.expires,
            overrides={index: value for index, value in self.accepted.items() if pcrs[index] == value},
        )


def gates_of(measurements: Measurements) -> PcrDigests:
    """Return of an image's PCRs those that gate: PCR 7 does not while Secure Boot is off, PCR 11 never does."""
    return PcrDigests.of({index: measurements.pcrs[index] for index in measurements.gates})


def read_asked(files: Iterable[Path], expires: str | None, accept: Iterable[str], *, now: datetime) -> Asked:
    """Return what the options ask for. Raises UsageError, FormatError, LocalFault; NotTrusted for a debug image."""
    return Asked(
        files={str(path): _shippable(path, read_measurements_file(path)) for path in files},
        expires=None if expires is None else _end(expires, now),
        accepted=dict(map(_accepted, accept)),
    )


def _shippable(path: Path, measurements: Measurements) -> Measurements:
    """Return the measurements of an image that may be shipped. `image build --debug` writes down that it was one."""
    facts = measurements.strongroom
    if facts is not None and ("variant", DEBUG) in facts.build_inputs:
        raise NotTrusted(
            "key.debug-image",
            f"expected the measurements of an image without a way to log in, found those of a debug image in {path}",
            remedy="Whoever logs in reads every secret of the image. Build it without --debug.",
        )
    return measurements


def _accepted(text: str) -> tuple[PcrIndex, bytes]:
    match = _ACCEPTED.fullmatch(text)
    if match is None or int(match[1]) not in CONSTANTS:
        raise UsageError(
            "key.accept",
            f"expected --accept N=HEX with N one of {_ACCEPTABLE} and {2 * SHA384_BYTES} hex digits, found {text!r}",
        )
    return PcrIndex(int(match[1])), bytes.fromhex(match[2])


def _end(text: str, now: datetime) -> datetime:
    duration = read_duration(text)
    try:
        end = (read_moment(text) if duration is None else now + duration).replace(microsecond=0)
    except (ValueError, OverflowError) as error:  # OverflowError: now + duration after the year 9999
        raise UsageError(
            "key.expiry",
            f"expected a time with its zone such as 2027-01-31T12:00:00Z, or a duration such as {EXAMPLES}, "
            f"found {text!r}",
        ) from error
    if end <= now:
        raise UsageError("key.expired", f"expected an expiry after now, {aws_time(now)}, found {text!r}")
    return end
