# SPDX-License-Identifier: Apache-2.0
"""Dictionary attack protection: too many wrong guesses lock what they were about (Part 1, section 17.8)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.refusal import Refused

_MS = 1000


@dataclass(slots=True)
class Lockout:
    """How many wrong authorizations there were, and how many there may be.

    Recovery is in seconds, points of time are in milliseconds of TPMS_TIME_INFO.time, which nobody can set; they are
    negative for what was before power came.

    One failure is forgiven each `recovery_s`; zero `recovery_s` turns protection off, and zero `tries_allowed` locks
    at once. After a wrong authorization of the lockout authority itself, it is locked for `authority_recovery_s`, or
    until the next start where that is zero.
    """

    tries_allowed: int = 3
    recovery_s: int = 1000
    authority_recovery_s: int = 1000
    failures: int = 0
    since_ms: int = 0
    """When the last failure was, or the last was forgiven."""
    authority_locked: bool = False
    authority_since_ms: int = 0

    @property
    def is_locked(self) -> bool:
        """Whether no more guesses are taken."""
        return self.failures >= self.tries_allowed

    def heal(self, now_ms: int) -> None:
        """Forgive as many failures as time has passed for: all of them where protection is off."""
        if self.recovery_s == 0:
            self.failures = 0
        elif self.failures:
            forgiven = min(self.failures, (now_ms - self.since_ms) // (self.recovery_s * _MS))
            self.failures -= forgiven
            self.since_ms += forgiven * self.recovery_s * _MS
        waited_s = (now_ms - self.authority_since_ms) // _MS
        if self.authority_locked and self.authority_recovery_s and waited_s >= self.authority_recovery_s:
            self.authority_locked = False

    def start(self, shutdown_ms: int | None, *, guesses_taken: bool) -> None:
        """Begin anew after power was gone. `shutdown_ms` is the time of the shutdown, None where there was none.

        Who cuts the power in the midst of guessing might undo the count of the last: so it counts as a failure, and
        all waiting begins anew (Part 1, section 17.8.4).
        """
        if shutdown_ms is not None:
            self.since_ms -= shutdown_ms
            self.authority_since_ms -= shutdown_ms
        else:
            self.since_ms = self.authority_since_ms = 0
        if self.authority_recovery_s == 0:
            self.authority_locked = False
        if shutdown_ms is None and guesses_taken and self.recovery_s and self.failures < self.tries_allowed:
            self.failures += 1

    def check(self, *, authority: bool) -> None:
        """Refuse while locked: nothing is compared, so nothing is learnt."""
        if self.authority_locked if authority else self.is_locked:
            raise Refused(Rc.LOCKOUT)

    def fail(self, now_ms: int, *, authority: bool) -> None:
        """Count a wrong authorization."""
        if authority:
            self.authority_locked, self.authority_since_ms = True, now_ms
        elif self.recovery_s:
            self.failures, self.since_ms = self.failures + 1, now_ms

    def reset(self) -> None:
        """Forget all failures."""
        self.failures, self.authority_locked = 0, False
