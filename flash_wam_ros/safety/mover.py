"""Moves the commanded arms: what each state asks for, through the lead clamp and the filter."""

from collections.abc import Iterator

import numpy as np

from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.filter import TrajectoryFilter
from flash_wam_ros.safety.lead import LeadClamp
from flash_wam_ros.safety.ledger import Finding
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

    def __init__(self, plant: Plant, config: ControllerConfig) -> None:
        fingers = np.array([name in plant.grippers for name in plant.policy.names])
        self._names = plant.policy.names
        self._config = config
        self._lag = np.where(fingers, _LAG_M, _LAG_RAD)
        self.limits = plant.limits(config)
        self.filter = TrajectoryFilter(self.limits)
        self.timeline = Timeline(plant.policy, config, fingers)
        self.lead = LeadClamp(plant, config)
        self._park_velocity = np.where(
            fingers,
            self.limits.velocity,
            np.minimum(self.limits.velocity, config.park_velocity_rad_s),
        )
        self._retreat = Retreat(self.filter.q)
        self._walk: PathWalk | None = None
        self._fingers = fingers
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

    def brake(self, dt_s: float) -> None:
        """Decelerate to rest, whatever was asked."""
        self._asked = None
        self.filter.brake(dt_s)

    def hold(self, dt_s: float, measured: np.ndarray | None, now_ns: int) -> None:
        """Decelerate and stay, giving way to a push beyond the lead limit."""
        self._asked = None
        if measured is None:
            self.lead.free()
        elif not np.array_equal(self.lead.clamp(self.filter.q, measured, now_ns), self.filter.q):
            self.filter.step(self.lead.clamp(self.filter.q, measured, now_ns), dt_s)
            return
        self.filter.brake(dt_s)

    def track(self, dt_s: float, ros_ns: int, measured: np.ndarray | None, now_ns: int) -> None:
        """Follow the running chunk, each joint aiming ahead by its own lag."""
        ahead = np.minimum(self.filter.lag_s, self._config.lookahead_s)
        target = self.timeline.sample(ros_ns, ahead)
        asked = self.timeline.sample(ros_ns, np.zeros(len(ahead)))
        if target is None or asked is None:
            self.hold(dt_s, measured, now_ns)
            return
        if self._asked is not None and dt_s > 0:
            self._asked_velocity = (asked - self._asked) / dt_s
        self._asked = asked
        self._step(target, dt_s, measured, now_ns)
        self._retreat.remember(self.filter.q)

    def park(self, dt_s: float, measured: np.ndarray | None, now_ns: int) -> None:
        """Walk back to where the arms were when they were taken; grippers keep their command."""
        self._asked = None
        if self._walk is None:
            path = self._retreat.path(self.filter.q)
            path[:, self._fingers] = self.filter.q[self._fingers]
            self._walk = PathWalk(path, self._park_velocity)
        target = self._walk.advance(dt_s, self.filter.q)
        self._step(target, dt_s, measured, now_ns, self._park_velocity)

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
        q, names = self.filter.q, self._names
        for slot in np.flatnonzero(self.filter.braked):
            yield Finding('braking', names[slot], float(self.filter.dq[slot]), 0.0)
        if self._asked is None:
            return
        allowed = self.filter.clamp(self._asked)
        for slot in np.flatnonzero(allowed != self._asked):
            yield Finding('position', names[slot], float(self._asked[slot]), float(allowed[slot]))
        speed = np.abs(self._asked_velocity)
        for slot in np.flatnonzero(speed > self.limits.velocity):
            yield Finding(
                'velocity', names[slot], float(speed[slot]), float(self.limits.velocity[slot])
            )
        for slot in np.flatnonzero(np.abs(allowed - q) > self._lag):
            yield Finding('smoothing', names[slot], float(allowed[slot]), float(q[slot]))

    def _step(
        self,
        target: np.ndarray,
        dt_s: float,
        measured: np.ndarray | None,
        now_ns: int,
        velocity: np.ndarray | None = None,
    ) -> None:
        if measured is not None:
            target = self.lead.clamp(target, measured, now_ns)
        self.filter.step(target, dt_s, velocity)
