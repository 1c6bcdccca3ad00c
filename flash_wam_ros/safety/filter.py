"""Online trajectory filter: position, velocity, acceleration, jerk and hand speed, all at once.

The law of the position limit. At every tick the filter knows a *stop trajectory*: from the
present state to rest in least time under the acceleration and jerk limits. The invariant is that
this trajectory stays inside the position limits. A new state is accepted for a joint only if the
stop trajectory that begins there stays inside too; otherwise the joint takes one step along the
stop trajectory that it already has, whose rest is, by Bellman's principle, the stop trajectory of
the state it reaches. So the invariant holds for ever once it holds at rest, whatever is asked.
The soft zone is part of it: the stop must end at least ``soft_s`` times the top speed of the stop
before a limit. That speed only falls along a stop and its end stays, so the argument is the same.
The speed of hands and elbows is kept in the same way, an arm at a time (`cartesian.SpeedGuard`).

Velocity, acceleration and jerk are met by Ruckig (Berscheid and Kroeger, "Jerk-limited Real-time
Trajectory Generation with Arbitrary Target States", RSS 2021), which plans the time-optimal way
from the present state to rest at the target; a target at rest is never passed by choice.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    Ruckig,
    RuckigError,
    Synchronization,
    Trajectory,
)

from flash_wam_ros.safety.cartesian import SpeedGuard
from flash_wam_ros.safety.limits import (
    Limits,
    SpeedWithin,
    resting_way,
    stopping_distance,
    top_velocity,
)

# Room for rounding when a stop trajectory is compared with a limit [rad or m].
_ROUNDING = 1e-9
# Speed that a soft zone leaves a joint in any case, so that it arrives [rad/s].
_CREEP = 1e-3
# What rounding leaves of a motion that has come to rest [rad/s, rad/s^2].
_STILL = np.array([[1e-12], [1e-9]])
# Shares of a stop that are left where its path is looked at.
_LEFT = (5 / 6, 2 / 3, 1 / 2, 1 / 3, 1 / 6, 0.0)


class StopJudge(Protocol):
    """Says on which way to rest the joints may be.

    Attributes:
        alone: (J,) joints whose steps are tried alone where those of all together are refused.
    """

    alone: np.ndarray

    def __call__(self, path: np.ndarray, before: Callable[[], np.ndarray]) -> bool:
        """Return whether they may stop along ``path`` (K, J), where it now is ``before()``."""


class TrajectoryFilter:
    """Follows targets within `Limits`, joint by joint, from the commanded state.

    Attributes:
        q: (J,) commanded positions.
        dq: (J,) commanded velocities.
        ddq: (J,) commanded accelerations.
        braked: (J,) whether the last step had to brake for a position limit.
        softened: (J,) whether the last step went slower because a limit is near.
        guard: keeps the speed of hands and elbows, None for no limit.
    """

    def __init__(self, limits: Limits, guard: SpeedGuard | None = None) -> None:
        size = len(limits)
        self.limits = limits
        self.guard = guard
        self._soft = limits.soft
        # Within the room before a limit, and within the whole way.
        self._speed_within = SpeedWithin(limits, np.array([2 * self._soft, np.zeros(size)]))
        # No soft zone, no speed that it would leave.
        self._creep = np.where(self._soft > 0, _CREEP, np.inf)
        self._down = limits.down
        self._soft_both = np.array([-self._soft, self._soft])
        self._otg = Ruckig(size)
        self._plan = Trajectory(size)
        self._stop = Trajectory(size)
        self._stop_next = Trajectory(size)
        self._stop_age_s = 0.0
        self._goto = self._input(ControlInterface.Position)
        self._halt = self._input(ControlInterface.Velocity)
        self.reset(np.clip(np.zeros(size), limits.lower, limits.upper))

    def _input(self, interface: ControlInterface) -> InputParameter:
        limits = self.limits
        params = InputParameter(len(limits))
        params.control_interface = interface
        params.synchronization = Synchronization.No
        params.max_velocity = limits.velocity.tolist()
        params.min_velocity = (-self._down).tolist()
        params.max_acceleration = limits.acceleration.tolist()
        params.max_jerk = limits.jerk.tolist()
        return params

    def reset(self, q: np.ndarray) -> None:
        """Begin at rest at ``q`` (J,); a joint outside its limits may only move back inside."""
        if q.shape != (len(self.limits),) or not np.all(np.isfinite(q)):
            raise ValueError(f'start of shape {q.shape} must be ({len(self.limits)},) and finite')
        self.q = q.astype(float)
        self._lower = np.minimum(self.limits.lower, self.q)
        self._upper = np.maximum(self.limits.upper, self.q)
        self._wall()
        self._widened = bool(
            (self._lower < self.limits.lower).any() or (self._upper > self.limits.upper).any()
        )
        self.rest()

    def rest(self) -> None:
        """Forget all motion: stay where the command is, for instance after a gap in time."""
        self.dq = np.zeros(len(self.limits))
        self.ddq = np.zeros(len(self.limits))
        self._unchanged()
        self._plan_stop(self._stop)
        self._stop_age_s = 0.0

    @property
    def at_rest(self) -> bool:
        """Return whether no joint moves."""
        return not (self.dq.any() or self.ddq.any())

    @property
    def stop_q(self) -> np.ndarray:
        """Return the (J,) positions at which the joints come to rest if they brake now."""
        return np.array(self._stop.at_time(self._stop.duration)[0])

    @property
    def stop_path(self) -> np.ndarray:
        """Return (K, J) positions on the way to rest if the joints brake now; the last is rest."""
        return _path(self._stop, self._stop_age_s)

    def stop_drift(self, time_s: float) -> np.ndarray:
        """Return how far, at most, the (J,) rest positions move within ``time_s`` [s].

        Worst is full jerk for all of that time, either way.
        """
        ways = np.array([[1.0], [-1.0], [1.0]])
        v, a = ways * self.dq, ways * self.ddq
        way = self._hurry(v[:2], a[:2], time_s)
        ahead, back, now = resting_way(self.limits, v, a)
        return np.asarray(np.maximum(way[0] + ahead - now, way[1] + back + now))

    def _hurry(self, v: np.ndarray, a: np.ndarray, time_s: float) -> np.ndarray:
        """Put ``v`` and ``a`` (2, J) after full jerk for ``time_s``; return the ways until it."""
        limits, jerk = self.limits, self.limits.jerk
        way = v * time_s + a * time_s**2 / 2 + jerk * time_s**3 / 6
        a_then = np.minimum(limits.acceleration, a + jerk * time_s)
        # No plan enters a state from which the speed limit would be passed while braking.
        v_most = limits.velocity - np.maximum(0.0, a_then) ** 2 / (2 * jerk)
        v[:] = np.minimum(v_most, v + a * time_s + jerk * time_s**2 / 2)
        a[:] = a_then
        return np.asarray(way)

    @property
    def lag_s(self) -> np.ndarray:
        """Return the (J,) time by which each joint trails a target that moves as it does [s].

        A joint aims at rest at its target, so it keeps its stopping distance behind a moving
        one; aiming ahead by this time cancels the lag.
        """
        speed = np.abs(self.dq)
        return np.divide(
            stopping_distance(self.limits, speed), speed, out=np.zeros(len(speed)), where=speed > 0
        )

    def clamp(self, target: np.ndarray) -> np.ndarray:
        """Return ``target`` (J,) inside the position limits; NaN stays NaN."""
        return np.asarray(np.minimum(np.maximum(target, self.limits.lower), self.limits.upper))

    def brake(self, dt_s: float) -> None:
        """Advance ``dt_s`` along the stop trajectory of all joints."""
        self._stop_age_s += dt_s
        self._unchanged()
        if self._stop_age_s >= self._stop.duration:
            self._take(self._stop, self._stop.duration)
            self.dq[:] = 0.0
            self.ddq[:] = 0.0
        else:
            self._take(self._stop, self._stop_age_s)

    def step(
        self,
        target: np.ndarray,
        dt_s: float,
        velocity: np.ndarray | None = None,
        judge: StopJudge | None = None,
    ) -> None:
        """Advance ``dt_s`` [s] toward ``target`` (J,).

        A joint whose target is not finite brakes.

        Args:
            target: where to be at rest, clamped to the position limits.
            dt_s: time since the last step, >= 0.
            velocity: (J,) tighter speed limits for this step.
            judge: says whether the joints may stop as they would after the step.
        """
        if dt_s <= 0.0:
            return
        known = np.isfinite(target)
        aim = np.where(known, self.clamp(target), self.q)
        if not self._plan_to(aim, velocity):
            self.brake(dt_s)
            return
        before = self.q
        wanted = np.array(self._plan.at_time(dt_s))
        self._try(known, wanted, dt_s)
        self._see_stop()
        inside = self._stops_inside()
        free = known & inside
        if not all(inside.tolist()):
            self._try(free, wanted, dt_s)
            self._see_stop()
        if self.guard is not None:
            fastest = np.maximum(np.abs(self.dq), np.abs(self._top))
            calm = self.guard.allows(before, self.q, fastest, self._spread(), dt_s)
            if calm is not None:
                free = free & calm
                self._try(free, wanted, dt_s)
        if judge is not None:
            for alone in (judge.alone, np.zeros(len(free), bool)):
                if judge(_path(self._stop_next, 0.0), lambda: self.stop_path):
                    break
                free = free & alone
                self._try(free, wanted, dt_s)
                if not free.any():
                    break
        self._stop, self._stop_next = self._stop_next, self._stop
        self._stop_age_s = 0.0
        self.braked = ~inside
        if self._widened:
            self._tighten()

    def _try(self, free: np.ndarray, wanted: np.ndarray, dt_s: float) -> None:
        """Go to the ``wanted`` (3, J) state where ``free``, else on to rest; plan the stop there.

        The stop that is known stays, so that another state may be tried.
        """
        if not all(free.tolist()):
            wanted = np.where(free, wanted, self._stop.at_time(self._stop_age_s + dt_s))
        self._set(wanted)
        self._plan_stop(self._stop_next)

    def _see_stop(self) -> None:
        """Look at the stop that was planned last: where it leads, and from which speed."""
        self._top = top_velocity(self.limits, self.dq, self.ddq)
        extrema = self._stop_next.position_extrema
        # Signs turned for the upper ends, so that one comparison does for both.
        self._ends = np.array([[end.min for end in extrema], [-end.max for end in extrema]])

    def _spread(self) -> np.ndarray:
        """Return the (J,) furthest ways from the present state on its stop trajectory."""
        return np.maximum(-(self._ends[1] + self.q), self.q - self._ends[0])

    def _unchanged(self) -> None:
        self.braked = np.zeros(len(self.limits), bool)
        self.softened = np.zeros(len(self.limits), bool)
        if self.guard is not None:
            self.guard.asked_m_s[:] = 0.0

    def _plan_to(self, aim: np.ndarray, velocity: np.ndarray | None) -> bool:
        """Plan the way to rest at ``aim``; return whether there is one."""
        goto = self._goto
        up, down = self._speeds(aim, velocity)
        goto.max_velocity = up.tolist()
        goto.min_velocity = (-down).tolist()
        goto.current_position = self.q.tolist()
        goto.current_velocity = self.dq.tolist()
        goto.current_acceleration = self.ddq.tolist()
        goto.target_position = aim.tolist()
        return self._calculate(goto, self._plan)

    def _speeds(
        self, aim: np.ndarray, velocity: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the (J,) highest speeds up and down for a step toward ``aim``."""
        up, down = self.limits.velocity, self._down
        if velocity is not None:
            up, down = np.minimum(up, velocity), np.minimum(down, velocity)
        way = aim - self.q
        falling = way < 0
        room = np.where(falling, self.q - self._lower, self._upper - self.q)
        calm, demand = self._speed_within(np.array([room, np.abs(way)]))
        calm = calm + self._creep
        demand = np.minimum(demand, np.where(falling, down, up))
        self.softened = demand > calm
        demand = np.minimum(demand, calm)
        if self.guard is not None:
            shared = self.guard.speeds(self.q, demand)
            if shared is not None:
                calm = np.minimum(calm, shared)
        return np.minimum(up, calm), np.minimum(down, calm)

    def _plan_stop(self, trajectory: Trajectory) -> None:
        halt = self._halt
        halt.current_position = self.q.tolist()
        halt.current_velocity = self.dq.tolist()
        halt.current_acceleration = self.ddq.tolist()
        if not self._calculate(halt, trajectory):
            raise RuntimeError('no stop trajectory from a state inside the limits')

    def _calculate(self, params: InputParameter, trajectory: Trajectory) -> bool:
        """Plan; return whether there is a plan. Now and then the solver finds none and says so."""
        try:
            return bool(self._otg.calculate(params, trajectory).value >= 0)
        except RuckigError:
            return False

    def _stops_inside(self) -> np.ndarray:
        """Return (J,) whether the stop that was planned last keeps limits and soft zones."""
        spare = self._soft_both * self._top
        kept = self._ends >= self._walls + np.maximum(0.0, spare) - _ROUNDING
        return np.asarray(kept[0] & kept[1])

    def _wall(self) -> None:
        """Set the (2, J) walls that stops end before, with the signs of `_see_stop`."""
        self._walls = np.array([self._lower, -self._upper])

    def _tighten(self) -> None:
        """Let a joint that began outside its limits keep what it has won on the way back."""
        self._lower = np.minimum(self.limits.lower, np.maximum(self._lower, self.q))
        self._upper = np.maximum(self.limits.upper, np.minimum(self._upper, self.q))
        self._wall()

    def _take(self, trajectory: Trajectory, time_s: float) -> None:
        self._set(np.array(trajectory.at_time(time_s)))

    def _set(self, state: np.ndarray) -> None:
        moves = np.abs(state[1:]) > _STILL
        self.q = state[0]
        self.dq, self.ddq = state[1:] * (moves[0] | moves[1])


def _path(stop: Trajectory, age_s: float) -> np.ndarray:
    """Return (K, J) positions, K even steps on, of what is left of a stop of age ``age_s`` [s]."""
    left_s = max(0.0, stop.duration - age_s)
    return np.array([stop.at_time(stop.duration - left_s * share)[0] for share in _LEFT])
