"""The simulated robot on the SDK's topics, spoken to by the unmodified SDK in its own process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from waiting import wait_for

from flash_wam_ros.core import RobotState
from flash_wam_ros.robots.g1_layout import METRES_PER_RAD
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.idl import LOW_CMD, LOW_STATE, MOTOR_CMDS
from flash_wam_ros.robots.sdk.lowcmd import LowCmdFrame
from flash_wam_ros.robots.sdk.lowstate import LowStateFrame
from flash_wam_ros.robots.sdk.motion_service import NOT_IMPLEMENTED
from flash_wam_ros.sim.bridge import SdkBridge, rpy_from_quaternion
from flash_wam_ros.sim.motors import MotorTargets
from flash_wam_ros.sim.onboard import MODE_MACHINE, STANDING_FSM, OnboardController
from flash_wam_ros.sim.realtime import RealTimeLoop

STOCK = Path(__file__).with_name('stock_sdk_peer.py')
STOCK_CLIENT = Path(__file__).with_name('stock_loco_client.py')
QUATERNION = np.array([0.5, 0.1, -0.7, 0.5]) / np.linalg.norm([0.5, 0.1, -0.7, 0.5])

FORCE = np.array([0.5, -0.25, 9.5])


class Pose:
    """A robot that stands still, and remembers what its motors were told."""

    def __init__(self):
        self.motors = None
        self.q = np.linspace(-1, 1, 29)

    def reset(self, seed):
        self.q = np.full(29, float(seed))

    def step(self, motors):
        self.motors = motors

    def accelerometer(self):
        return FORCE

    def state(self):
        return RobotState(
            received_mono_ns=0,
            tick=0,
            q=self.q,
            dq=np.full(29, 0.5),
            tau=np.full(29, -2.0),
            gripper_q=np.array([0.045, 0.0225]),
            quaternion_wxyz=QUATERNION,
            gyro=np.array([0.1, 0.2, 0.3]),
            temperature=np.full(29, 41.0),
            motor_error=np.arange(29),
            remote=bytes(range(40)),
        )


class Rig:
    """A bridge stepped by hand, and raw writers that talk to it."""

    def __init__(self, domain):
        self.onboard = OnboardController()
        self.world = Pose()
        self.onboard.reset(self.world.state())
        self.bridge = SdkBridge(self.onboard, domain=domain, interface='lo')
        self.peer = Participant(domain, 'lo')
        self.states = self.peer.reader('rt/lowstate', LOW_STATE, depth=50)
        self.arm = self.peer.writer('rt/arm_sdk', LOW_CMD)
        self.low = self.peer.writer('rt/lowcmd', LOW_CMD)
        self.gripper = self.peer.writer('rt/dex1/right/cmd', MOTOR_CMDS)

    def until(self, condition, send, what):
        def attempt():
            send()
            self.bridge.poll(0.0)
            return condition()

        return wait_for(attempt, what)

    def close(self):
        self.peer.close()
        self.bridge.close()


@pytest.fixture
def rig(sdk_domain):
    rig = Rig(sdk_domain)
    yield rig
    rig.close()


def low_cmd(weight=1.0, q=0.25, mode_machine=MODE_MACHINE):
    frame = LowCmdFrame()
    frame.mode_machine = mode_machine
    frame.modes = np.ones(35, np.uint8)
    frame.motors[:29] = (q, 0.0, 0.0, 50.0, 2.0)
    frame.motors[29, 0] = weight
    return frame


def test_the_unmodified_sdk_reads_our_state_and_commands_our_arm(sdk_domain):
    onboard, world = OnboardController(), Pose()
    bridge = SdkBridge(onboard, domain=sdk_domain, interface='lo')
    loop = RealTimeLoop(world, onboard, bridge, timestep_s=0.002)
    peer = subprocess.Popen(
        [sys.executable, str(STOCK), str(sdk_domain)], stdout=subprocess.PIPE, text=True
    )

    class UntilPeerIsDone:
        def is_set(self):
            return peer.poll() is not None

    loop.run(UntilPeerIsDone())
    bridge.close()
    heard = json.loads(peer.communicate()[0].splitlines()[-1])
    assert peer.returncode == 0
    np.testing.assert_allclose(heard['q'], world.q, rtol=1e-6)
    assert heard['crc_right']
    assert heard['mode_machine'] == MODE_MACHINE
    assert heard['ticks'] == sorted(set(heard['ticks']))
    np.testing.assert_allclose(heard['quaternion'], QUATERNION, rtol=1e-6)
    np.testing.assert_allclose(heard['gripper_rad'], 5.4, rtol=1e-6)
    assert onboard.counters.arm > 0
    assert onboard.counters.crc_errors == heard['wrong_crc_sent']
    np.testing.assert_allclose(world.motors.q[15:29], 0.125, atol=1e-6)
    np.testing.assert_allclose(world.motors.gripper_q[0], 2.7 * METRES_PER_RAD, rtol=1e-6)


def test_the_unmodified_sdk_asks_our_motion_service_which_obeys_nothing(rig, sdk_domain):
    words = [sys.executable, str(STOCK_CLIENT), str(sdk_domain)]
    peer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: peer.poll() is not None or rig.bridge.poll(0.0), 'the end', 60.0)
    told = json.loads(peer.communicate()[0].splitlines()[-1])
    assert (told['code'], json.loads(told['data'])) == (0, {'data': STANDING_FSM})
    assert told['damp'] == NOT_IMPLEMENTED
    assert rig.onboard.fsm_id == STANDING_FSM


def test_a_command_with_a_wrong_crc_is_refused_and_counted(rig):
    wrong = low_cmd(q=0.75)
    wrong.seal()
    wrong.words[-1] ^= 1
    for writer in (rig.arm, rig.low):
        before = rig.onboard.counters.crc_errors
        rig.until(
            lambda before=before: rig.onboard.counters.crc_errors > before,
            lambda writer=writer: writer.write(wrong.tobytes()),
            'a refusal',
        )
    assert (rig.onboard.counters.arm, rig.onboard.counters.low) == (0, 0)
    np.testing.assert_array_equal(rig.onboard.targets(0.0).q, rig.world.q)


def test_a_command_that_is_not_finite_is_refused_though_its_crc_is_right(rig):
    data = low_cmd(q=np.nan).seal()
    rig.until(lambda: rig.onboard.counters.refused, lambda: rig.arm.write(data), 'a refusal')
    assert rig.onboard.counters.arm == 0


def test_the_arm_path_blends_by_its_weight(rig):
    data = low_cmd(weight=0.5, q=1.0).seal()
    rig.until(lambda: rig.onboard.counters.arm, lambda: rig.arm.write(data), 'a command')
    targets = rig.onboard.targets(0.0)
    np.testing.assert_allclose(targets.q[12:], 0.5 * (rig.world.q[12:] + 1.0))
    np.testing.assert_array_equal(targets.q[:12], rig.world.q[:12])


def test_low_level_commands_reach_every_enabled_motor(rig):
    frame = low_cmd(q=0.25)
    frame.modes = np.array([1] * 20 + [0] * 15, np.uint8)
    data = frame.seal()
    rig.until(lambda: rig.onboard.counters.low, lambda: rig.low.write(data), 'a command')
    targets = rig.onboard.targets(0.0)
    np.testing.assert_array_equal(targets.kp, [50.0] * 20 + [0.0] * 9)
    np.testing.assert_array_equal(targets.q[:20], np.full(20, 0.25))


def test_a_gripper_command_of_the_wrong_form_is_refused(rig):
    empty = b'\x00\x01\x00\x00' + bytes(4)
    rig.until(
        lambda: rig.onboard.counters.crc_errors, lambda: rig.gripper.write(empty), 'a refusal'
    )
    np.testing.assert_array_equal(rig.onboard.targets(0.0).gripper_q, [0.045, 0.0225])


def test_every_field_of_the_published_state_is_in_its_place(rig):
    def heard():
        rig.bridge.publish(rig.world.state(), FORCE)
        return rig.states.take()

    frame = LowStateFrame(wait_for(heard, 'a state')[-1])
    assert frame.crc == frame.compute_crc()
    assert frame.mode_machine == MODE_MACHINE
    np.testing.assert_array_equal(frame.modes, [1] * 29 + [0] * 6)
    np.testing.assert_allclose(frame.motors[:29, 0], rig.world.q, rtol=1e-6)
    np.testing.assert_array_equal(frame.motors[:29, 1], np.full(29, 0.5))
    np.testing.assert_array_equal(frame.motors[:29, 3], np.full(29, -2.0))
    np.testing.assert_array_equal(frame.temperatures[:29], np.full((29, 2), 41))
    np.testing.assert_array_equal(frame.motor_states[:29], np.arange(29))
    np.testing.assert_allclose(frame.imu[:10], [*QUATERNION, 0.1, 0.2, 0.3, *FORCE], rtol=1e-6)
    assert frame.remote == bytes(range(40))


def test_the_tick_counts_every_published_state(rig):
    ticks = []

    def heard():
        rig.bridge.publish(rig.world.state(), FORCE)
        ticks.extend(LowStateFrame(data).tick for data in rig.states.take())
        return len(ticks) > 20

    wait_for(heard, 'twenty states')
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert rig.bridge.published >= ticks[-1]


@pytest.mark.parametrize('seed', range(5))
def test_roll_pitch_yaw_agree_with_scipy(seed):
    rotation = Rotation.random(random_state=seed)
    wxyz = np.roll(rotation.as_quat(), 1)
    yaw_pitch_roll = rotation.as_euler('ZYX')
    np.testing.assert_allclose(rpy_from_quaternion(wxyz), yaw_pitch_roll[::-1], atol=1e-12)


def test_motor_targets_refuse_another_number_of_joints():
    values = dict.fromkeys(('q', 'dq', 'tau', 'kp', 'kd'), np.zeros(29))
    MotorTargets(**values, gripper_q=np.zeros(2))
    with pytest.raises(ValueError, match=r'tau of shape \(17,\)'):
        MotorTargets(**(values | {'tau': np.zeros(17)}), gripper_q=np.zeros(2))
    with pytest.raises(ValueError, match='gripper_q'):
        MotorTargets(**values, gripper_q=np.zeros(1))
