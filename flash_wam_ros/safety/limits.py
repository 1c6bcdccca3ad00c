"""Limits of motion of each joint, and the closed forms of stopping within them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of J joints.

    Attributes:
        lower: (J,) lowest position [rad or m].
        upper: (J,) highest position.
        velocity: (J,) highest speed [rad/s or m/s].
        acceleration: (J,) highest acceleration [rad/s^2 or m/s^2].
        jerk: (J,) highest jerk [rad/s^3 or m/s^3].
        descent: (J,) highest speed toward lower positions; None: that of ``velocity``. It is not
            above ``velocity``: what closes a gripper may be slower than what opens it.
        soft_s: (J,) soft zone: a joint that brakes now comes to rest at least this time its
            speed before a limit [s]; None: no soft zone.
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    descent: np.ndarray | None = None
    soft_s: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse limits that are not finite, ordered and positive."""
        if not np.all(self.lower < self.upper):
            raise ValueError('lower limits must be below upper limits; reduce the margin')
        for name in ('velocity', 'acceleration', 'jerk'):
            values = getattr(self, name)
            if not np.all((values > 0) & (values < np.inf)):
                raise ValueError(f'{name} limits must be > 0 and finite, not {values}')
        if not np.all((self.down > 0) & (self.down <= self.velocity)):
            raise ValueError(f'descent limits must be > 0 and <= velocity, not {self.descent}')
        if not np.all((self.soft >= 0) & (self.soft < np.inf)):
            raise ValueError(f'soft zones must be >= 0 s and finite, not {self.soft_s}')

    def __len__(self) -> int:
        """Return J."""
        return len(self.lower)

    @property
    def down(self) -> np.ndarray:
        """Return the (J,) highest speeds toward lower positions."""
        return self.velocity if self.descent is None else self.descent

    @property
    def soft(self) -> np.ndarray:
        """Return the (J,) soft zones [s], 0 where there is none."""
        return np.zeros(len(self.lower)) if self.soft_s is None else self.soft_s


def stopping_distance(limits: Limits, velocity: np.ndarray) -> np.ndarray:
    """Return the (J,) way to rest from ``velocity`` (J,) without acceleration, in least time.

    Below a^2/j the speed falls along two jerk ramps of sqrt(v/j) each, above it along a ramp, a
    stretch at full deceleration and a ramp; either way it falls symmetrically in time, so that
    the way is half the speed times the time.
    """
    speed, a, j = np.abs(velocity), limits.acceleration, limits.jerk
    time = np.where(speed * j < a * a, 2.0 * np.sqrt(speed / j), speed / a + a / j)
    return 0.5 * speed * time


class SpeedWithin:
    """Speeds that stop within a distance, less ``spare_s`` times the speed.

    Solves v^2/2a + v (a/2j + spare) = distance. The left side is never below the stopping
    distance, so the speed is never above what stops in time: for small speeds by
    v^2/2a + v a/2j >= v^1.5 / j^0.5, the inequality of the two means.
    """

    def __init__(self, limits: Limits, spare_s: np.ndarray) -> None:
        """Spare ``spare_s`` (..., J) [s]."""
        self._a = limits.acceleration
        self._half_a = self._a / 2.0
        self._half = self._a / (2.0 * limits.jerk) + spare_s
        self._square = self._half * self._half

    def __call__(self, distance: np.ndarray) -> np.ndarray:
        """Return the (..., J) speeds for ``distance`` (..., J), 0 for one below 0."""
        room = np.maximum(0.0, distance) / self._half_a
        return np.asarray(self._a * (np.sqrt(self._square + room) - self._half))


def top_velocity(limits: Limits, velocity: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
    """Return the (J,) velocities reached once ``acceleration`` is undone at full jerk."""
    return np.asarray(velocity + acceleration * np.abs(acceleration) / (2 * limits.jerk))


def resting_way(limits: Limits, velocity: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
    """Return the (J,) signed way to rest in least time from ``velocity`` and ``acceleration``.

    In the direction in which the joint still moves once its acceleration is undone: a joint that
    accelerates first undoes that in t = a/j and brakes then; one that brakes already is somewhere
    on the way to rest from a speed without acceleration, t after its start.
    """
    a, j = acceleration, limits.jerk
    way = np.where(top_velocity(limits, velocity, a) < 0, -1.0, 1.0)
    v, a = way * velocity, way * a
    t = np.abs(a) / j
    top = v + a * a / (2 * j)
    undone = np.where(a > 0, v * t + a * t * t / 3, -(top * t - j * t**3 / 6))
    return np.asarray(way * (undone + stopping_distance(limits, top)))
