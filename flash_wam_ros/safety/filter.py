"""Online trajectory filter: position, velocity, acceleration and jerk limits, all at once.

The law of the position limit. At every tick the filter knows a *stop trajectory*: from the
present state to rest in least time under the acceleration and jerk limits. The invariant is that
this trajectory stays inside the position limits. A new state is accepted for a joint only if the
stop trajectory that begins there stays inside too; otherwise the joint takes one step along the
stop trajectory that it already has, whose rest is, by Bellman's principle, the stop trajectory of
the state it reaches. So the invariant holds for ever once it holds at rest, whatever is asked.

Velocity, acceleration and jerk are met by Ruckig (Berscheid and Kroeger, "Jerk-limited Real-time
Trajectory Generation with Arbitrary Target States", RSS 2021), which plans the time-optimal way
from the present state to rest at the target; a target at rest is never passed by choice.
"""

from dataclasses import dataclass

import numpy as np
from ruckig import ControlInterface, InputParameter, Ruckig, Synchronization, Trajectory

# Room for rounding when a stop trajectory is compared with a limit [rad or m].
_ROUNDING = 1e-9
# What rounding leaves of a motion that has come to rest [rad/s, rad/s^2].
_STILL_RAD_S = 1e-12
_STILL_RAD_S2 = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of J joints.

    Attributes:
        lower: (J,) lowest position [rad or m].
        upper: (J,) highest position.
        velocity: (J,) highest speed [rad/s or m/s].
        acceleration: (J,) highest acceleration [rad/s^2 or m/s^2].
        jerk: (J,) highest jerk [rad/s^3 or m/s^3].
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray

    def __post_init__(self) -> None:
        """Refuse limits that are not finite, ordered and positive."""
        if not np.all(self.lower < self.upper):
            raise ValueError('lower limits must be below upper limits; reduce the margin')
        for name in ('velocity', 'acceleration', 'jerk'):
            values = getattr(self, name)
            if not np.all((values > 0) & (values < np.inf)):
                raise ValueError(f'{name} limits must be > 0 and finite, not {values}')

    def __len__(self) -> int:
        """Return J."""
        return len(self.lower)


def stopping_distance(limits: Limits, velocity: np.ndarray) -> np.ndarray:
    """Return the (J,) way to rest from ``velocity`` (J,) without acceleration, in least time.

    Below a^2/j the speed falls along two jerk ramps of sqrt(v/j) each, above it along a ramp, a
    stretch at full deceleration and a ramp; either way it falls symmetrically in time, so that
    the way is half the speed times the time.
    """
    speed, a, j = np.abs(velocity), limits.acceleration, limits.jerk
    time = np.where(speed * j < a * a, 2.0 * np.sqrt(speed / j), speed / a + a / j)
    return 0.5 * speed * time


def resting_way(limits: Limits, velocity: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
    """Return the (J,) signed way to rest in least time from ``velocity`` and ``acceleration``.

    In the direction in which the joint still moves once its acceleration is undone: a joint that
    accelerates first undoes that in t = a/j and brakes then; one that brakes already is somewhere
    on the way to rest from a speed without acceleration, t after its start.
    """
    a, j = acceleration, limits.jerk
    way = np.where(velocity + a * np.abs(a) / (2 * j) < 0, -1.0, 1.0)
    v, a = way * velocity, way * a
    t = np.abs(a) / j
    top = v + a * a / (2 * j)
    undone = np.where(a > 0, v * t + a * t * t / 3, -(top * t - j * t**3 / 6))
    return np.asarray(way * (undone + stopping_distance(limits, top)))


class TrajectoryFilter:
    """Follows targets within `Limits`, joint by joint, from the commanded state.

    Attributes:
        q: (J,) commanded positions.
        dq: (J,) commanded velocities.
        ddq: (J,) commanded accelerations.
        braked: (J,) whether the last step had to brake for a position limit.
    """

    def __init__(self, limits: Limits) -> None:
        size = len(limits)
        self.limits = limits
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
        self.rest()

    def rest(self) -> None:
        """Forget all motion: stay where the command is, for instance after a gap in time."""
        self.dq = np.zeros(len(self.limits))
        self.ddq = np.zeros(len(self.limits))
        self.braked = np.zeros(len(self.limits), bool)
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

    def stop_drift(self, time_s: float) -> np.ndarray:
        """Return how far, at most, the (J,) rest positions move within ``time_s`` [s].

        Worst is full jerk for all of that time, either way.
        """
        ahead = self._furthest(self.dq, self.ddq, time_s)
        back = self._furthest(-self.dq, -self.ddq, time_s)
        now = resting_way(self.limits, self.dq, self.ddq)
        return np.asarray(np.maximum(ahead - now, back + now))

    def _furthest(self, v: np.ndarray, a: np.ndarray, time_s: float) -> np.ndarray:
        """Return the (J,) ways to rest after full jerk for ``time_s`` from ``v`` and ``a``."""
        limits, jerk = self.limits, self.limits.jerk
        way = v * time_s + a * time_s**2 / 2 + jerk * time_s**3 / 6
        a_then = np.minimum(limits.acceleration, a + jerk * time_s)
        # No plan enters a state from which the speed limit would be passed while braking.
        v_most = limits.velocity - np.maximum(0.0, a_then) ** 2 / (2 * jerk)
        v_then = np.minimum(v_most, v + a * time_s + jerk * time_s**2 / 2)
        return way + resting_way(limits, v_then, a_then)

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
        self.braked[:] = False
        if self._stop_age_s >= self._stop.duration:
            self._take(self._stop, self._stop.duration)
            self.dq[:] = 0.0
            self.ddq[:] = 0.0
        else:
            self._take(self._stop, self._stop_age_s)

    def step(self, target: np.ndarray, dt_s: float, velocity: np.ndarray | None = None) -> None:
        """Advance ``dt_s`` [s] toward ``target`` (J,).

        A joint whose target is not finite brakes.

        Args:
            target: where to be at rest, clamped to the position limits.
            dt_s: time since the last step, >= 0.
            velocity: (J,) tighter speed limits for this step.
        """
        if dt_s <= 0.0:
            return
        known = np.isfinite(target)
        aim = np.where(known, self.clamp(target), self.q)
        if not self._plan_to(aim, velocity):
            self.brake(dt_s)
            return
        wanted = np.array(self._plan.at_time(dt_s))
        fallback = np.array(self._stop.at_time(self._stop_age_s + dt_s))
        self._set(np.where(known, wanted, fallback))
        self._plan_stop(self._stop_next)
        inside = self._stops_inside(self._stop_next)
        if not inside.all():
            self._set(np.where(known & inside, wanted, fallback))
            self._plan_stop(self._stop_next)
        self._stop, self._stop_next = self._stop_next, self._stop
        self._stop_age_s = 0.0
        self.braked = ~inside
        self._tighten()

    def _plan_to(self, aim: np.ndarray, velocity: np.ndarray | None) -> bool:
        """Plan the way to rest at ``aim``; return whether there is one."""
        goto = self._goto
        allowed = self.limits.velocity
        if velocity is not None:
            allowed = np.minimum(allowed, velocity)
        goto.max_velocity = allowed.tolist()
        goto.current_position = self.q.tolist()
        goto.current_velocity = self.dq.tolist()
        goto.current_acceleration = self.ddq.tolist()
        goto.target_position = aim.tolist()
        return self._calculate(goto, self._plan)

    def _plan_stop(self, trajectory: Trajectory) -> None:
        halt = self._halt
        halt.current_position = self.q.tolist()
        halt.current_velocity = self.dq.tolist()
        halt.current_acceleration = self.ddq.tolist()
        if not self._calculate(halt, trajectory):
            raise RuntimeError('no stop trajectory from a state inside the limits')

    def _calculate(self, params: InputParameter, trajectory: Trajectory) -> bool:
        return bool(self._otg.calculate(params, trajectory).value >= 0)

    def _stops_inside(self, stop: Trajectory) -> np.ndarray:
        extrema = stop.position_extrema
        low = np.array([bound.min for bound in extrema])
        high = np.array([bound.max for bound in extrema])
        return (low >= self._lower - _ROUNDING) & (high <= self._upper + _ROUNDING)

    def _tighten(self) -> None:
        """Let a joint that began outside its limits keep what it has won on the way back."""
        self._lower = np.minimum(self.limits.lower, np.maximum(self._lower, self.q))
        self._upper = np.maximum(self.limits.upper, np.minimum(self._upper, self.q))

    def _take(self, trajectory: Trajectory, time_s: float) -> None:
        self._set(np.array(trajectory.at_time(time_s)))

    def _set(self, state: np.ndarray) -> None:
        moving = (np.abs(state[1]) > _STILL_RAD_S) | (np.abs(state[2]) > _STILL_RAD_S2)
        self.q, self.dq, self.ddq = state[0], state[1] * moving, state[2] * moving
