"""The controller as a process, against the unmodified SDK and over real ROS."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from controller_rig import ControllerProcess, Operator, Robot, Sink
from waiting import wait_for

from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.idl import LOW_CMD
from flash_wam_ros.sim.onboard import STANDING_FSM


@pytest.fixture
def stack(ros_context, controller_sdk_domain, tmp_path):
    """Robot, sink, controller and operator, disarmed."""
    robot, sink = Robot(controller_sdk_domain), Sink(controller_sdk_domain)
    controller = ControllerProcess(
        tmp_path / 'controller.log', robot='sim', sdk_domain=controller_sdk_domain
    )
    operator = Operator(ros_context)
    yield robot, sink, controller, operator
    operator.close()
    controller.close()
    sink.close()
    robot.close()


def assert_released(weights):
    """Check that the weight came down in steps and that zero was the last word."""
    assert weights[-1] == 0.0
    top = len(weights) - 1 - int(np.argmax(weights[::-1]))
    falls = np.diff(weights[top:])
    assert np.all(falls <= 0)
    # One second of ramp at 100 Hz; a starved loop may send a few larger steps, never a jump.
    assert np.min(falls) > -0.6
    assert len(falls) > 20


def test_arming_captured_by_the_stock_sdk_ramps_up_at_the_measured_pose(stack):
    _, sink, controller, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    wait_for(lambda: sink.weights and sink.weights[-1] == 1.0, 'full weight')
    rows = list(sink.rows)
    assert all(row['crc'] for row in rows)
    weights = np.array([row['weight'] for row in rows])
    assert weights[0] < 0.05
    assert np.all(np.diff(weights) >= 0)
    assert rows[int(np.argmax(weights == 1.0))]['t'] - rows[0]['t'] > 1.9
    poses = np.array([row['q'] for row in rows])
    assert np.abs(poses - poses[0]).max() < 1e-6
    assert operator.states[:3] == ['DISARMED', 'ARMING', 'HOLDING']
    controller.signal(signal.SIGTERM)
    code, seconds = controller.end()
    assert code == 0, controller.log
    assert seconds < 4.0
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert_released(sink.weights)
    assert 'Traceback' not in controller.log


def test_ctrl_c_twice_while_arming_releases_once_and_ends_well(stack):
    _, sink, controller, operator = stack
    operator.enable()
    operator.wait('ARMING')
    wait_for(lambda: sink.weights and sink.weights[-1] > 0.3, 'some weight')
    controller.signal(signal.SIGINT)
    controller.signal(signal.SIGINT)
    code, seconds = controller.end()
    assert code == 0, controller.log
    assert seconds < 4.0
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert_released(sink.weights)
    assert 'Traceback' not in controller.log


def test_a_silent_operator_stops_the_robot_until_he_is_back_and_resets(stack):
    _, sink, _, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    operator.alive = None
    assert 'heartbeat' in operator.wait('STOPPED')
    assert sink.weights[-1] == 1.0
    assert not operator.ask('reset').success
    operator.alive = True
    wait_for(lambda: operator.ask('reset').success, 'the reset')
    operator.wait('HOLDING')
    assert operator.ask('park').success
    operator.wait('DISARMED')
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert_released(sink.weights)


def test_a_robot_that_falls_silent_is_released(stack):
    robot, sink, controller, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    robot.close()
    assert 'lowstate' in operator.wait('DISARMED')
    assert 'STOPPED' in controller.log
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert_released(sink.weights)


def test_a_robot_that_goes_to_damp_is_sent_nothing_more_until_it_stands_again(stack):
    robot, sink, _, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    robot.onboard.fsm_id = 1
    assert 'damp' in operator.wait('DISARMED')
    answer = operator.ask('enable', data=True)
    assert not answer.success
    assert 'damp' in answer.message
    sent = len(sink.rows)
    robot.onboard.fsm_id = STANDING_FSM
    operator.enable()
    wait_for(lambda: len(sink.rows) > sent, 'commands again')
    # The first one after the silence starts from nothing; before it, none had a falling weight.
    weights = sink.weights
    assert weights[sent - 1] == 1.0
    assert weights[sent] < 0.1


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP])
def test_a_controller_killed_or_frozen_while_it_holds_is_let_go_by_its_guardian(stack, number):
    _, sink, controller, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    wait_for(lambda: sink.weights and sink.weights[-1] == 1.0, 'full weight')
    before = len(sink.rows)
    controller.signal(number)
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert controller.end()[0] == -signal.SIGKILL
    rows = sink.rows[before:]
    assert all(row['crc'] for row in rows)
    assert_released(sink.weights)
    poses = np.array([row['q'] for row in rows])
    assert np.abs(poses - poses[0]).max() < 1e-6
    wait_for(lambda: 'held and let go' in controller.log, 'the word of the guardian')


def test_a_guardian_that_is_killed_stops_the_arms_and_another_one_takes_its_place(stack):
    _, sink, controller, operator = stack
    operator.enable()
    operator.wait('HOLDING')
    children = Path(f'/proc/{controller.process.pid}/task/{controller.process.pid}/children')
    first = [int(word) for word in children.read_text().split()]
    assert len(first) == 1
    os.kill(first[0], signal.SIGKILL)
    assert 'guardian' in operator.wait('STOPPED')
    assert sink.weights[-1] == 1.0
    wait_for(lambda: operator.ask('reset').success, 'the reset')
    operator.wait('HOLDING')
    controller.signal(signal.SIGKILL)
    wait_for(lambda: sink.weights[-1] == 0.0, 'weight zero')
    assert_released(sink.weights)


def test_another_writer_on_the_command_topic_forbids_arming(stack, controller_sdk_domain):
    _, sink, _, operator = stack
    wait_for(lambda: operator.other_writers == 0, 'the count of writers')
    other = Participant(controller_sdk_domain, 'lo')
    writer = other.writer('rt/arm_sdk', LOW_CMD)
    wait_for(lambda: operator.other_writers == 1, 'the discovery of the writer')

    def refused_for_it():
        reply = operator.ask('enable', data=True)
        assert not reply.success
        return 'other writer' in reply.message

    wait_for(refused_for_it, 'the refusal')
    assert sink.rows == []
    del writer
    other.close()
    operator.enable()
    operator.wait('HOLDING')


@pytest.mark.parametrize(
    ('parameter', 'value', 'word'),
    [
        ('velocty_rad_s', 1.0, 'velocity_rad_s'),
        ('heartbeat_timeout_s', 0.0, 'outside'),
        ('network_interface', 'nowhere0', 'nowhere0'),
    ],
)
def test_a_wrong_parameter_ends_with_one_line_and_exit_code_2(
    ros_context, tmp_path, parameter, value, word
):
    controller = ControllerProcess(tmp_path / 'log', **{parameter: value})
    code, _ = controller.end()
    assert code == 2
    lines = [line for line in controller.log.splitlines() if 'rcl]' not in line]
    assert len(lines) == 1, lines
    assert word in lines[0]
