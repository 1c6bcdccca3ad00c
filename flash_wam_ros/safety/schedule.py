"""An absolute schedule for a control loop: missed ticks are skipped, never sent in a burst."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core import NS_PER_S, s_from_ns

_WINDOW = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopStatistics:
    """Periods of the newest ticks.

    Attributes:
        rate_hz: mean rate over the window [Hz], 0 before the second tick.
        p99_s: period that 99 % of the ticks keep [s].
        max_s: longest period in the window [s].
        missed: ticks skipped since the start.
        ticks: ticks since the start.
    """

    rate_hz: float
    p99_s: float
    max_s: float
    missed: int
    ticks: int


class Schedule:
    """Ticks at multiples of a period after a start, on the monotonic clock.

    Attributes:
        missed: ticks skipped so far.
    """

    def __init__(
        self,
        period_s: float,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not period_s > 0:
            raise ValueError(f'period {period_s} s must be > 0')
        self._period_ns = round(period_s * NS_PER_S)
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._next_ns = clock_ns() + self._period_ns
        self._last_ns: int | None = None
        self._periods = np.zeros(_WINDOW)
        self._ticks = 0
        self.missed = 0

    def now_ns(self) -> int:
        """Return the monotonic time [ns]."""
        return self._clock_ns()

    def wait(self) -> int:
        """Sleep until the next tick that is still to come; return the monotonic time [ns]."""
        now_ns = self._clock_ns()
        if now_ns > self._next_ns:
            late = (now_ns - self._next_ns) // self._period_ns
            self.missed += late
            self._next_ns += late * self._period_ns
        while now_ns < self._next_ns:
            self._sleep(s_from_ns(self._next_ns - now_ns))
            now_ns = self._clock_ns()
        self._next_ns += self._period_ns
        self._record(now_ns)
        return now_ns

    def _record(self, now_ns: int) -> None:
        if self._last_ns is not None:
            self._periods[self._ticks % _WINDOW] = s_from_ns(now_ns - self._last_ns)
            self._ticks += 1
        self._last_ns = now_ns

    def statistics(self) -> LoopStatistics:
        """Return the periods of the newest ticks."""
        seen = np.sort(self._periods[: min(self._ticks, _WINDOW)])
        if not len(seen):
            return LoopStatistics(rate_hz=0.0, p99_s=0.0, max_s=0.0, missed=self.missed, ticks=0)
        return LoopStatistics(
            rate_hz=1.0 / float(seen.mean()),
            p99_s=float(seen[min(len(seen) - 1, int(0.99 * len(seen)))]),
            max_s=float(seen[-1]),
            missed=self.missed,
            ticks=self._ticks,
        )
