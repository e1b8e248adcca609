# SPDX-License-Identifier: Apache-2.0
"""What `strongroom verify` was told to expect: from its options and files to types of the domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from strongroom.appraisal.appraise import NOBODY_CHALLENGED, UnsafeNoNonce
from strongroom.appraisal.composition import AnyOf, measured_image
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, AtDocumentTime
from strongroom.appraisal.policy import AppraisalPolicy, EnclavePolicy, UnsafePartialPolicy
from strongroom.cli.hex_options import read_hex
from strongroom.cli.policy_file import read_measurements_file, read_policy
from strongroom.errors import Finding, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.formats.durations import EXAMPLES, read_duration
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.times import read_moment
from strongroom.ids import Nonce

_PCR_RULE = re.compile(r"(?:PCR)?([0-9]{1,2})=([0-9A-Fa-f]+)", re.IGNORECASE)


class Options(TypedDict):
    """The options of `strongroom verify`, as click hands them over."""

    measurements: tuple[Path, ...]
    policy: Path | None
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
    as_sarif: bool


@dataclass(frozen=True, slots=True)
class Expectations:
    """Everything that a document is compared with, and what the reader of the verdict should know about that."""

    policy: AppraisalPolicy | EnclavePolicy
    nonce: Nonce | UnsafeNoNonce
    max_age: timedelta | None
    """None: as the policy says."""
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
        max_age=_max_age(options["max_age"]),
        public_key=_field(options["public_key"]),
        user_data=_field(options["user_data"]),
        notices=notices,
    )


def _expect_nothing_else(options: Options) -> None:
    given = {
        "--measurements": options["measurements"],
        "--policy": options["policy"],
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


def _policy(options: Options) -> tuple[AppraisalPolicy | EnclavePolicy, tuple[Finding, ...]]:
    _expect_one_policy(options)
    if options["enclave"]:
        return EnclavePolicy.of(_pcr_rules(options["pcr"])), ()
    kind = UnsafePartialPolicy if options["allow_partial"] else AppraisalPolicy
    if options["policy"] is not None:
        rule, notices = read_policy(options["policy"])
        return kind(rule), notices
    if options["pcr"]:
        return kind.of(_pcr_rules(options["pcr"])), ()
    images = {str(path): read_measurements_file(path) for path in options["measurements"]}
    rules = tuple(measured_image(image, name=path) for path, image in images.items())
    return AppraisalPolicy(AnyOf(rules)), tuple(finding for image in images.values() for finding in image.findings)


def _expect_one_policy(options: Options) -> None:
    kinds = {"--measurements": options["measurements"], "--pcr": options["pcr"], "--policy": options["policy"]}
    given = [name for name, value in kinds.items() if value]
    if len(given) > 1:
        raise UsageError(
            "verify.two-policies",
            f"expected one of {', '.join(kinds)}, found {' and '.join(given)}",
            remedy="What any of several policies accepts is written as `any_of` in a policy file "
            "(docs/formats/appraisal-policy.md).",
        )
    if not given:
        raise UsageError(
            "verify.no-policy",
            f"expected one of {', '.join(kinds)}, found none: without a policy there is no verdict",
            remedy="`--authentic-only` looks at signature, certificates and time alone.",
        )
    if options["enclave"] and given != ["--pcr"]:
        raise UsageError(
            "verify.enclave-measurements", f"{given[0]} is for NitroTPM documents: expected --pcr with --enclave"
        )


def _pcr_rules(rules: Sequence[str]) -> dict[PcrIndex, set[bytes]]:
    table: dict[PcrIndex, set[bytes]] = {}
    for rule in rules:
        match = _PCR_RULE.fullmatch(rule)
        if match is None:
            raise UsageError("verify.pcr-rule", f"expected --pcr N=HEX, such as 4=1a2b…, found {rule!r}")
        table.setdefault(PcrIndex(int(match[1])), set()).add(read_hex("--pcr", match[2]))
    return table


def _nonce(options: Options) -> Nonce | UnsafeNoNonce:
    if (options["nonce"] is None) != options["no_nonce"]:
        raise UsageError(
            "verify.nonce",
            "expected either --nonce HEX or --no-nonce",
            remedy="Only a nonce of yours shows that the document is no copy; `--no-nonce` does without it.",
        )
    if options["nonce"] is None:
        return NOBODY_CHALLENGED
    return Nonce(read_hex("--nonce", options["nonce"], remedy="`xxd -p -c 0 FILE` shows a file in hex digits."))


def _field(path: Path | None) -> bytes | None:
    return None if path is None else read_file(path, maximum_bytes=MAX_FIELD_BYTES)


def _max_age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    duration = read_duration(text)
    if duration is None:
        raise UsageError("verify.duration", f"expected a duration such as {EXAMPLES}, found {text!r}")
    return duration


def read_time(text: str | None, *, now: datetime) -> datetime | AtDocumentTime:
    """Return the time to judge at: `now`, the document's own, or what RFC 3339 text says. Raises UsageError."""
    if text is None or text == "now":
        return now
    if text == "document":
        return AT_DOCUMENT_TIME
    try:
        return read_moment(text)
    except ValueError as error:
        raise UsageError(
            "verify.time",
            f"expected now, document, or a time with its zone such as 2026-01-31T12:00:00Z, found {text!r}",
        ) from error
