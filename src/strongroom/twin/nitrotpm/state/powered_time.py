# SPDX-License-Identifier: Apache-2.0
"""Time and Clock: milliseconds since power came, and of powered time in a TPM's life (Part 1, section 36)."""

from __future__ import annotations

from collections.abc import Callable

UPDATE_MS = 4096
"""TPM_PT_CLOCK_UPDATE: how far Clock runs ahead of what is kept of it. As much may be lost with the power."""
_NOMINAL = 30_000
_MOST_OFF = 5_000


class PoweredTime:
    """Counts milliseconds, at a rate that ClockRateAdjust changes. `read_ms` is the machine's own clock."""

    def __init__(self, read_ms: Callable[[], int]) -> None:
        self._read_ms = read_ms
        self._rate = _NOMINAL
        self._before_ms = 0
        self._since_ms = read_ms()

    def now_ms(self) -> int:
        """Return the milliseconds since it began."""
        return self._before_ms + (self._read_ms() - self._since_ms) * self._rate // _NOMINAL

    def adjust(self, steps: int) -> None:
        """Run faster by steps of 1/30,000, or slower, within one sixth of the nominal rate."""
        self._before_ms, self._since_ms = self.now_ms(), self._read_ms()
        self._rate = max(_NOMINAL - _MOST_OFF, min(_NOMINAL + _MOST_OFF, self._rate + steps))

    def restart(self) -> None:
        """Begin at zero, at the nominal rate."""
        self._rate, self._before_ms, self._since_ms = _NOMINAL, 0, self._read_ms()
