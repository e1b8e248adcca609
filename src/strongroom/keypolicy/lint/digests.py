# SPDX-License-Identifier: Apache-2.0
"""Rules on the values that PCRs are compared with: text that never matches, and values that mean nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from strongroom.errors import Severity
from strongroom.formats.pcrs import (
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    SHA384_BYTES,
    ZERO_SHA384,
    PcrIndex,
)
from strongroom.keypolicy.kms_keys import ENCLAVE_IMAGE, ENCLAVE_PCR
from strongroom.keypolicy.lint.gates import pcr_conditions
from strongroom.keypolicy.lint.rule import BOTH, Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import ConditionView, Fault
from strongroom.keypolicy.operators import NULL
from strongroom.keypolicy.patterns import has_wildcard

_HEX = re.compile(r"[0-9A-Fa-f]+")
_DIGITS = 2 * SHA384_BYTES
_SHA256_DIGITS = 64
_CONSTANTS = {PcrIndex(2): SEPARATOR_ONLY_SHA384, PcrIndex(12): ZERO_SHA384, PcrIndex(13): ZERO_SHA384}
_NEVER_ZERO = frozenset(map(PcrIndex, (2, 4, 7)))
_OF_ENCLAVES = (ENCLAVE_PCR.lower(), ENCLAVE_IMAGE.lower())


def _has_wildcard(_: ConditionView, value: str) -> str:
    return f"{value!r} with a wildcard" if has_wildcard(value) else ""


def _is_no_hex(_: ConditionView, value: str) -> str:
    return "" if has_wildcard(value) or _HEX.fullmatch(value) else f"{value!r}, which is not hex"


def _is_sha256(_: ConditionView, value: str) -> str:
    return (
        f"{_SHA256_DIGITS} hex digits, a value of SHA-256"
        if len(value) == _SHA256_DIGITS and _HEX.fullmatch(value)
        else ""
    )


def _has_wrong_length(_: ConditionView, value: str) -> str:
    wrong = _HEX.fullmatch(value) and len(value) not in {_DIGITS, _SHA256_DIGITS}
    return f"{len(value)} hex digits instead of {_DIGITS}" if wrong else ""


def _has_upper_case(condition: ConditionView, value: str) -> str:
    ignores = condition.base is not None and "IgnoreCase" in condition.base.name
    wrong = not ignores and _HEX.fullmatch(value) and value != value.lower()
    return f"upper-case hex in {condition.condition.operator}: KMS shows lower case" if wrong else ""


def _is_zero(condition: ConditionView, value: str) -> str:
    zero = condition.pcr in _NEVER_ZERO and value == ZERO_SHA384.hex()
    return "all zeros, what a machine shows that measured nothing" if zero else ""


def _is_secure_boot_off(condition: ConditionView, value: str) -> str:
    off = condition.pcr == PcrIndex(7) and value.lower() == SECURE_BOOT_OFF_PCR7_SHA384.hex()
    return "the value of every machine with Secure Boot off" if off else ""


_Judge = Callable[[ConditionView, str], str]
"""Says what is wrong with a value, or nothing."""


def _wrong_values(judge: _Judge, subject: Subject) -> Iterator[Fault]:
    for view, each in pcr_conditions(subject):
        if each.base is NULL:
            continue
        wrong = next((said for value in each.values if (said := judge(each, value))), "")
        if wrong:
            yield view.fault(each.path, f"compares PCR{each.pcr} with {wrong}")


def recorded_constant(subject: Subject) -> Iterator[Fault]:
    """Yield comparisons of PCR 2, 12 or 13 with another value than their constant that nobody said is meant."""
    for view, each in pcr_conditions(subject):
        if each.pcr is None or each.pcr not in _CONSTANTS or each.base is NULL:
            continue
        expected = {_CONSTANTS[each.pcr].hex(), *_allowed(subject, each.pcr)}
        if any(_is_digest(value) and value.lower() not in expected for value in each.values):
            yield view.fault(each.path, f"takes a PCR{each.pcr} that is not the constant of a clean boot")


def not_allowed(subject: Subject) -> Iterator[Fault]:
    """Yield values that an Allow takes and that are of no image in `allowed`."""
    for view, each in pcr_conditions(subject) if subject.allowed else ():
        if view.allows and each.exact and each.pcr is not None:
            expected = _allowed(subject, each.pcr)
            strange = next((value for value in each.values if value.lower() not in expected), None)
            if expected and strange is not None:
                yield view.fault(each.path, f"takes PCR{each.pcr} = {strange}, which no given image has")


def of_enclave(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on keys that only documents of Nitro Enclaves fill."""
    for view in subject.statements:
        for each in view.on(*_OF_ENCLAVES):
            if not each.unread:
                yield view.fault(each.path, f"has {each.key}, which documents of NitroTPM never fill")


def _allowed(subject: Subject, index: PcrIndex) -> frozenset[str]:
    return frozenset(pcrs[index].hex() for pcrs in subject.allowed if index in pcrs)


def _is_digest(value: str) -> bool:
    return len(value) == _DIGITS and _HEX.fullmatch(value) is not None


def _text_rule(code: str, judge: _Judge, title: str, fix: str) -> Rule:
    return Rule(
        code=code,
        severity=Severity.ERROR,
        title=title,
        fix=fix,
        attacks=("K19",),
        kinds=BOTH,
        check=partial(_wrong_values, judge),
    )


_MEASURE = "Take the value from `strongroom measure`, or from AWS's pcr_measurements.json: 96 digits of lower-case hex."

RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.enclave-key",
        severity=Severity.ERROR,
        title="A condition key of Nitro Enclaves stands where one of NitroTPM was meant",
        fix="Write kms:RecipientAttestation:NitroTPMPCRn. PCRn and ImageSha384 are of another kind of document, "
        "and its PCRs mean other things.",
        attacks=("K19",),
        kinds=BOTH,
        check=of_enclave,
    ),
    _text_rule(
        "lint.digest-case",
        _has_upper_case,
        "Upper-case hex is compared with case, and never matches",
        "Take StringEqualsIgnoreCase (in a Deny StringNotEqualsIgnoreCase), or write lower case.",
    ),
    _text_rule("lint.digest-sha256", _is_sha256, "A value of SHA-256 is compared, and never matches", _MEASURE),
    _text_rule("lint.digest-length", _has_wrong_length, "A value has the wrong length, and never matches", _MEASURE),
    _text_rule("lint.digest-not-hex", _is_no_hex, "A value is not hex, and never matches", _MEASURE),
    _text_rule(
        "lint.digest-pattern",
        _has_wildcard,
        "A value holds a wildcard: with StringLike it matches what was not measured, else it never matches",
        "List the values in full.",
    ),
    Rule(
        code="lint.zero-pcr",
        severity=Severity.ERROR,
        title="The value of a PCR is all zeros: nothing was measured into it",
        fix="Measure the image again. A machine that boots without UEFI shows zeros, and can then extend any value.",
        attacks=("A12", "B8"),
        kinds=BOTH,
        check=partial(_wrong_values, _is_zero),
    ),
    Rule(
        code="lint.secure-boot-off",
        severity=Severity.WARNING,
        title="PCR 7 is compared with the value of every machine with Secure Boot off",
        fix="Leave PCR 7 out for images that are not signed: it tells nothing apart.",
        attacks=("K22",),
        kinds=BOTH,
        check=partial(_wrong_values, _is_secure_boot_off),
    ),
    Rule(
        code="lint.recorded-constant",
        severity=Severity.WARNING,
        title="A PCR that is the same for every clean boot is compared with another value",
        fix="PCR 2 is one separator, PCR 12 and 13 are zero, unless the image is meant to be booted with a driver, "
        "a command line or an extension. Values recorded on somebody else's machine bring his additions into "
        "the policy. If they are meant, name the measurements with --allowed.",
        attacks=("B1", "B20"),
        kinds=BOTH,
        check=recorded_constant,
    ),
    Rule(
        code="lint.not-allowed",
        severity=Severity.ERROR,
        title="The key opens for a value that none of the given images has",
        fix="Take the value out, or name the measurements of its image with --allowed.",
        attacks=("B7",),
        kinds=BOTH,
        check=not_allowed,
    ),
)
