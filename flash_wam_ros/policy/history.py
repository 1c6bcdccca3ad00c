"""What happened since the last chunk, sampled at the times that a model counts in.

A world-action model counts in latent frames: a fixed number of key frames and of actions each.
Cameras and the controller run on their own clocks, so both are sampled here.
"""

from collections.abc import Sequence

import numpy as np

from flash_wam_ros.core import Observation
from flash_wam_ros.policy.protocol import SentCommands


class History:
    """The frames and sent commands of one episode, oldest first, forgotten as they are used."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._observations: list[Observation] = []
        self._stamps_ns = np.empty(0, np.int64)
        self._q = np.empty((0, 0))

    def add(self, observations: Sequence[Observation], sent: SentCommands) -> None:
        """Append what was seen and sent since the last call."""
        self._observations.extend(observations)
        if len(sent.q):
            kept = self._q if len(self._q) else sent.q[:0]
            self._stamps_ns = np.concatenate([self._stamps_ns, sent.stamps_ns])
            self._q = np.concatenate([kept, sent.q])

    @property
    def newest(self) -> Observation:
        """Return the newest observation."""
        return self._observations[-1]

    def frames_at(self, times_ns: np.ndarray) -> list[Observation]:
        """Return the newest observation at or before each time, the oldest if there is none."""
        stamps = np.array([seen.stamp_ns for seen in self._observations])
        slots = np.searchsorted(stamps, times_ns, side='right') - 1
        return [self._observations[slot] for slot in np.maximum(slots, 0)]

    def commands_at(self, times_ns: np.ndarray, fallback: np.ndarray) -> np.ndarray:
        """Return the (N, J) command in force at each time; ``fallback`` (J,) before the first."""
        slots = np.searchsorted(self._stamps_ns, times_ns, side='right') - 1
        rows = [self._q[slot] if slot >= 0 else fallback for slot in slots]
        return np.array(rows).reshape(len(times_ns), len(fallback))

    def forget_before(self, time_ns: int) -> None:
        """Drop what is older than ``time_ns``, but keep the state in force at that time."""
        stamps = np.array([seen.stamp_ns for seen in self._observations])
        first = max(int(np.searchsorted(stamps, time_ns, side='right')) - 1, 0)
        self._observations = self._observations[first:]
        first = max(int(np.searchsorted(self._stamps_ns, time_ns, side='right')) - 1, 0)
        self._stamps_ns, self._q = self._stamps_ns[first:], self._q[first:]
