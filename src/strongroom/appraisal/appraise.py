# SPDX-License-Identifier: Apache-2.0
"""Appraisal: authentic evidence against a policy, a nonce and an age.

`appraise` looks at everything and returns an `AttestationResult` that lists each reason to refuse and, beside them, the
flags of a weak policy; `require` raises from it. There is no way to ask without a policy, and leaving out the nonce has
to be said (ATTACKS A2, A25).

Attestation speaks of the boot: what happened to the running system afterwards does not show in these PCRs (A24).
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from strongroom.appraisal.evidence import VerifiedEnclaveEvidence, VerifiedEvidence
from strongroom.appraisal.policy import AppraisalPolicy, EnclavePolicy
from strongroom.appraisal.rules import too_old
from strongroom.errors import Finding, NotTrusted, UsageError
from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests, PcrIndex
from strongroom.ids import Nonce

MAX_AGE: Final = timedelta(minutes=5)
"""How long KMS takes a document; ours by default (ATTACKS A3)."""
MAX_CLOCK_SKEW: Final = timedelta(seconds=30)
"""How far a document's timestamp may lie in our future."""
_OTHER_PCRS = (
    "PCRs differ when something else booted. `strongroom inspect` says what each PCR of the document stands for; "
    "`strongroom explain` names the component that moved."
)
_NEW_DOCUMENT = (
    "Ask the machine for a new document. To look at this one: on the command line, --max-age, or --at document."
)


class UnsafeNoNonce(enum.Enum):
    """Says that nobody challenged the machine: the document may be a copy, as young as its age allows."""

    NOBODY_CHALLENGED = "nobody challenged"


NOBODY_CHALLENGED: Final = UnsafeNoNonce.NOBODY_CHALLENGED


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the caller wants to see beside what the policy says. None: not compared."""

    nonce: Nonce | UnsafeNoNonce
    now: datetime
    max_age: timedelta | None
    public_key: bytes | None
    user_data: bytes | None


EvidenceT = TypeVar("EvidenceT", VerifiedEvidence, VerifiedEnclaveEvidence)


@dataclass(frozen=True, slots=True)
class AttestationResult(Generic[EvidenceT]):
    """The verdict (RFC 9334: Attestation Result). Trusted when nothing was found; call `require` to rely on it."""

    evidence: EvidenceT
    findings: tuple[Finding, ...]
    """Every reason to refuse."""
    flags: tuple[Finding, ...] = ()
    """What else the reader should know: where the policy is weak. No reason to refuse."""
    matched: tuple[str, ...] = ()
    """The alternatives of the policy that fit, by name; nothing where something was found."""

    def require(self) -> EvidenceT:
        """Return the evidence, which is trusted then. Raises NotTrusted with all findings, the reasons first."""
        if self.findings:
            reasons = len(self.findings)
            raise NotTrusted(
                self.findings[0].code,
                f"the document is authentic and not trusted: {reasons} reason{'s' if reasons > 1 else ''}",
                findings=(*self.findings, *self.flags),
                remedy=" ".join(self._remedies()),
            )
        return self.evidence

    def _remedies(self) -> Iterator[str]:
        if any(finding.code == "age.too-old" for finding in self.findings):
            yield _NEW_DOCUMENT
        if any(finding.pcr is not None for finding in self.findings):
            yield _OTHER_PCRS


def appraise(
    evidence: VerifiedEvidence,
    policy: AppraisalPolicy,
    *,
    nonce: Nonce | UnsafeNoNonce,
    now: datetime,
    max_age: timedelta | None = None,
    public_key: bytes | None = None,
    user_data: bytes | None = None,
) -> AttestationResult[VerifiedEvidence]:
    """Compare a NitroTPM document with what was expected of it.

    `public_key` and `user_data` are compared when given. `now` needs a zone. `max_age` comes on top of the policy's
    own limit, and the stricter one wins; without either it is MAX_AGE. Raises UsageError for an empty nonce.
    """
    _expect_types((evidence, VerifiedEvidence), (policy, AppraisalPolicy))
    asked = _asked(evidence, policy, _Expected(nonce, now, max_age, public_key, user_data))
    findings = (*asked, *policy.misfits(evidence, now=now))
    return AttestationResult(evidence, findings, policy.flags, () if findings else policy.matched(evidence, now=now))


def appraise_enclave(
    evidence: VerifiedEnclaveEvidence,
    policy: EnclavePolicy,
    *,
    nonce: Nonce | UnsafeNoNonce,
    now: datetime,
    max_age: timedelta | None = None,
    public_key: bytes | None = None,
    user_data: bytes | None = None,
) -> AttestationResult[VerifiedEnclaveEvidence]:
    """Compare a Nitro Enclaves document with what was expected of it. Otherwise as `appraise`."""
    _expect_types((evidence, VerifiedEnclaveEvidence), (policy, EnclavePolicy))
    asked = _asked(evidence, policy, _Expected(nonce, now, max_age, public_key, user_data))
    return AttestationResult(evidence, (*asked, *policy.misfits(evidence)))


def _expect_types(*pairs: tuple[object, type]) -> None:
    for value, kind in pairs:
        if not isinstance(value, kind):
            raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")


def _asked(
    evidence: VerifiedEvidence | VerifiedEnclaveEvidence, policy: AppraisalPolicy | EnclavePolicy, expected: _Expected
) -> tuple[Finding, ...]:
    """Return what is wrong whatever the rules of the policy say."""
    return (
        *_nonce(evidence.nonce, expected.nonce),
        *_from_the_future(evidence.timestamp, expected.now),
        *_age(evidence.timestamp, expected, policy.max_age),
        *_binding("public-key", evidence.public_key, expected.public_key),
        *_binding("user-data", evidence.user_data, expected.user_data),
        *_measured(evidence.pcrs, policy.never_zero),
    )


def _nonce(found: bytes | None, expected: Nonce | UnsafeNoNonce) -> Iterator[Finding]:
    if isinstance(expected, UnsafeNoNonce):
        return
    if not expected:
        raise UsageError("nonce.empty", "expected a nonce of at least one byte, found an empty one")
    wanted = expected.hex()
    if found is None:
        yield Finding("nonce.absent", f"expected the nonce {wanted}, found none in the document", expected=(wanted,))
    elif not hmac.compare_digest(found, expected):
        yield Finding(
            "nonce.mismatch",
            f"expected the nonce {wanted}, found {found.hex() or 'an empty one'}",
            expected=(wanted,),
            found=found.hex(),
        )


def _from_the_future(timestamp: datetime, now: datetime) -> Iterator[Finding]:
    if timestamp - now > MAX_CLOCK_SKEW:
        yield Finding("age.in-the-future", f"expected a timestamp before {now + MAX_CLOCK_SKEW}, found {timestamp}")


def _age(timestamp: datetime, expected: _Expected, policy_limit: timedelta | None) -> tuple[Finding, ...]:
    """Return `age.too-old` by the caller's limit. The policy's rules compare its own; ours stands in for both."""
    if expected.max_age is None and policy_limit is not None:
        return ()
    return too_old(timestamp, expected.now, MAX_AGE if expected.max_age is None else expected.max_age)


def _binding(name: str, found: bytes | None, expected: bytes | None) -> Iterator[Finding]:
    if expected is None:
        return
    words = name.replace("-", " ")
    if found is None:
        yield Finding(f"{name}.absent", f"expected the {words} that was given, found none in the document")
    elif not hmac.compare_digest(found, expected):
        yield Finding(f"{name}.mismatch", f"expected the {words} that was given, found another one")


def _measured(pcrs: PcrDigests, indices: tuple[PcrIndex, ...]) -> Iterator[Finding]:
    for index in indices:
        if index not in pcrs:
            yield Finding("pcr.absent", f"expected PCR{index} in the document, found none", pcr=index)
        elif pcrs[index] == ZERO_SHA384:
            yield Finding(
                "pcr.unmeasured",
                f"expected a measured value in PCR{index}, found all zeros",
                pcr=index,
                found=ZERO_SHA384.hex(),
            )
