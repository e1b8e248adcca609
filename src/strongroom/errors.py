# SPDX-License-Identifier: Apache-2.0
"""Every error Strongroom raises on purpose.

The tree, with the exit code each family gets in our programs::

    StrongroomError
    ├── UsageError      2    the caller asked for something that makes no sense
    ├── FormatError     3    the bytes are not what they should be (malformed)
    ├── NotAuthentic    4    well formed, but nobody we trust vouches for it (forged, or outside its certificates' time)
    ├── NotTrusted      5    authentic, but not what was asked for (policy, nonce, age)
    ├── KeyRefused      6    KMS, or a key policy, said no
    ├── TpmFault        7    the TPM answered with an error
    ├── ServiceFault    8    a service or the network failed
    └── LocalFault      9    this machine: disk full, unreadable file

Malformed, forged and unwanted never share a class, so a caller can tell them apart. Every error carries a stable
`code` (all of them stand in docs/reference/codes.md), a message that says what was expected and what was seen, and,
where there is one, a `remedy`. Misuse of the library by a programmer is a `RuntimeError` or `TypeError`, never one
of these.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an appraisal noticed. `code` is stable; `message` says what was expected and what was seen."""

    code: str
    message: str


class NotTrusted(StrongroomError):  # noqa: N818
    """Authentic, yet refused by an appraisal policy, a nonce, an age limit or a floor."""

    exit_code = 5

    def __init__(self, code: str, message: str, *, findings: Sequence[Finding] = (), remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.findings = tuple(findings)


class KeyRefused(StrongroomError):  # noqa: N818
    """KMS or a key policy refused. `statement` names the deciding policy statement where it is known."""

    exit_code = 6

    def __init__(self, code: str, message: str, *, statement: str = "", remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.statement = statement


class TpmFault(StrongroomError):  # noqa: N818
    """The TPM answered with a response code other than success. `rc` is that code."""

    exit_code = 7

    def __init__(self, code: str, message: str, *, rc: int, remedy: str = "") -> None:
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
