"""A Unitree G1, real or simulated, on the SDK's DDS topics."""

import dataclasses
import math
import time
from types import TracebackType

import numpy as np

from flash_wam_ros.core import RobotCommand, RobotState, UserError, did_you_mean
from flash_wam_ros.robots.g1_layout import FIRST_ARM_SDK, NUM_BODY, WEIGHT_SLOT
from flash_wam_ros.robots.port import Fence, PortError, check_command
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.dex3 import Dex3Grippers
from flash_wam_ros.robots.sdk.grippers import Dex1Grippers, Grippers, NoGrippers
from flash_wam_ros.robots.sdk.idl import LOW_CMD, LOW_STATE
from flash_wam_ros.robots.sdk.lowcmd import LowCmdFrame
from flash_wam_ros.robots.sdk.lowstate import LowStateFrame
from flash_wam_ros.robots.sdk.motion_service import MotionService

LOW_STATE_TOPIC = 'rt/lowstate'
ARM_SDK_TOPIC = 'rt/arm_sdk'
LOW_CMD_TOPIC = 'rt/lowcmd'
GRIPPERS = ('dex1', 'dex3', 'none')
_ARMS = slice(FIRST_ARM_SDK, NUM_BODY)


class G1Port:
    """RobotPort over the Unitree SDK: reads rt/lowstate, writes rt/arm_sdk and the grippers.

    It asks the motion service for its FSM ten times a second.

    `read` is to be called once a control tick: a state's arrival is noticed then.
    """

    def __init__(
        self,
        domain: int,
        interface: str,
        grippers: str = 'dex1',
        *,
        dex3_left_order: str = 'middle_first',
        ally: str = '',
        fence: Fence | None = None,
    ) -> None:
        """Join SDK ``domain`` (0 robot, 1 simulator) on network ``interface``.

        Args:
            domain: DDS domain of the SDK.
            interface: network interface, such as ``lo`` or ``eth0``.
            grippers: ``dex1``, ``dex3`` or ``none``.
            dex3_left_order: motor order of the left Dex3, ``middle_first`` or ``index_first``.
            ally: a name shared by ports that take turns, such as a controller and the process
                that takes over when it dies; they do not count each other as other writers.
            fence: asked right before each command is sent; None lets everything pass.

        Raises:
            UserError: SDK missing, domain or interface unusable, unknown grippers.
        """
        if grippers not in GRIPPERS:
            raise UserError(f'unknown grippers {grippers!r}; {did_you_mean(grippers, GRIPPERS)}')
        self._participant = Participant(domain, interface)
        self._reader = self._participant.reader(LOW_STATE_TOPIC, LOW_STATE)
        self._mark = ally.encode()
        self._writer = self._participant.writer(ARM_SDK_TOPIC, LOW_CMD, mark=self._mark)
        self._rivals = self._participant.reader(ARM_SDK_TOPIC, LOW_CMD, own=False)
        self._grippers = _grippers(grippers, self._participant, dex3_left_order)
        self._motion = MotionService(self._participant)
        self._command = LowCmdFrame()
        self._modes = np.zeros(len(self._command.motors), np.uint8)
        self._modes[_ARMS] = 1
        self._state: RobotState | None = None
        self._crc_errors = 0
        self._closed = False
        self._fence = fence

    def read(self) -> RobotState | None:
        """Return the newest valid state; see RobotPort."""
        if self._closed:
            return self._state
        self._grippers.poll()
        self._motion.poll(time.monotonic_ns())
        samples = self._reader.take()
        if samples:
            self._accept(samples[-1], time.monotonic_ns())
        return self._state

    def _accept(self, data: bytes, received_mono_ns: int) -> None:
        """Make ``data`` the newest state, or refuse it for its size, CRC or NaN."""
        try:
            frame = LowStateFrame(data)
        except ValueError:
            self._refuse()
            return
        readings = (frame.motors[:NUM_BODY], frame.imu[:7])
        finite = all(np.isfinite(values).all() for values in readings)
        if frame.crc != frame.compute_crc() or not finite:
            self._refuse()
            return
        self._state = self._decode(frame, received_mono_ns)

    def _refuse(self) -> None:
        self._crc_errors += 1
        if self._state is not None:
            self._state = dataclasses.replace(self._state, crc_errors=self._crc_errors)

    def _decode(self, frame: LowStateFrame, received_mono_ns: int) -> RobotState:
        motors = frame.motors[:NUM_BODY].astype(np.float64)
        imu = frame.imu.astype(np.float64)
        return RobotState(
            received_mono_ns=received_mono_ns,
            tick=frame.tick,
            q=motors[:, 0],
            dq=motors[:, 1],
            tau=motors[:, 3],
            gripper_q=self._grippers.q.copy(),
            gripper_dq=self._grippers.dq.copy(),
            gripper_received_mono_ns=self._grippers.received_mono_ns,
            quaternion_wxyz=imu[:4],
            gyro=imu[4:7],
            gripper_tau=self._grippers.tau.copy(),
            supply_v=_supply_v(frame.voltages[:NUM_BODY]),
            mode_machine=frame.mode_machine,
            temperature=frame.temperatures[:NUM_BODY].max(axis=1).astype(np.float64),
            motor_error=frame.motor_states[:NUM_BODY].astype(np.int64),
            crc_errors=self._crc_errors,
            remote=frame.remote,
            fsm_id=self._motion.fsm_id,
        )

    def write(self, command: RobotCommand) -> None:
        """Send ``command`` on rt/arm_sdk and to the grippers; see RobotPort."""
        check_command(command)
        if self._closed:
            raise PortError('the port is closed; open a new one')
        if self._state is None:
            raise PortError(
                'no state from the robot yet, so its mode_machine is unknown; '
                'read one before the first command'
            )
        data = self._encode(command, self._state.mode_machine)
        if self._fence is not None:
            self._fence.admit(data)
        self._writer.write(data)
        if self._fence is not None:
            self._fence.renew()
        if command.gripper_q is not None:
            self._grippers.write(command.gripper_q)

    def _encode(self, command: RobotCommand, mode_machine: int) -> bytes:
        frame = self._command
        frame.mode_machine = mode_machine
        frame.modes = self._modes
        arms = frame.motors[_ARMS]
        arms[:, 0] = command.q
        arms[:, 1] = command.dq
        arms[:, 2] = command.tau
        arms[:, 3] = command.kp
        arms[:, 4] = command.kd
        frame.motors[WEIGHT_SLOT, 0] = command.weight
        return frame.seal()

    def other_writers(self) -> int:
        """Return how many publications other than ours and our allies' are on rt/arm_sdk."""
        return 0 if self._closed else self._rivals.writers(except_mark=self._mark)

    def close(self) -> None:
        """Leave the domain; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._participant.close()

    def __enter__(self) -> 'G1Port':
        """Return the port itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the domain."""
        self.close()


def _supply_v(voltages: np.ndarray) -> float:
    """Return the middle one of the supplies that motors tell [V], NaN if none does."""
    told = sorted(value for value in voltages.tolist() if value > 0.0)
    return told[len(told) // 2] if told else math.nan


def _grippers(kind: str, participant: Participant, dex3_left_order: str) -> Grippers:
    if kind == 'dex1':
        return Dex1Grippers(participant)
    return Dex3Grippers(participant, dex3_left_order) if kind == 'dex3' else NoGrippers()
