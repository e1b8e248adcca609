# SPDX-License-Identifier: Apache-2.0
"""What `strongroom verify` was told to expect: from its options and files to types of the domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from strongroom.appraisal.appraise import MAX_AGE, NOBODY_CHALLENGED, UnsafeNoNonce
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, AtDocumentTime
from strongroom.appraisal.policy import EnclavePolicy, MeasurementsPolicy, UnsafePartialMeasurementsPolicy
from strongroom.errors import Finding, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.formats.measurements import MAX_FILE_BYTES, parse_measurements
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import Nonce

_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PCR_RULE = re.compile(r"(?:PCR)?([0-9]{1,2})=([0-9A-Fa-f]+)", re.IGNORECASE)


class Options(TypedDict):
    """The options of `strongroom verify`, as click hands them over."""

    measurements: tuple[Path, ...]
    pcr: tuple[str, ...]
    allow_partial: bool
    nonce: str | None
    no_nonce: bool
    public_key: Path | None
    user_data: Path | None
    at: str | None
    max_age: str | None
    root: tuple[Path, ...]
    root_sha256: tuple[str, ...]
    deny: tuple[Path, ...]
    enclave: bool
    authentic_only: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Expectations:
    """Everything that a document is compared with, and what the reader of the verdict should know about that."""

    policy: MeasurementsPolicy | EnclavePolicy
    nonce: Nonce | UnsafeNoNonce
    max_age: timedelta
    public_key: bytes | None
    user_data: bytes | None
    notices: tuple[Finding, ...]


def read_expectations(options: Options) -> Expectations | None:
    """Return what to compare the document with; None for --authentic-only. Raises UsageError when that is unclear."""
    if options["authentic_only"]:
        _expect_nothing_else(options)
        return None
    policy, notices = _policy(options)
    return Expectations(
        policy=policy,
        nonce=_nonce(options),
        max_age=_duration(options["max_age"]),
        public_key=_field(options["public_key"]),
        user_data=_field(options["user_data"]),
        notices=notices,
    )


def _expect_nothing_else(options: Options) -> None:
    given = {
        "--measurements": options["measurements"],
        "--pcr": options["pcr"],
        "--allow-partial": options["allow_partial"],
        "--nonce": options["nonce"],
        "--no-nonce": options["no_nonce"],
        "--public-key": options["public_key"],
        "--user-data": options["user_data"],
        "--max-age": options["max_age"],
    }
    extra = [name for name, value in given.items() if value]
    if extra:
        raise UsageError(
            "verify.contradiction", f"--authentic-only compares nothing: expected it alone, found {', '.join(extra)}"
        )


def _policy(options: Options) -> tuple[MeasurementsPolicy | EnclavePolicy, tuple[Finding, ...]]:
    if bool(options["measurements"]) == bool(options["pcr"]):
        raise UsageError(
            "verify.no-policy",
            "expected either --measurements or --pcr: without a policy there is no verdict",
            remedy="`--authentic-only` looks at signature, certificates and time alone.",
        )
    if options["enclave"]:
        return _enclave_policy(options), ()
    if options["measurements"]:
        images = [parse_measurements(read_file(path, maximum_bytes=MAX_FILE_BYTES)) for path in options["measurements"]]
        notices = tuple(finding for image in images for finding in image.findings)
        return MeasurementsPolicy.of_images(*images), notices
    kind = UnsafePartialMeasurementsPolicy if options["allow_partial"] else MeasurementsPolicy
    return kind.of(_pcr_rules(options["pcr"])), ()


def _enclave_policy(options: Options) -> EnclavePolicy:
    if options["measurements"]:
        raise UsageError(
            "verify.enclave-measurements", "measurements files are for NitroTPM: expected --pcr with --enclave"
        )
    return EnclavePolicy.of(_pcr_rules(options["pcr"]))


def _pcr_rules(rules: Sequence[str]) -> dict[PcrIndex, set[bytes]]:
    table: dict[PcrIndex, set[bytes]] = {}
    for rule in rules:
        match = _PCR_RULE.fullmatch(rule)
        if match is None:
            raise UsageError("verify.pcr-rule", f"expected --pcr N=HEX, such as 4=1a2b…, found {rule!r}")
        table.setdefault(PcrIndex(int(match[1])), set()).add(_hex("--pcr", match[2]))
    return table


def _nonce(options: Options) -> Nonce | UnsafeNoNonce:
    if (options["nonce"] is None) != options["no_nonce"]:
        raise UsageError(
            "verify.nonce",
            "expected either --nonce HEX or --no-nonce",
            remedy="Only a nonce of yours shows that the document is no copy; `--no-nonce` does without it.",
        )
    return NOBODY_CHALLENGED if options["nonce"] is None else Nonce(_hex("--nonce", options["nonce"]))


def _hex(option: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise UsageError("verify.not-hex", f"expected pairs of hex digits for {option}, found {text!r}") from error


def _field(path: Path | None) -> bytes | None:
    return None if path is None else read_file(path, maximum_bytes=MAX_FIELD_BYTES)


def _duration(text: str | None) -> timedelta:
    if text is None:
        return MAX_AGE
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError("verify.duration", f"expected a duration such as 30s, 5m, 2h or 1d, found {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def read_time(text: str | None, *, now: datetime) -> datetime | AtDocumentTime:
    """Return the time to judge at: `now`, the document's own, or what RFC 3339 text says. Raises UsageError."""
    if text in (None, "now"):
        return now
    if text == "document":
        return AT_DOCUMENT_TIME
    try:
        time = datetime.fromisoformat(str(text))
        in_utc = time.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # OverflowError: before the year 1 or after 9999 in UTC
        raise _bad_time(text) from error
    if time.tzinfo is None:
        raise _bad_time(text)
    return in_utc


def _bad_time(text: str | None) -> UsageError:
    return UsageError(
        "verify.time", f"expected now, document, or a time with its zone such as 2026-01-31T12:00:00Z, found {text!r}"
    )
