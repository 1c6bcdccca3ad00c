"""The safety controller as a process: the only writer of motor commands."""

import time
from dataclasses import dataclass

from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from flash_wam_ros.core import check_fields, number, standard_error
from flash_wam_ros.guardian.post import GuardianConfig
from flash_wam_ros.nodes.control_loop import ControlLoop, LoopConfig, Moment
from flash_wam_ros.nodes.controller_services import ControllerServices
from flash_wam_ros.nodes.controller_status import (
    diagnostics_of,
    joint_states_of,
    log_changes,
    state_of,
)
from flash_wam_ros.nodes.convert import chunk_of, command_message
from flash_wam_ros.nodes.ports import (
    PortConfig,
    arm_points,
    body_clearance,
    check_port,
    open_port,
    post_guardian,
)
from flash_wam_ros.nodes.running import BaseNode, Bell, run
from flash_wam_ros.nodes.wire import publisher, subscribe
from flash_wam_ros.robots.g1_layout import ARM_KD, ARM_KP, ARM_SDK, POLICY, STATE
from flash_wam_ros.safety import Controller, ControllerConfig, Plant

_CHANGES_S = 0.02
_END_S = 3.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishConfig:
    """What the controller tells the others."""

    joint_state_hz: float = number(100.0, 1.0, 500.0, 'joint states a second [Hz]')
    command_hz: float = number(50.0, 1.0, 500.0, 'sent commands a second on command [Hz]')

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_fields(self)


class ControllerNode(BaseNode):
    """Connects a `ControlLoop` to topics and services."""

    CONFIGS = (PortConfig, ControllerConfig, LoopConfig, GuardianConfig, PublishConfig)
    LINGERS = False
    # The log file of rclpy is written under the interpreter's lock; see core/standard_error.
    ROS_ARGS = ('--disable-external-lib-logs',)

    def __init__(self) -> None:
        super().__init__('controller')
        port_config, config, loop_config, guardian, publish = self.configs
        check_port(port_config)
        self._post = post_guardian(port_config, guardian, config)
        self._port = open_port(port_config, config.use_grippers, self._post)
        plant = Plant(state=STATE, command=ARM_SDK, policy=POLICY, kp=ARM_KP, kd=ARM_KD)
        clearance = body_clearance(config.keep_out) if port_config.self_collision else None
        self._controller = Controller(config, plant, clearance, arm_points())
        clock = self.get_clock()

        def ros_ns() -> int:
            return int(clock.now().nanoseconds)

        renew = None if self._post is None else self._post.lease.renew
        self._loop = ControlLoop(
            self._controller,
            self._port,
            ros_ns,
            config=loop_config,
            renew=renew,
            asked_to_end=Bell().rang,
        )
        self._told = 0
        self._wire(publish)
        standard_error.relay()
        self._loop.start()
        self.get_logger().info(
            f'robot {port_config.robot}, mode {config.mode}, {config.rate_hz:.0f} Hz; disarmed'
        )

    def _wire(self, publish: PublishConfig) -> None:
        self._joint_states = publisher(self, '/joint_states')
        self._commands = publisher(self, 'command')
        self._states = publisher(self, 'safety/state')
        self._diagnostics = publisher(self, '/diagnostics')
        subscribe(self, 'action_chunk', self._on_chunk)
        subscribe(self, 'safety/heartbeat', self._on_heartbeat)
        ControllerServices(self, self._controller, self._loop, self._post)
        self.create_timer(1.0 / publish.joint_state_hz, self._publish_joint_states)
        self.create_timer(1.0 / publish.command_hz, self._publish_command)
        self.create_timer(_CHANGES_S, self._publish_changes)
        self.create_timer(1.0, self._publish_diagnostics)
        self._states.publish(state_of(self, self._controller, self._loop))

    def _on_heartbeat(self, message: Bool) -> None:
        self._loop.beat(message.data, time.monotonic_ns())

    def _on_chunk(self, message: JointTrajectory) -> None:
        try:
            self._loop.offer_chunk(chunk_of(message, POLICY))
        except ValueError as error:
            self._loop.refuse_chunk(str(error))

    def _publish_joint_states(self) -> None:
        moment = self._loop.newest
        if moment is None or moment.state is None:
            return
        self._joint_states.publish(joint_states_of(self, moment.state))

    def _publish_command(self) -> None:
        moment: Moment | None = self._loop.newest
        if moment is not None and moment.result.sent_q16 is not None:
            self._commands.publish(
                command_message(POLICY.names, moment.result.sent_q16, moment.ros_ns)
            )

    def _publish_changes(self) -> None:
        told = log_changes(self, self._controller, self._loop, self._told)
        if told != self._told:
            self._told = told
            self._states.publish(state_of(self, self._controller, self._loop))
        if self._loop.error is not None:
            self.get_logger().error(f'the control loop ended: {self._loop.error}')
            self.exit_code = 1
        if self._post is not None and self._post.relieve():
            self.get_logger().error('the guardian ended; another one starts')
            self._loop.ask(lambda: self._controller.stop('the guardian ended'))

    def _publish_diagnostics(self) -> None:
        post = self._post
        guardian = 'off' if post is None else 'ready' if post.ready else 'starting'
        self._diagnostics.publish(diagnostics_of(self, self._controller, self._loop, guardian))
        self._states.publish(state_of(self, self._controller, self._loop))

    def close(self) -> None:
        """Let go of the arms first, then of everything else."""
        self._loop.let_go('the controller was asked to end')
        self._publish_changes()
        self._loop.end(_END_S)
        self._publish_changes()
        self._port.close()
        if self._post is not None:
            self._post.close()


def main() -> None:
    """Run the node."""
    run(ControllerNode)


if __name__ == '__main__':
    main()
