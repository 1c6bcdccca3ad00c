"""A chunk of future actions, anchored in time by the observation it came from."""

from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core.joints import JointLayout
from flash_wam_ros.core.stamp import ns_from_s


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionChunk:
    """Joint targets at T times after an observation.

    Attributes:
        stamp_ns: ROS time of the observation that it was computed from [ns].
        layout: the J joints that it commands.
        times_s: (T,) time from ``stamp_ns`` of each point [s], strictly increasing, > 0.
        q: (T, J) joint targets [rad or m].
        done_ns: ROS time at which the inference was done [ns], 0 if unknown.
    """

    stamp_ns: int
    layout: JointLayout
    times_s: np.ndarray
    q: np.ndarray
    done_ns: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong shapes, numbers that are not finite, and times out of order."""
        times, joints = self.times_s, len(self.layout)
        if times.ndim != 1 or len(times) == 0 or self.q.shape != (len(times), joints):
            raise ValueError(
                f'chunk has times {times.shape} and targets {self.q.shape}; '
                f'expected (T,) with T >= 1 and (T, {joints})'
            )
        if not (np.all(np.isfinite(times)) and times[0] > 0 and np.all(np.diff(times) > 0)):
            raise ValueError('chunk times must be finite, > 0 s and strictly increasing')
        if not np.all(np.isfinite(self.q)):
            slot = int(np.argwhere(~np.isfinite(self.q))[0][1])
            raise ValueError(
                f'{self.layout.names[slot]} has a target that is not finite; chunk refused; '
                'check the policy and its normalisation statistics'
            )

    @property
    def expiry_ns(self) -> int:
        """ROS time after which the chunk commands nothing any more [ns]."""
        return self.stamp_ns + ns_from_s(float(self.times_s[-1]))
