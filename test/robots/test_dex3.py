"""The Dex3 option against the SDK's own types."""

import numpy as np
import pytest
from unitree_sdk2py.idl.default import (
    unitree_hg_msg_dds__HandCmd_,
    unitree_hg_msg_dds__HandState_,
)
from unitree_sdk2py.idl.unitree_hg.msg.dds_ import HandCmd_
from waiting import wait_for

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.dex3 import Dex3CmdFrame, Dex3Grippers, hand_state_motors
from flash_wam_ros.robots.sdk.g1_port import G1Port
from flash_wam_ros.robots.sdk.idl import HAND_CMD, HAND_STATE


def hand_state(q):
    message = unitree_hg_msg_dds__HandState_()
    for motor, angle in zip(message.motor_state, q, strict=True):
        motor.q, motor.dq = float(angle), 0.5 * float(angle)
    return message.serialize()


class Hands:
    """The far end of the hands' topics."""

    def __init__(self, domain):
        self.participant = Participant(domain, 'lo')
        sides = ('left', 'right')
        self.commands = [self.participant.reader(f'rt/dex3/{s}/cmd', HAND_CMD) for s in sides]
        self.states = [self.participant.writer(f'rt/dex3/{s}/state', HAND_STATE) for s in sides]


@pytest.fixture
def rig(sdk_domain):
    hands, ours = Hands(sdk_domain), Participant(sdk_domain, 'lo')
    yield hands, ours
    ours.close()
    hands.participant.close()


def commanded(hands, grippers, travel_m):
    """Return the (left, right) motor angles that arrive for a travel of both hands."""

    def heard():
        grippers.write(np.full(2, travel_m))
        samples = [reader.take() for reader in hands.commands]
        return samples if all(samples) else None

    frames = [Dex3CmdFrame(samples[-1]) for samples in wait_for(heard, 'hand commands')]
    return [frame.motors[:, 0].copy() for frame in frames]


def test_a_hand_command_is_byte_equal_to_the_sdks():
    message = unitree_hg_msg_dds__HandCmd_()
    frame = Dex3CmdFrame()
    values = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    frame.motors[:] = values
    for k, (motor, row) in enumerate(zip(message.motor_cmd, values.tolist(), strict=True)):
        motor.mode = k | 1 << 4
        motor.q, motor.dq, motor.tau, motor.kp, motor.kd = row
    assert frame.tobytes() == message.serialize()
    assert HandCmd_.deserialize(frame.tobytes()).motor_cmd == message.motor_cmd


def test_motors_are_read_from_a_state_of_the_sdk():
    q = np.linspace(-1, 1, 7, dtype=np.float32)
    motors = hand_state_motors(hand_state(q))
    np.testing.assert_array_equal(motors[:, 0], q)
    np.testing.assert_array_equal(motors[:, 1], 0.5 * q)


def test_a_hand_state_of_another_hand_is_refused():
    data = bytearray(hand_state(np.zeros(7)))
    with pytest.raises(ValueError, match='too short'):
        hand_state_motors(bytes(data[:100]))
    data[4] = 6
    with pytest.raises(ValueError, match='6 motors'):
        hand_state_motors(bytes(data))


def test_open_is_straight_and_closed_is_the_end_of_each_range(rig):
    hands, ours = rig
    grippers = Dex3Grippers(ours)
    for angles in commanded(hands, grippers, 0.045):
        np.testing.assert_allclose(angles, np.zeros(7), atol=1e-6)
    grippers = Dex3Grippers(ours)
    left, right = commanded(hands, grippers, 0.0)
    np.testing.assert_allclose(right, [0, -1.0472, -1.7453, 1.5708, 1.7453, 1.5708, 1.7453], 1e-4)
    np.testing.assert_allclose(left, -right)


def test_the_travel_that_is_reported_is_the_travel_that_was_commanded(rig):
    hands, ours = rig
    grippers = Dex3Grippers(ours, 'index_first')
    angles = commanded(hands, grippers, 0.015)

    def heard():
        for writer, q in zip(hands.states, angles, strict=True):
            writer.write(hand_state(q))
        grippers.poll()
        return all(grippers.received_mono_ns)

    wait_for(heard, 'hand states')
    np.testing.assert_allclose(grippers.q, 0.015, atol=1e-6)
    np.testing.assert_allclose(grippers.dq, -0.5 * 0.03, atol=1e-6)


def test_hands_are_not_commanded_faster_than_a_hundred_times_a_second(rig):
    _, ours = rig
    clock = iter(range(0, 10**12, 4_000_000))
    sent = []
    grippers = Dex3Grippers(ours, clock_ns=lambda: next(clock))
    grippers._writers = [type('Sink', (), {'write': staticmethod(sent.append)})] * 2
    for _ in range(250):
        grippers.write(np.zeros(2))
    assert len(sent) / 2 == pytest.approx(100, abs=1)


def test_an_unknown_motor_order_is_refused_with_the_known_ones(sdk_domain):
    with pytest.raises(UserError, match='index_first, middle_first'):
        G1Port(sdk_domain, 'lo', grippers='dex3', dex3_left_order='pinky_first')
