# SPDX-License-Identifier: Apache-2.0
"""Every error Strongroom raises on purpose.

The tree, with the exit code each family gets in our programs::

    StrongroomError
    ├── UsageError      2    the caller asked for something that makes no sense
    ├── FormatError     3    the bytes are not what they should be (malformed)
    ├── NotAuthentic    4    well formed, but nobody we trust vouches for it (forged, or outside its certificates' time)
    ├── NotTrusted      5    authentic, but not what was asked for (policy, nonce, age)
    ├── KeyRefused      6    KMS, or a key policy, said no
    ├── TpmFault        7    the TPM refused, is absent, or answered nonsense
    ├── ServiceFault    8    a service or the network failed
    └── LocalFault      9    this machine: disk full, unreadable file

Malformed, forged and unwanted never share a class, so a caller can tell them apart. Every error carries a stable
`code` (all of them stand in docs/reference/codes.md), a message that says what was expected and what was seen, and,
where there is one, a `remedy`. Misuse of the library by a programmer is a `RuntimeError` or `TypeError`, never one
of these.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class StrongroomError(Exception):
    """Base of the tree. `code` is stable, `remedy` says what to do next (may be empty)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class UsageError(StrongroomError):
    """The request contradicts itself or lacks something."""

    exit_code = 2


class FormatError(StrongroomError):
    """Malformed input. `offset` is in bytes from the start of the input, `spec` names the rule that was broken."""

    exit_code = 3

    def __init__(self, code: str, message: str, *, offset: int | None = None, spec: str = "", remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.offset = offset
        self.spec = spec

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.message}{where}"


class NotAuthentic(StrongroomError):  # noqa: N818 -- named as the verdict it is, like its siblings
    """A signature, a certificate chain or a certificate's validity period does not hold."""

    exit_code = 4


class Severity(enum.StrEnum):
    """What a finding means for the verdict. The words are SARIF's levels (SARIF 2.1.0 section 3.27.10)."""

    ERROR = "error"
    """A reason to refuse."""
    WARNING = "warning"
    """No reason to refuse, yet what was asked for is weaker than it should be."""
    NOTE = "note"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an appraisal noticed. `code` is stable; `message` says what was expected and what was seen.

    The rest is for programs and may be absent: what they would otherwise have to read out of the message.
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    pcr: int | None = None
    """The PCR concerned."""
    part: str = ""
    """The part of the policy that does not fit, by its name or its place in the file."""
    expected: tuple[str, ...] = ()
    """The acceptable values; digests in hex."""
    found: str | None = None
    """The value in the document; a digest in hex."""
    meaning: str = ""
    """What the PCR stands for and what is known about the value that was found, in words."""


class NotTrusted(StrongroomError):  # noqa: N818
    """Authentic, yet refused by an appraisal policy, a nonce, an age limit or a floor. Its text names the reasons."""

    exit_code = 5

    def __init__(self, code: str, message: str, *, findings: Sequence[Finding] = (), remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        reasons = dict.fromkeys(each.code for each in self.findings if each.severity is Severity.ERROR)
        return f"{self.message} ({', '.join(reasons)})" if reasons else self.message


class KeyRefused(StrongroomError):  # noqa: N818
    """KMS or a key policy refused. `statement` names the deciding policy statement where it is known."""

    exit_code = 6

    def __init__(self, code: str, message: str, *, statement: str = "", remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.statement = statement


class TpmFault(StrongroomError):  # noqa: N818
    """The TPM refused, cannot be reached, or answered what no TPM should. `rc` is its response code, if any."""

    exit_code = 7

    def __init__(self, code: str, message: str, *, rc: int | None = None, remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.rc = rc


class ServiceFault(StrongroomError):  # noqa: N818
    """A service or the network failed. `retryable` says whether the same call may succeed later."""

    exit_code = 8

    def __init__(self, code: str, message: str, *, retryable: bool, remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.retryable = retryable


class LocalFault(StrongroomError):  # noqa: N818
    """This machine is at fault: a full disk, an unreadable file, a missing program."""

    exit_code = 9
