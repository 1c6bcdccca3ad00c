"""The simulated G1 as a process: physics in real time, on the SDK's topics and on ROS."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from std_msgs.msg import String
from std_srvs.srv import Trigger

from flash_wam_ros.core import check_fields, choice, number, switch, words
from flash_wam_ros.nodes.running import BaseNode, run
from flash_wam_ros.nodes.sim_messages import objects_message, outcome_message, snapshot_message
from flash_wam_ros.nodes.status import status_array
from flash_wam_ros.nodes.wire import publisher, serve
from flash_wam_ros.robots.domains import check_dds
from flash_wam_ros.sim.bridge import SdkBridge
from flash_wam_ros.sim.onboard import SILENCE, OnboardConfig, OnboardController
from flash_wam_ros.sim.realtime import RealTimeLoop
from flash_wam_ros.sim.world import Snapshot, World, WorldConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SimParameters:
    """Parameters of the sim node."""

    task: str = words('red_bottle', 'task of the world')
    seed: int = number(0, 0, 2**31 - 1, 'seed of the first episode; each reset takes the next')
    free_base: bool = switch(False, 'let the pelvis float instead of fixing it')
    sdk_domain: int = number(1, 0, 232, 'DDS domain of the SDK topics')
    network_interface: str = words('lo', 'network interface of the SDK topics')
    snapshot_hz: float = number(50.0, 1.0, 500.0, 'snapshots a second for the cameras [Hz]')
    objects_hz: float = number(30.0, 1.0, 100.0, 'object poses a second [Hz]')
    silence: str = choice('hold', SILENCE, 'what the robot does when commands fall silent')
    silence_s: float = number(0.5, 0.02, 10.0, 'silence that counts, with timeout [s]')

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_fields(self)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the physics thread hands to ROS: one moment of the world."""

    stamp: Any
    snapshot: Snapshot
    objects: dict[str, np.ndarray]
    outcome: String


class SimNode(BaseNode):
    """Runs the world in a thread of its own; publishes its newest moment from ROS timers."""

    CONFIGS = (SimParameters,)
    LINGERS = True

    def __init__(self) -> None:
        super().__init__('sim')
        (self._p,) = self.configs
        p = self._p
        check_dds(sdk_domain=p.sdk_domain, interface=p.network_interface, simulated=True)
        self._world = World(WorldConfig(task=p.task, free_base=p.free_base))
        self._world.reset(p.seed)
        onboard = OnboardController(OnboardConfig(silence=p.silence, timeout_s=p.silence_s))
        self._bridge = SdkBridge(onboard, domain=p.sdk_domain, interface=p.network_interface)
        self._onboard = onboard
        self._loop = RealTimeLoop(
            self._world,
            onboard,
            self._bridge,
            timestep_s=self._world.config.timestep_s,
            on_step=self._on_step,
        )
        self._every = round(1.0 / (p.snapshot_hz * self._world.config.timestep_s))
        self._steps = 0
        self._moment = self._look()
        self._said = ''
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._connect()
        self._thread = threading.Thread(target=self._physics, name='physics', daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        self._snapshots = publisher(self, 'sim/snapshot')
        self._objects = publisher(self, 'sim/objects')
        self._outcomes = publisher(self, 'sim/outcome')
        self._diagnostics = publisher(self, '/diagnostics')
        serve(self, 'sim/reset', self._reset)
        self.create_timer(1.0 / self._p.snapshot_hz, self._publish_snapshot)
        self.create_timer(1.0 / self._p.objects_hz, self._publish_objects)
        self.create_timer(1.0, self._publish_diagnostics)

    def _physics(self) -> None:
        try:
            self._loop.run(self._stop)
        except Exception as error:
            self._error = error

    def _on_step(self, _sim_time_s: float) -> None:
        self._steps += 1
        if self._steps % self._every == 0:
            self._moment = self._look()

    def _look(self) -> _Moment:
        world = self._world
        return _Moment(
            self.get_clock().now().to_msg(),
            world.snapshot(),
            dict(world.objects()),
            outcome_message(world),
        )

    def _publish_snapshot(self) -> None:
        if self._error is not None:
            self.get_logger().error(f'the physics ended: {self._error}')
            self.exit_code = 1
            return
        moment = self._moment
        self._snapshots.publish(snapshot_message(moment.snapshot, moment.stamp))

    def _publish_objects(self) -> None:
        moment = self._moment
        self._objects.publish(objects_message(moment.objects, moment.stamp))
        if moment.outcome.data != self._said:
            self._said = moment.outcome.data
            self._outcomes.publish(moment.outcome)

    def _reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        seed = self._world.seed + 1
        try:
            self._loop.request_reset(seed).result(timeout=10.0)
            response.success, response.message = True, f'seed {seed}'
        except Exception as error:
            response.success, response.message = False, f'reset failed: {error}'
        return response

    def _publish_diagnostics(self) -> None:
        stats = self._loop.stats
        values = {
            'real_time_factor': stats.real_time_factor,
            'total_real_time_factor': stats.total_real_time_factor,
            'slipped_s': stats.slipped_s,
            'worst_lag_s': stats.worst_lag_s,
            'lowstates': self._bridge.published,
        }
        self._diagnostics.publish(status_array(self, 'sim', 'real time', values))

    def close(self) -> None:
        """End the physics and leave the SDK's domain."""
        self._stop.set()
        self._thread.join(timeout=1.0)
        self._bridge.close()


def main() -> None:
    """Run the node."""
    run(SimNode)


if __name__ == '__main__':
    main()
