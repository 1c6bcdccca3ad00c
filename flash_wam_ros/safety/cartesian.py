"""Speed limit of hands and elbows: what the next command and the stop behind it may do.

The law. Let the stop trajectory of a state be the motion by which all joints brake from it in
least time. The invariant is that hands and elbows keep their speed limit on the whole of it. A
new state of an arm is accepted only if the way to it and its stop trajectory keep the limit;
otherwise all joints of the arm take one step along the stop trajectory that they have, the rest
of which is the stop trajectory of the state they reach. At rest the invariant holds, so it holds
for ever, and no jerk-limited stop is ever broken by it.

The way to a state is judged exactly, by where the points are before and behind it. The stop
trajectory is judged by a bound. Let J be the Jacobian of a point in the new state, r_i its
largest distance from axis i in any pose. Turning joint k changes column i of J by at most
r_max(i,k) a radian, where max is the joint further out, and no column is ever longer than r_i.
While braking joint k moves by at most d_k, and joint i is never faster than u_i, the larger of
its speed now and of that once its acceleration is undone. So the point is never faster than

    sum_i min(|J_i| + sum_k r_max(i,k) d_k, r_i) u_i.

The sum takes no advantage of joints that move the point against each other: one of them comes to
rest first. So that this guard has seldom to brake, joints are asked beforehand for no more than
such a share of their speeds as keeps a sum of the same form below the limit.
"""

from typing import Protocol

import numpy as np

from flash_wam_ros.safety.limits import Limits
from flash_wam_ros.safety.points import SIDES, Places, slice_of

# Share of the limit that is asked for; a guard that has to brake asks for less for a while.
_SHARE, _LESS, _MORE_PER_STEP, _LEAST = 0.92, 0.8, 0.002, 0.1
# Speed that is always asked for, so that no joint is asked to stand for ever [rad/s].
_CREEP_RAD_S = 1e-3
_ROUNDING_M_S = 1e-9


class Points(Protocol):
    """Points on the arms; `points.ArmPoints` are some."""

    names: tuple[str, ...]
    side: np.ndarray
    joint_side: np.ndarray
    reach: np.ndarray
    order: np.ndarray

    def __call__(self, q: np.ndarray) -> Places:
        """Return where the points are and how they move with the joints at ``q`` (J,)."""

    def gravity(self, q: np.ndarray) -> np.ndarray:
        """Return the (J,) torques that hold the arms at ``q`` (J,)."""


class SpeedGuard:
    """Keeps the speed limit of points on the arms.

    Attributes:
        limit_m_s: highest speed of any point relative to the trunk [m/s].
        asked_m_s: (P,) speeds that the last targets asked for, 0 where nothing was changed.
        names: (P,) names of the points.
    """

    def __init__(self, points: Points, limits: Limits, limit_m_s: float) -> None:
        if not 0.0 < limit_m_s < np.inf:
            raise ValueError(f'speed limit {limit_m_s} m/s must be > 0 and finite')
        self.limit_m_s = limit_m_s
        self.names = points.names
        self._points = points
        self._reach = points.reach
        self._bend = _bend(points).reshape(-1, len(limits))
        # Quicker than masks where they follow each other.
        self._of_side = [_slots_of(points.side, index) for index in range(len(SIDES))]
        self._joints = [_slots_of(points.joint_side, index) for index in range(len(SIDES))]
        self._share = [_SHARE] * len(SIDES)
        self._here: tuple[bytes, Places] | None = None
        self._lengths: np.ndarray | None = None
        self.asked_m_s = np.zeros(len(points.names))

    def speeds(self, q: np.ndarray, demand: np.ndarray) -> np.ndarray | None:
        """Return the (J,) joint speeds that keep the points at their limit, None for any.

        Args:
            q: (J,) commanded positions.
            demand: (J,) speeds that the joints would take, either way.
        """
        self.asked_m_s[:] = 0.0
        if (self._reach @ demand).max() <= min(self._share) * self.limit_m_s:
            return None
        asked = self._levers(q) @ demand
        allowed = np.full(len(demand), np.inf)
        for index, (points, joints) in enumerate(zip(self._of_side, self._joints, strict=True)):
            share = self._share[index] * self.limit_m_s / max(1e-12, *asked[points].tolist())
            if share < 1.0:
                allowed[joints] = share * demand[joints] + _CREEP_RAD_S
                self.asked_m_s[points] = asked[points]
        return allowed

    def allows(
        self,
        before: np.ndarray,
        q: np.ndarray,
        fastest: np.ndarray,
        spread: np.ndarray,
        dt_s: float,
    ) -> np.ndarray | None:
        """Say which joints' arms may go from ``before`` to a new state in ``dt_s`` [s].

        Args:
            before: (J,) commanded positions now.
            q: (J,) positions of the new state.
            fastest: (J,) larger of the speed there and of that once its acceleration is undone.
            spread: (J,) how far each joint moves at most while it brakes from there.
            dt_s: time between the two.

        Returns:
            (J,) whether each may, None if all may.
        """
        most = np.maximum(fastest, np.abs(q - before) / dt_s)
        if (self._reach @ most).max() <= self.limit_m_s:
            self._ask_more()
            return None
        start = self._places(before).position
        speed = _lengths(self._places(q).position - start) / dt_s
        grown = self._levers(q) + (self._bend @ spread).reshape(self._reach.shape)
        braking = np.minimum(grown, self._reach) @ fastest
        speed = np.maximum(speed, braking)
        within = speed <= self.limit_m_s + _ROUNDING_M_S
        if all(within.tolist()):
            self._ask_more()
            return None
        return self._judge(speed, ~within)

    def _ask_more(self) -> None:
        """Ask for a little more again, up to the usual share."""
        self._share = [min(_SHARE, share + _MORE_PER_STEP) for share in self._share]

    def _judge(self, speed: np.ndarray, over: np.ndarray) -> np.ndarray:
        """Return (J,) which joints may go on where the points ``over`` (P,) are too fast."""
        allowed = np.ones(self._reach.shape[1], bool)
        for index, points in enumerate(self._of_side):
            if any(over[points].tolist()):
                allowed[self._joints[index]] = False
                self.asked_m_s[points] = speed[points]
                self._share[index] = max(_LEAST, self._share[index] * _LESS)
            else:
                self._share[index] = min(_SHARE, self._share[index] + _MORE_PER_STEP)
        return allowed

    def _places(self, q: np.ndarray) -> Places:
        key = q.tobytes()
        if self._here is None or self._here[0] != key:
            self._here = (key, self._points(q))
            self._lengths = None
        return self._here[1]

    def _levers(self, q: np.ndarray) -> np.ndarray:
        """Return the (P, J) speed of each point a unit of joint speed [m/rad]."""
        places = self._places(q)
        if self._lengths is None:
            self._lengths = _lengths(places.jacobian)
        return self._lengths


def _slots_of(sides: np.ndarray, index: int) -> slice | np.ndarray:
    """Return where in ``sides`` the side ``index`` stands."""
    return slice_of(np.flatnonzero(sides == index))


def _bend(points: Points) -> np.ndarray:
    """Return (P, J, J) bounds of how fast turning joint k changes what joint i does [m/rad^2]."""
    bend = np.zeros((len(points.names), *[len(points.order)] * 2))
    for row, reach in enumerate(points.reach):
        moving = np.flatnonzero(reach > 0)
        by_order = {int(points.order[slot]): reach[slot] for slot in moving}
        for i in moving:
            for k in moving:
                bend[row, i, k] = by_order[max(int(points.order[i]), int(points.order[k]))]
    return bend


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of vectors whose coordinates stand on axis 1."""
    return np.asarray(np.sqrt((vectors * vectors).sum(axis=1)))
