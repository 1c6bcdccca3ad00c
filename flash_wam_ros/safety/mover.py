"""Moves the commanded arms: what each state asks for, through the lead clamp and the filter."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from flash_wam_ros.safety.cartesian import Points, SpeedGuard
from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.filter import TrajectoryFilter
from flash_wam_ros.safety.gate import Clearance, Gate
from flash_wam_ros.safety.lead import LeadClamp
from flash_wam_ros.safety.ledger import Finding
from flash_wam_ros.safety.limits import Limits, stopping_distance
from flash_wam_ros.safety.plant import Plant
from flash_wam_ros.safety.retreat import PathWalk, Retreat
from flash_wam_ros.safety.timeline import Timeline

# A command this far from what the chunk asks for now is reported as limited [rad, m].
_LAG_RAD = 0.05
_LAG_M = 0.01


class Mover:
    """The commanded motion of the policy's joints.

    Attributes:
        timeline: the chunks.
        filter: the commanded state and its limits.
        lead: the clamp against leading the measured pose.
    """

    def __init__(
        self,
        plant: Plant,
        config: ControllerConfig,
        clearance: Clearance | None = None,
        points: Points | None = None,
    ) -> None:
        fingers = np.array([name in plant.grippers for name in plant.policy.names])
        self._names = plant.policy.names
        self._config = config
        self._lag = np.where(fingers, _LAG_M, _LAG_RAD)
        self.limits = plant.limits(config)
        self.guard = _guard(points, self.limits, config)
        self.filter = TrajectoryFilter(self.limits, self.guard)
        self.timeline = Timeline(plant.policy, config, fingers)
        self.lead = LeadClamp(plant, config)
        self._park_velocity = np.where(
            fingers,
            self.limits.velocity,
            np.minimum(self.limits.velocity, config.park_velocity_rad_s),
        )
        self._gate = Gate(clearance, config) if clearance is not None else None
        self._policy_in_state = plant.state.indices(plant.policy.names)
        self._body_q = np.zeros(len(plant.state))
        self._sag = np.zeros(len(fingers))
        self._resting: np.ndarray | None = None
        self._retreat = Retreat(self.filter.q)
        self._walk: PathWalk | None = None
        self._fingers = fingers
        self._reduced = config.mode == 'reduced'
        self._slow = False
        self._slow_velocity = config.reduced_scale * self.limits.velocity
        self._grip_nm = np.zeros(len(plant.grippers))
        self._gripping = np.zeros(len(fingers), bool)
        self._asked: np.ndarray | None = None
        self._asked_velocity = np.zeros(len(fingers))

    def start(self, q: np.ndarray) -> None:
        """Begin at rest at the measured positions ``q`` (J,)."""
        self.filter.reset(q)
        self.timeline.clear()
        self.lead.free()
        self._retreat = Retreat(q)
        self._walk = None
        self._asked = None

    def see(self, q: np.ndarray, dq: np.ndarray, trusted: bool) -> None:
        """See the measured positions and velocities of all joints.

        Where they are not ``trusted`` they move nothing: no giving way, no account of sag.
        """
        self._body_q = q
        slots = self._policy_in_state
        most = self.limits.velocity
        speed = np.minimum(np.maximum(dq[slots], -most), most)
        way = np.sign(speed) * stopping_distance(self.limits, speed)
        self._resting = q[slots] + way if trusted else None
        self._sag = q[slots] - self.filter.q if trusted else np.zeros(len(slots))

    def feel(self, gripper_tau: np.ndarray) -> None:
        """See the estimated torques of the gripper motors [Nm]."""
        self._grip_nm = gripper_tau

    @property
    def slow(self) -> bool:
        """Return whether the speeds of reduced mode are kept for a while."""
        return self._slow

    @slow.setter
    def slow(self, slow: bool) -> None:
        self._slow = slow
        if self.guard is not None:
            self.guard.limit_m_s = self._config.hand_limit_m_s(self._reduced or slow)

    def brake(self, dt_s: float) -> None:
        """Decelerate to rest, whatever was asked."""
        self._asked = None
        self._forget_gate()
        self.filter.brake(dt_s)

    def hold(self, dt_s: float, now_ns: int) -> None:
        """Decelerate and stay, giving way to a push beyond the lead limit."""
        self._asked = None
        self._forget_gate()
        if self._resting is None:
            self.lead.free()
            self.filter.brake(dt_s)
            return
        yielding = self.lead.clamp(self.filter.q, self._lead(), self._resting, now_ns)
        if np.array_equal(yielding, self.filter.q):
            self.filter.brake(dt_s)
        else:
            self.filter.step(yielding, dt_s, self._slow_velocity if self._slow else None)

    def track(self, dt_s: float, ros_ns: int, now_ns: int) -> None:
        """Follow the running chunk, each joint aiming ahead by its own lag."""
        ahead = np.minimum(self.filter.lag_s, self._config.lookahead_s)
        both = self.timeline.sample(ros_ns, np.array([ahead, np.zeros(len(ahead))]))
        if both is None:
            self.hold(dt_s, now_ns)
            return
        target, asked = both
        if self._asked is not None and dt_s > 0:
            self._asked_velocity = (asked - self._asked) / dt_s
        self._asked = asked
        self._step(target, dt_s, now_ns)
        self._retreat.remember(self.filter.q)

    def park(self, dt_s: float, now_ns: int) -> None:
        """Walk back to where the arms were when they were taken; grippers keep their command."""
        self._asked = None
        if self._walk is None:
            path = self._retreat.path(self.filter.q)
            path[:, self._fingers] = self.filter.q[self._fingers]
            self._walk = PathWalk(path, self._park_velocity)
        target = self._walk.advance(dt_s, self.filter.q)
        self._step(target, dt_s, now_ns, self._park_velocity)

    def leave_park(self) -> None:
        """Forget the way back that was begun; the next one starts from the pose then."""
        self._walk = None

    @property
    def parked(self) -> bool:
        """Return whether the way back is walked to its end."""
        return self._walk is not None and self._walk.done and self.filter.at_rest

    def findings(self) -> Iterator[Finding]:
        """Yield what the last step changed of what was asked."""
        yield from self.lead.findings()
        if self._gate is not None:
            yield from self._gate.findings()
        moving, names = self.filter, self._names
        yield from _findings('braking', names, moving.braked, moving.dq, np.zeros(len(names)))
        yield from self._too_fast()
        if self._asked is None:
            return
        asked, allowed, most = self._asked, moving.clamp(self._asked), self.limits.velocity
        yield from _findings('position', names, allowed != asked, asked, allowed)
        speed = np.abs(self._asked_velocity)
        yield from _findings('velocity', names, speed > most, speed, most)
        behind = np.abs(allowed - moving.q) > self._lag
        yield from _findings('smoothing', names, behind, allowed, moving.q)

    def _too_fast(self) -> Iterator[Finding]:
        """Yield what went slower near an end of its range, or for the speed of hand or elbow."""
        moving, names = self.filter, self._names
        if self._gripping.any():
            strain = np.zeros(len(names))
            strain[self._fingers] = self._grip_nm
            most = np.full(len(names), self._config.gripper_torque_nm)
            yield from _findings('grip_torque', names, self._gripping, strain, most)
        speed = np.abs(moving.dq)
        yield from _findings('soft_zone', names, moving.softened, self.limits.velocity, speed)
        guard = self.guard
        if guard is not None:
            limit = np.full(len(guard.names), guard.limit_m_s)
            fast = guard.asked_m_s > limit
            yield from _findings('hand_speed', guard.names, fast, guard.asked_m_s, limit)

    def _step(
        self,
        target: np.ndarray,
        dt_s: float,
        now_ns: int,
        velocity: np.ndarray | None = None,
    ) -> None:
        if self._resting is not None:
            target = self.lead.clamp(target, self._lead(), self._resting, now_ns)
        judge = None
        if self._gate is not None:
            judge = self._judge(self._gate, target, dt_s)
            if judge is not None:
                velocity = self._park_velocity
        if self._slow:
            allowed = self._slow_velocity
            velocity = allowed if velocity is None else np.minimum(velocity, allowed)
        self.filter.step(self._gripped(target), dt_s, velocity, judge)

    def _judge(self, gate: Gate, target: np.ndarray, dt_s: float) -> '_Judge | None':
        """Return what judges a step of ``dt_s`` toward ``target`` (J,), None in a wide place."""
        span_s = gate.due(dt_s)
        if span_s is not None:
            drift = np.zeros(len(self._body_q))
            drift[self._policy_in_state] = self.filter.stop_drift(span_s)
            gate.check(self._poses(self.filter.stop_path), drift)
        if not gate.narrow:
            return None
        # A grip may be made and kept where arms may not move on.
        closing = self._fingers & (target <= self.filter.q)
        return _Judge(gate, self._poses, closing)

    def _forget_gate(self) -> None:
        if self._gate is not None:
            self._gate.forget()

    def _gripped(self, target: np.ndarray) -> np.ndarray:
        """Close no gripper further whose motor strains; NaN stays NaN."""
        strained = np.abs(self._grip_nm) > self._config.gripper_torque_nm
        self._gripping[self._fingers] = strained & (
            target[self._fingers] < self.filter.q[self._fingers]
        )
        return np.where(self._gripping, self.filter.q, target)

    def _lead(self) -> np.ndarray:
        """Return how far the command leads the measured (J,) positions."""
        return self.filter.q - self._body_q[self._policy_in_state]

    def _poses(self, path: np.ndarray) -> list[np.ndarray]:
        """Return all joints along ``path`` (K, J), and at its end as far off as they are now."""
        poses = []
        for arms in (*path, path[-1] + self._sag):
            pose = self._body_q.copy()
            pose[self._policy_in_state] = arms
            poses.append(pose)
        return poses


class _Judge:
    """Asks the gate about the way to rest behind a step.

    Attributes:
        alone: (J,) fingers that close.
    """

    def __init__(
        self, gate: Gate, poses: Callable[[np.ndarray], list[np.ndarray]], closing: np.ndarray
    ) -> None:
        self._gate = gate
        self._poses = poses
        self.alone = closing

    def __call__(self, path: np.ndarray, before: Callable[[], np.ndarray]) -> bool:
        return self._gate.allows(self._poses(path), lambda: self._poses(before()))


def _findings(
    rule: str, names: Sequence[str], found: np.ndarray, asked: np.ndarray, given: np.ndarray
) -> Iterator[Finding]:
    """Yield the rows of ``asked`` and ``given`` that are ``found``, by name."""
    if found.any():
        slots = found.nonzero()[0].tolist()
        for slot, before, after in zip(
            slots, asked[slots].tolist(), given[slots].tolist(), strict=True
        ):
            yield Finding(rule, names[slot], before, after)


def _guard(points: Points | None, limits: Limits, config: ControllerConfig) -> SpeedGuard | None:
    if points is None:
        return None
    return SpeedGuard(points, limits, config.hand_limit_m_s(config.mode == 'reduced'))
