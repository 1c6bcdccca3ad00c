"""The simulated robot's end of the SDK: publishes its state, hears its commands."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from flash_wam_ros.core import RobotCommand, RobotState
from flash_wam_ros.robots.g1_layout import (
    FIRST_ARM_SDK,
    NUM_BODY,
    WEIGHT_SLOT,
    dex1_rad_from_finger_m,
    finger_m_from_dex1_rad,
)
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.dex1 import Dex1CmdFrame, Dex1StateFrame
from flash_wam_ros.robots.sdk.g1_port import ARM_SDK_TOPIC, LOW_CMD_TOPIC, LOW_STATE_TOPIC
from flash_wam_ros.robots.sdk.grippers import SIDES
from flash_wam_ros.robots.sdk.idl import (
    API_REQUEST,
    API_RESPONSE,
    LOW_CMD,
    LOW_STATE,
    MOTOR_CMDS,
    MOTOR_STATES,
)
from flash_wam_ros.robots.sdk.lowcmd import LowCmdFrame
from flash_wam_ros.robots.sdk.lowstate import LowStateFrame
from flash_wam_ros.robots.sdk.motion_service import (
    GET_FSM_ID,
    NOT_IMPLEMENTED,
    REQUEST_TOPIC,
    RESPONSE_TOPIC,
    asked_in,
    response,
)
from flash_wam_ros.sim.onboard import MODE_MACHINE, LowCommand, OnboardController

GRIPPER_EVERY = 2
"""Lowstates between two gripper states: 250 Hz of them at 500 Hz."""
_DEPTH = 16
"""Commands kept between two polls, so that none with a wrong CRC goes uncounted."""
_ARMS = slice(FIRST_ARM_SDK, NUM_BODY)


def rpy_from_quaternion(wxyz: Sequence[float]) -> tuple[float, float, float]:
    """Return roll, pitch, yaw [rad] of a unit quaternion (4,), by R = Rz Ry Rx."""
    w, x, y, z = wxyz
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return roll, pitch, yaw


def _unspoilt(data: bytes) -> Sequence[bytes]:
    return (data,)


class SdkBridge:
    """Connects an OnboardController to the SDK's topics.

    Attributes:
        published: lowstates sent.
    """

    def __init__(
        self,
        onboard: OnboardController,
        *,
        domain: int,
        interface: str,
        spoil: Callable[[bytes], Sequence[bytes]] = _unspoilt,
    ) -> None:
        """Join SDK ``domain`` on ``interface``; UserError if that cannot be done.

        ``spoil`` says what is sent in place of each serialised lowstate, for a bad connection.
        """
        self._onboard = onboard
        self._spoil = spoil
        self._participant = Participant(domain, interface)
        make_reader, make_writer = self._participant.reader, self._participant.writer
        self._state_writer = make_writer(LOW_STATE_TOPIC, LOW_STATE)
        self._arm_reader = make_reader(ARM_SDK_TOPIC, LOW_CMD, depth=_DEPTH)
        self._low_reader = make_reader(LOW_CMD_TOPIC, LOW_CMD, depth=_DEPTH)
        self._gripper_writers = [
            make_writer(f'rt/dex1/{side}/state', MOTOR_STATES) for side in SIDES
        ]
        self._gripper_readers = [make_reader(f'rt/dex1/{side}/cmd', MOTOR_CMDS) for side in SIDES]
        self._call_reader = make_reader(REQUEST_TOPIC, API_REQUEST, depth=_DEPTH)
        self._answer_writer = make_writer(RESPONSE_TOPIC, API_RESPONSE)
        self._state_frame = LowStateFrame()
        self._state_frame.mode_machine = MODE_MACHINE
        modes = np.zeros(len(self._state_frame.motors), np.uint8)
        modes[:NUM_BODY] = 1
        self._state_frame.modes = modes
        self._gripper_frame = Dex1StateFrame()
        self.published = 0

    def poll(self, now_s: float) -> None:
        """Hand all commands that came since the last poll to the onboard computer."""
        for data in self._arm_reader.take():
            self._hear(data, lambda frame: self._onboard.arm_command(_arm(frame), now_s))
        for data in self._low_reader.take():
            self._hear(data, lambda frame: self._onboard.low_command(_low(frame), now_s))
        for slot, reader in enumerate(self._gripper_readers):
            for data in reader.take():
                self._hear_gripper(slot, data)
        for data in self._call_reader.take():
            self._answer(data)

    def _hear(self, data: bytes, obey: Callable[[LowCmdFrame], None]) -> None:
        try:
            frame = LowCmdFrame(data)
        except ValueError:
            self._onboard.wrong_crc()
            return
        if frame.crc != frame.compute_crc():
            self._onboard.wrong_crc()
            return
        obey(frame)

    def _hear_gripper(self, slot: int, data: bytes) -> None:
        try:
            angle_rad = float(Dex1CmdFrame(data).motor[0])
        except ValueError:
            self._onboard.wrong_crc()
            return
        self._onboard.gripper_command(slot, float(finger_m_from_dex1_rad(angle_rad)))

    def _answer(self, data: bytes) -> None:
        """Answer a call to the motion service; it tells its FSM and does nothing else."""
        asked = asked_in(data)
        if asked is None:
            return
        number, call = asked
        known = call == GET_FSM_ID
        status, text = (
            (0, f'{{"data":{self._onboard.fsm_id}}}') if known else (NOT_IMPLEMENTED, '')
        )
        self._answer_writer.write(response(number, call, status, text))

    def publish(self, state: RobotState, accelerometer: np.ndarray) -> None:
        """Send ``state`` as lowstate, and the grippers' every ``GRIPPER_EVERY``-th time.

        ``accelerometer`` is the (3,) specific force at the IMU [m/s2].
        The tick is the bridge's own count, so that it goes on where the world starts afresh.
        """
        for data in self._spoil(self._encode(state, accelerometer)):
            self._state_writer.write(data)
        self.published += 1
        if self.published % GRIPPER_EVERY == 0:
            self._publish_grippers(state)

    def _encode(self, state: RobotState, accelerometer: np.ndarray) -> bytes:
        frame = self._state_frame
        frame.tick = (self.published + 1) & 0xFFFFFFFF
        motors = frame.motors[:NUM_BODY]
        motors[:, 0] = state.q
        motors[:, 1] = state.dq
        motors[:, 3] = state.tau
        frame.temperatures[:NUM_BODY] = state.temperature[:, None]
        frame.motor_states[:NUM_BODY] = state.motor_error
        imu = frame.imu
        imu[:4] = state.quaternion_wxyz
        imu[4:7] = state.gyro
        imu[7:10] = accelerometer
        imu[10:13] = rpy_from_quaternion(state.quaternion_wxyz.tolist())
        frame.remote = state.remote
        return frame.seal()

    def _publish_grippers(self, state: RobotState) -> None:
        angles = dex1_rad_from_finger_m(state.gripper_q)
        speeds = dex1_rad_from_finger_m(state.gripper_dq)
        for writer, angle, speed in zip(self._gripper_writers, angles, speeds, strict=True):
            self._gripper_frame.motor[:2] = (angle, speed)
            writer.write(self._gripper_frame.tobytes())

    def close(self) -> None:
        """Leave the domain."""
        self._participant.close()


def _arm(frame: LowCmdFrame) -> RobotCommand:
    q, dq, tau, kp, kd = frame.motors[_ARMS].astype(np.float64).T
    return RobotCommand(
        weight=float(frame.motors[WEIGHT_SLOT, 0]), q=q, dq=dq, tau=tau, kp=kp, kd=kd
    )


def _low(frame: LowCmdFrame) -> LowCommand:
    return LowCommand(
        mode_machine=frame.mode_machine,
        enabled=frame.modes[:NUM_BODY] == 1,
        motors=frame.motors[:NUM_BODY].astype(np.float64),
    )
