"""Every transition of the controller, its cause, and what is sent meanwhile."""

import dataclasses

import numpy as np
import pytest
from limits import broken
from rig import START_Q, Rig, replaced

from flash_wam_ros.safety import TRANSITIONS, ControllerState
from flash_wam_ros.safety.states import StateMachine

S = ControllerState


def steps(rig):
    return [(t.source, t.target) for t in rig.controller.machine.transitions]


def spoiled(field, slot, value):
    def edit(state):
        values = getattr(state, field).copy()
        values[slot] = value
        return dataclasses.replace(state, **{field: values})

    return edit


def test_disarmed_sends_nothing():
    rig = Rig().run(0.1)
    assert rig.mode is S.DISARMED
    assert all(r.command is None and r.sent_q16 is None for r in rig.results)


def test_arming_holds_the_measured_pose_while_the_weight_rises_for_two_seconds_or_more():
    rig = Rig().armed()
    sent = [r.command for r in rig.results if r.command is not None]
    assert np.abs(sent[0].q - START_Q[12:]).max() < 1e-3
    assert sent[0].weight < 0.01
    weights = np.array([command.weight for command in sent])
    assert weights[-1] == 1.0
    assert len(weights) * 0.004 >= 2.0
    assert np.diff(weights).max() <= 0.004 / 2.0 + 1e-12
    assert all(np.array_equal(command.q, sent[0].q) for command in sent)
    assert all(not command.tau.any() for command in sent)


def test_a_run_from_arming_over_tracking_to_release_takes_these_transitions():
    rig = Rig().tracking(seconds=0.5)
    rig.until(S.HOLDING).run(0.5)
    assert rig.controller.park().accepted
    rig.until(S.DISARMED)
    assert steps(rig) == [
        (S.DISARMED, S.ARMING),
        (S.ARMING, S.HOLDING),
        (S.HOLDING, S.TRACKING),
        (S.TRACKING, S.HOLDING),
        (S.HOLDING, S.PARKING),
        (S.PARKING, S.RELEASING),
        (S.RELEASING, S.DISARMED),
    ]
    assert all(t.cause for t in rig.controller.machine.transitions)
    assert broken(*rig.sent()) == []


def test_parking_ends_where_the_arms_were_taken():
    rig = Rig().tracking(amplitude=0.5, seconds=1.0)
    rig.until(S.HOLDING).run(0.5)
    assert np.abs(rig.q - START_Q).max() > 0.1
    rig.controller.park()
    rig.until(S.RELEASING)
    np.testing.assert_allclose(rig.q[12:], START_Q[12:], atol=1e-3)


def test_parking_keeps_the_grip():
    rig = Rig().tracking(seconds=0.5)
    rig.until(S.HOLDING).run(0.5)
    grip = rig.gripper_q.copy()
    rig.controller.park()
    rig.until(S.DISARMED)
    np.testing.assert_allclose(rig.gripper_q, grip, atol=1e-9)


def test_releasing_takes_at_most_two_and_a_half_seconds_and_ends_with_weight_zero_on_the_wire():
    rig = Rig().armed()
    before = len(rig.results)
    assert rig.controller.release().accepted
    rig.until(S.DISARMED)
    assert len(rig.results) - before <= 2.5 / 0.004
    weights = rig.weights()[before:]
    assert weights[-1] == 0.0
    assert rig.result.command is not None
    assert np.all(np.diff(weights) < 0)
    assert rig.tick().command is None


LOSSES = {
    'operator silent': lambda rig: setattr(rig, 'operator', None),
    'operator says stop': lambda rig: setattr(rig, 'operator', False),
    'lowstate silent': lambda rig: setattr(rig, 'silent', True),
    'other writer': lambda rig: setattr(rig, 'other_writers', 1),
    'hot motor': lambda rig: setattr(rig, 'edit', replaced(temperature=np.full(29, 99.0))),
    'motor error': lambda rig: setattr(rig, 'edit', replaced(motor_error=np.full(29, 4))),
    'tilt': lambda rig: setattr(rig, 'edit', replaced(quaternion_wxyz=np.array([0.8, 0.6, 0, 0]))),
    'remote': lambda rig: setattr(
        rig, 'edit', replaced(remote=bytes([0, 0, 0x20, 0x02]) + bytes(36))
    ),
    'NaN': lambda rig: setattr(rig, 'edit', spoiled('q', 20, np.nan)),
    'jump': lambda rig: setattr(rig, 'edit', spoiled('q', 20, 2.0)),
    'tick stands': lambda rig: setattr(rig, 'edit', replaced(tick=1)),
    'loop pause': lambda rig: rig.tick(300_000_000),
}
WORDS = {
    'operator silent': 'heartbeat is',
    'operator says stop': 'asked to stop',
    'lowstate silent': 'lowstate is',
    'other writer': 'other writer',
    'hot motor': 'degC',
    'motor error': 'motor error',
    'tilt': 'tilted',
    'remote': 'remote',
    'NaN': 'not finite',
    'jump': 'jumped',
    'tick stands': 'tick',
    'loop pause': 'paused',
}


@pytest.mark.parametrize('loss', LOSSES)
def test_any_loss_while_arming_releases(loss):
    rig = Rig().run(0.02)
    rig.controller.enable()
    rig.run(1.0)
    LOSSES[loss](rig)
    rig.until(S.RELEASING, limit_s=1.0)
    assert WORDS[loss] in rig.result.cause
    rig.until(S.DISARMED, limit_s=3.0)
    assert rig.weights()[-1] == 0.0


@pytest.mark.parametrize('loss', LOSSES)
def test_any_loss_while_tracking_stops_inside_the_limits_and_keeps_the_weight(loss):
    rig = Rig().tracking()
    rig.run(0.3)
    LOSSES[loss](rig)
    rig.until(S.STOPPED, limit_s=1.0)
    assert WORDS[loss] in rig.result.cause
    rig.run(0.5)
    assert rig.mode is S.STOPPED
    assert rig.result.command.weight == 1.0
    assert not rig.result.command.dq.any()
    if loss != 'loop pause':
        assert broken(*rig.sent()) == []


@pytest.mark.parametrize('loss', LOSSES)
def test_no_arming_while_a_source_is_lost(loss):
    rig = Rig().run(0.1)
    LOSSES[loss](rig)
    if loss == 'jump':
        rig.tick()
    elif loss != 'loop pause':
        rig.run(0.6)
    reply = rig.controller.enable()
    assert not reply.accepted
    assert WORDS[loss] in reply.reason
    assert rig.mode is S.DISARMED


@pytest.mark.parametrize('loss', ['operator silent', 'other writer', 'hot motor'])
def test_a_stop_stays_until_the_loss_is_mended_and_the_operator_resets(loss):
    rig = Rig().tracking()
    calm = (rig.operator, rig.other_writers, rig.edit)
    LOSSES[loss](rig)
    rig.until(S.STOPPED, limit_s=1.0)
    assert not rig.controller.reset().accepted
    assert not rig.controller.park().accepted
    rig.operator, rig.other_writers, rig.edit = calm
    rig.run(2.0)
    assert rig.mode is S.STOPPED
    assert rig.controller.reset().accepted
    rig.run(0.1)
    assert rig.mode is S.HOLDING


def test_a_stop_can_be_left_by_parking_and_by_release():
    for way, state in (('park', S.PARKING), ('release', S.RELEASING)):
        rig = Rig().armed()
        rig.controller.stop('test')
        assert rig.mode is S.STOPPED
        assert getattr(rig.controller, way)().accepted
        assert rig.mode is state
        rig.until(S.DISARMED)


def test_parking_is_stopped_by_a_loss_and_taken_up_again():
    rig = Rig().tracking(amplitude=0.5, seconds=1.0)
    rig.until(S.HOLDING)
    rig.controller.park()
    rig.run(0.3)
    rig.operator = False
    rig.until(S.STOPPED, limit_s=1.0)
    rig.operator = True
    rig.run(0.5)
    assert rig.controller.park().accepted
    rig.until(S.DISARMED)
    assert broken(*rig.sent()) == []


def test_disabling_stops_and_while_arming_releases():
    rig = Rig().armed()
    rig.controller.enable(False)
    assert rig.mode is S.STOPPED
    rig = Rig().run(0.02)
    rig.controller.enable()
    rig.run(0.1)
    rig.controller.enable(False)
    assert rig.mode is S.RELEASING


def test_lowstate_that_stays_away_ends_in_release():
    rig = Rig().armed()
    rig.silent = True
    rig.until(S.STOPPED, limit_s=0.2)
    rig.until(S.RELEASING, limit_s=2.1)
    assert 'no lowstate' in rig.result.cause
    rig.until(S.DISARMED, limit_s=2.6)


def test_a_stop_that_nobody_attends_ends_in_release_and_an_operator_prevents_it():
    rig = Rig(abandoned_s=1.0).armed()
    rig.controller.stop('test')
    rig.run(3.0)
    assert rig.mode is S.STOPPED
    rig.operator = None
    rig.until(S.RELEASING, limit_s=1.6)
    assert 'no operator' in rig.result.cause


def test_holding_without_a_policy_ends_parked():
    rig = Rig(policy_park_s=1.0).armed()
    rig.until(S.PARKING, limit_s=1.1)
    assert 'no chunk' in rig.result.cause
    rig.until(S.DISARMED)


def test_an_expired_chunk_decelerates_and_holds():
    rig = Rig().tracking(seconds=0.4)
    rig.until(S.HOLDING, limit_s=1.0)
    assert rig.result.cause == 'chunk expired'
    rig.run(1.0)
    assert not rig.result.command.dq.any()
    assert broken(*rig.sent()) == []


def test_a_jump_of_ros_time_drops_the_chunk_and_later_chunks_are_taken():
    for jump_ns in (200_000_000, -5_000_000_000):
        rig = Rig().tracking()
        rig.ros_offset_ns += jump_ns
        rig.tick()
        assert rig.mode is S.HOLDING
        assert 'jumped' in rig.result.cause
        assert rig.controller.submit_chunk(rig.chunk()).accepted
        rig.until(S.TRACKING, limit_s=0.1)
        assert broken(*rig.sent()) == []


def test_an_arm_that_moves_while_arming_is_released():
    rig = Rig().run(0.02)
    rig.controller.enable()
    rig.run(0.5)
    rig.edit = lambda s: dataclasses.replace(s, q=s.q + min(0.5, (rig.tick_count - 130) * 0.01))
    rig.until(S.RELEASING, limit_s=1.0)
    assert 'while arming' in rig.result.cause


def test_arming_is_refused_while_the_robot_moves_or_stands_outside_its_range():
    rig = Rig()
    rig.edit = replaced(dq=np.full(29, 0.5))
    rig.run(0.1)
    assert 'stand still' in rig.controller.enable().reason
    rig = Rig()
    rig.q[18] = 2.5
    rig.run(0.1)
    assert 'calibration' in rig.controller.enable().reason


def test_arming_is_refused_without_grippers_unless_they_are_not_used():
    for use, accepted in ((True, False), (False, True)):
        rig = Rig(use_grippers=use)
        rig.edit = replaced(gripper_received_mono_ns=(0, 0), gripper_q=np.zeros(2))
        rig.run(0.1)
        assert rig.controller.enable().accepted is accepted
    rig.run(0.1)
    assert rig.result.command.gripper_q is None


def test_arming_before_the_first_state_is_refused():
    rig = Rig()
    rig.silent = True
    assert not rig.controller.enable().accepted
    rig.run(0.1)
    assert 'no lowstate yet' in rig.controller.enable().reason


def test_arming_is_refused_where_the_last_tick_saw_no_state_though_one_before_did():
    rig = Rig()
    rig.run(0.1)
    rig.controller.heartbeat(True, rig.now_ns)
    rig.controller.tick(rig.now_ns, rig.ros_ns, None)
    reply = rig.controller.enable()
    assert not reply.accepted
    assert reply.reason == 'not armed: no lowstate yet'


def test_an_exception_inside_a_tick_ramps_down_what_was_sent_last_and_stays_in_fault():
    rig = Rig().tracking()
    pose = rig.result.command.q
    rig.edit = replaced(q=np.zeros(3))
    rig.until(S.FAULT, limit_s=0.1)
    assert 'Error' in rig.result.cause
    rig.run(2.6)
    weights = rig.weights()
    sent = [r.command for r in rig.results if r.state is S.FAULT and r.command is not None]
    assert sent[-1].weight == 0.0
    assert np.all(np.diff([c.weight for c in sent]) < 0)
    assert all(np.array_equal(c.q, pose) for c in sent)
    assert rig.controller.finished
    assert weights[-1] == 0.0
    assert rig.tick().command is None
    assert not rig.controller.enable().accepted
    assert not rig.controller.reset().accepted


def test_a_port_that_cannot_write_is_a_fault():
    rig = Rig().armed()
    rig.controller.fail('commands cannot be sent')
    rig.run(0.1)
    assert rig.mode is S.FAULT
    assert rig.result.command.weight < 1.0


def test_shadow_mode_goes_through_the_motions_and_sends_nothing():
    rig = Rig(mode='shadow').tracking()
    rig.run(0.5)
    assert all(r.command is None for r in rig.results)
    assert rig.result.proposed is not None
    assert broken(*rig.sent()) == []
    assert np.abs(rig.result.sent_q16[0] - START_Q[15]) > 0.05


def test_reduced_mode_moves_at_a_quarter_of_the_speed():
    fastest = {}
    for mode in ('normal', 'reduced'):
        rig = Rig(mode=mode).tracking(amplitude=1.2)
        rig.run(1.0)
        fastest[mode] = max(np.abs(r.command.dq).max() for r in rig.results if r.command)
    assert fastest['normal'] == pytest.approx(2.0, rel=0.01)
    assert fastest['reduced'] == pytest.approx(0.5, rel=0.01)


def test_a_blocked_arm_is_pressed_with_no_more_than_the_lead_limit_and_then_stopped():
    rig = Rig(contact_s=0.5).armed()
    rig.stuck = True
    rig.controller.submit_chunk(rig.chunk(amplitude=1.0, seconds=3.0))
    rig.until(S.STOPPED, limit_s=3.0)
    assert 'blocked' in rig.result.cause
    torque = rig.result.command.kp * np.abs(rig.result.command.q - rig.q[12:])
    assert np.all(torque <= 0.8 * np.array(rig.controller.plant.command.effort) + 1e-6)
    assert broken(*rig.sent()) == []
    assert any(c.rule == 'lead' for r in rig.results for c in r.verdict.changes)


def test_the_waist_keeps_the_pose_of_arming_at_its_own_gains():
    rig = Rig().tracking()
    rig.run(0.5)
    command = rig.result.command
    np.testing.assert_allclose(command.q[:3], START_Q[12:15], atol=1e-3)
    np.testing.assert_array_equal(command.kp[:3], [300.0] * 3)


def test_requests_that_ask_for_what_is_are_answered_without_a_transition():
    rig = Rig().run(0.1)
    assert rig.controller.park().accepted
    assert rig.controller.release().accepted
    assert not rig.controller.reset().accepted
    assert steps(rig) == []
    rig.armed()
    assert rig.controller.enable().accepted
    assert rig.mode is S.HOLDING


@pytest.mark.parametrize('source', S)
@pytest.mark.parametrize('target', S)
def test_the_machine_makes_the_transitions_of_the_table_and_no_others(source, target):
    machine = StateMachine()
    machine.state = source
    if target in TRANSITIONS[source]:
        machine.to(target, 'test', 5)
        assert (machine.state, machine.cause, machine.since_mono_ns) == (target, 'test', 5)
        assert machine.count == len(machine.transitions) == 1
    else:
        with pytest.raises(ValueError, match='does not follow'):
            machine.to(target, 'test', 5)
        assert machine.state is source


def test_every_state_has_a_way_out_but_fault_and_each_can_be_reached():
    reachable = set().union(*TRANSITIONS.values()) | {S.DISARMED}
    assert reachable == set(S)
    assert [state for state in S if not TRANSITIONS[state]] == [S.FAULT]
