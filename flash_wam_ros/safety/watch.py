"""All watchdogs together: one look a tick, and everything that is not well."""

from collections.abc import Iterator

from flash_wam_ros.core import RobotState
from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.losses import Loss, Reaction
from flash_wam_ros.safety.plant import Plant
from flash_wam_ros.safety.robot_watch import (
    FsmWatch,
    GripperWatch,
    PolicyWatch,
    RemoteWatch,
    SupplyWatch,
    TorqueWatch,
    WalkWatch,
)
from flash_wam_ros.safety.watchdogs import (
    ClockWatch,
    HealthWatch,
    HeartbeatWatch,
    LoopWatch,
    LowstateWatch,
)

_R = Reaction


class Watch:
    """Every watchdog of the controller.

    Attributes:
        lowstate: age, tick, CRC and values of the robot's state.
        heartbeat: the operator.
        loop: the controller's own loop.
        clock: ROS time against the monotonic clock.
        policy: the chunks.
    """

    def __init__(self, config: ControllerConfig, plant: Plant) -> None:
        body = plant.state.select(plant.state.names[: len(plant.state) - len(plant.grippers)])
        self.lowstate = LowstateWatch(config, body)
        self.heartbeat = HeartbeatWatch(config)
        self.loop = LoopWatch(config)
        self.clock = ClockWatch(config)
        self.policy = PolicyWatch(config)
        self._health = HealthWatch(config, body, plant.state.indices(plant.command.names))
        self._torque = TorqueWatch(config, plant)
        self._supply = SupplyWatch(config)
        self._grippers = GripperWatch(config, plant)
        self._walk = WalkWatch(config, plant)
        self._walking = _R.STOP if config.when_walking == 'stop' else _R.SLOW
        self._remote = RemoteWatch(config)
        self._other_writers = 0
        self._state: RobotState | None = None

    def observe(self, now_ns: int, state: RobotState | None, other_writers: int) -> None:
        """See what is new at monotonic time ``now_ns``; `lowstate` is fed on its own."""
        self._state = state
        self._other_writers = other_writers
        self.loop.observe(now_ns)
        self._torque.observe(state, now_ns)
        self._supply.observe(state, now_ns)
        self._walk.observe(state)

    def losses(self, now_ns: int) -> Iterator[Loss]:
        """Yield everything that is not well at ``now_ns``, but the policy's silence."""
        state = self._state
        found = (
            (_R.STOP, self.lowstate.fault(now_ns)),
            (_R.DROP, FsmWatch.fault(state)),
            (_R.STOP, self._health.fault(state)),
            (_R.STOP, self._remote.fault(state)),
            (_R.STOP, self.heartbeat.fault(now_ns)),
            (_R.STOP, self.loop.fault()),
            (_R.STOP, self._writers()),
            (_R.STOP, self._torque.fault(now_ns)),
            (_R.STOP, self._grippers.fault(state, now_ns)),
            (self._walking, self._walk.fault()),
            (_R.PARK, self._supply.fault(now_ns)),
        )
        for reaction, text in found:
            if text is not None:
                yield Loss(reaction, text)

    def _writers(self) -> str | None:
        if self._other_writers <= 0:
            return None
        return f'{self._other_writers} other writer(s) on the command topic; stop them'
