"""Lets the arms move only where they can still stop clear of the body.

The law. The invariant is that the way on which the arms come to rest if they brake now is clear of
the body: every pair of bodies keeps its distance, or, where it began too near, comes no nearer.
Braking goes along that way, so whoever brakes wherever a step would break the invariant keeps it
for ever.

In a *wide* place a check of that way covers all that can be reached until the next check,
whatever is asked: each pair counts as nearer by what its arms can make of that time. In a *narrow*
one each step is judged by the way to rest behind it, and taken slowly. The way is looked at in six
poses, of which rest is one; a margin is kept for what lies between them.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

import numpy as np

from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.ledger import Finding

# Steps of a period that add up to the time of a check are inside it, also where rounding says no.
_ROUNDING_S = 1e-9
# What is kept beyond the limit for poses between those that are looked at [m].
_MARGIN_M = 0.001


class Clearance(Protocol):
    """What measures distances; `clearance.ClearanceModel` is one."""

    def near(
        self,
        q: np.ndarray,
        drift: np.ndarray | None = None,
        within_m: float = ...,
        among: Collection[str] | None = None,
    ) -> dict[str, float]:
        """Return pair -> distance [m] of what is, or ``drift`` may make, nearer than ``within_m``.

        Args:
            q: (J,) positions of all joints.
            drift: (J,) ways by which the joints may be elsewhere.
            within_m: up to where to look [m].
            among: the pairs to look at, None for all.
        """


class Gate:
    """Says which steps may be taken."""

    def __init__(self, model: Clearance, config: ControllerConfig) -> None:
        self._model = model
        self._limit_m = config.clearance_m + _MARGIN_M
        self._every_s = config.clearance_check_s
        self._left_s = 0.0
        self._refused: tuple[str, float] | None = None
        # Pairs that may come too near before the next check.
        self._suspects: set[str] = set()

    @property
    def narrow(self) -> bool:
        """Return whether steps must be slow and be judged one by one."""
        return bool(self._suspects)

    def forget(self) -> None:
        """Prove anew before the next step: the arms were moved otherwise."""
        self._left_s = 0.0
        self._refused = None

    def due(self, dt_s: float) -> float | None:
        """Return the time [s] that a check has to cover before a step of ``dt_s`` is taken.

        None if the last check covers the step.
        """
        self._refused = None
        self._left_s -= dt_s
        if self._left_s >= -_ROUNDING_S:
            return None
        covered_s = max(self._every_s, dt_s)
        self._left_s = covered_s - dt_s
        return covered_s

    def check(self, way: Sequence[np.ndarray], drift: np.ndarray) -> None:
        """Measure whether the place is wide.

        Args:
            way: poses (J,) on the way to rest if they brake now.
            drift: (J,) how far they may move in the time that is to be covered.
        """
        self._suspects = set()
        for pose in way:
            self._suspects.update(self._model.near(pose, drift, self._limit_m))

    def allows(
        self, way: Sequence[np.ndarray], before: Callable[[], Sequence[np.ndarray]]
    ) -> bool:
        """Return whether the arms may come to rest on ``way`` where they now would on ``before``.

        Args:
            way: poses (J,) on the way to rest after the step.
            before: returns as many on the way to rest if they brake now; asked where it matters.
        """
        for index, pose in enumerate(way):
            there = self._model.near(pose, None, self._limit_m, self._suspects)
            if not there:
                continue
            here = self._model.near(before()[index], None, self._limit_m, self._suspects)
            for pair, distance_m in there.items():
                if not 0.0 < distance_m >= here.get(pair, self._limit_m):
                    self._refused = self._refused or (pair, distance_m)
                    return False
        return True

    def findings(self) -> Iterator[Finding]:
        """Yield the pair for which the last step was not taken as asked."""
        if self._refused is not None:
            yield Finding('clearance', *self._refused, self._limit_m)
