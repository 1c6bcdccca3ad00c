"""What the controller answers, sends and dates, law by law; transitions are tested beside it."""

import dataclasses

import numpy as np
import pytest
from rig import PERIOD_NS, PLANT, START_Q, Rig, replaced

from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.safety import Controller, ControllerConfig, ControllerState
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf

S = ControllerState
LIMP = replaced(fsm_id=1)
LOW_BATTERY = replaced(supply_v=30.0)
LONG_NS = 20_000_000


def in_state(state, **parameters):
    """Return a rig of a robot that is well, whose controller is said to be in ``state``."""
    rig = Rig(**parameters).run(0.02)
    rig.controller.machine.state = state
    return rig


def armed(rig):
    """Take the arms, in ticks that are long and therefore few."""
    rig.run(0.02)
    assert rig.controller.enable().accepted
    for _ in range(200):
        if rig.tick(LONG_NS).state is S.HOLDING:
            return rig
    raise AssertionError(rig.result)


def pushed(slot, rad):
    """Return an edit: joint ``slot`` of the body is found ``rad`` from where it would be."""

    def edit(state):
        q = state.q.copy()
        q[slot] += rad
        return dataclasses.replace(state, q=q)

    return edit


def push(rig, slot, seconds=0.3):
    """Push joint ``slot`` of the body on and on, at 1 rad/s."""
    for step in range(round(seconds / 0.004)):
        rig.edit = pushed(slot, 0.004 * (step + 1))
        rig.tick()


def asked(rig, request):
    """Return the answer to a request, and the state that follows from it."""
    reply = getattr(rig.controller, request)()
    return reply.accepted, reply.reason, rig.mode


# Requests -------------------------------------------------------------------------------------

ANSWERS = {
    'enable': {
        S.DISARMED: (True, 'arming', S.ARMING),
        S.ARMING: (True, 'already ARMING', S.ARMING),
        S.HOLDING: (True, 'already HOLDING', S.HOLDING),
        S.TRACKING: (True, 'already TRACKING', S.TRACKING),
        S.PARKING: (True, 'already PARKING', S.PARKING),
        S.RELEASING: (False, 'cannot arm in RELEASING; reset it or wait', S.RELEASING),
        S.STOPPED: (False, 'cannot arm in STOPPED; reset it or wait', S.STOPPED),
        S.FAULT: (False, 'cannot arm in FAULT; restart the controller', S.FAULT),
    },
    'reset': {
        S.DISARMED: (False, 'nothing to reset in DISARMED', S.DISARMED),
        S.ARMING: (False, 'nothing to reset in ARMING', S.ARMING),
        S.HOLDING: (False, 'nothing to reset in HOLDING', S.HOLDING),
        S.TRACKING: (False, 'nothing to reset in TRACKING', S.TRACKING),
        S.PARKING: (False, 'nothing to reset in PARKING', S.PARKING),
        S.RELEASING: (False, 'nothing to reset in RELEASING', S.RELEASING),
        S.STOPPED: (True, 'holding', S.HOLDING),
        S.FAULT: (False, 'nothing to reset in FAULT', S.FAULT),
    },
    'park': {
        S.DISARMED: (True, 'already DISARMED', S.DISARMED),
        S.ARMING: (False, 'cannot park in ARMING; release instead', S.ARMING),
        S.HOLDING: (True, 'parking', S.PARKING),
        S.TRACKING: (True, 'parking', S.PARKING),
        S.PARKING: (True, 'already PARKING', S.PARKING),
        S.RELEASING: (True, 'already RELEASING', S.RELEASING),
        S.STOPPED: (True, 'parking', S.PARKING),
        S.FAULT: (False, 'cannot park in FAULT; release instead', S.FAULT),
    },
    'release': {
        S.DISARMED: (True, 'already DISARMED', S.DISARMED),
        S.ARMING: (True, 'releasing', S.RELEASING),
        S.HOLDING: (True, 'releasing', S.RELEASING),
        S.TRACKING: (True, 'releasing', S.RELEASING),
        S.PARKING: (True, 'releasing', S.RELEASING),
        S.RELEASING: (True, 'already RELEASING', S.RELEASING),
        S.STOPPED: (True, 'releasing', S.RELEASING),
        S.FAULT: (True, 'already FAULT', S.FAULT),
    },
}
CAUSES = {
    'enable': 'operator enabled the controller',
    'reset': 'operator reset the stop',
    'park': 'operator asked to park',
    'release': 'operator asked to release',
}


@pytest.mark.parametrize('state', S)
@pytest.mark.parametrize('request_', ANSWERS)
def test_every_request_has_its_answer_in_every_state(request_, state):
    rig = in_state(state)
    answer = asked(rig, request_)
    assert answer == ANSWERS[request_][state]
    if answer[2] is not state:
        assert rig.controller.machine.cause == CAUSES[request_]
        assert rig.controller.machine.transitions[-1].at_mono_ns == rig.now_ns


@pytest.mark.parametrize('state', S)
def test_a_stop_latches_what_moves_lets_go_while_arming_and_changes_nothing_else(state):
    rig = in_state(state)
    after = {S.ARMING: S.RELEASING, **dict.fromkeys((S.HOLDING, S.TRACKING, S.PARKING), S.STOPPED)}
    reply = rig.controller.stop('a reason')
    assert rig.mode is after.get(state, state)
    assert (reply.accepted, reply.reason) == (True, rig.mode.lower())
    if rig.mode is not state:
        assert rig.controller.machine.cause == 'a reason'


def test_disabling_is_a_stop_whose_cause_is_the_operator():
    rig = in_state(S.TRACKING)
    reply = rig.controller.enable(False)
    assert (reply.accepted, reply.reason, rig.mode) == (True, 'stopped', S.STOPPED)
    assert rig.controller.machine.cause == 'operator disabled the controller'


@pytest.mark.parametrize(
    ('request_', 'state', 'begin'),
    [
        ('enable', S.DISARMED, 'not armed: '),
        ('reset', S.STOPPED, 'still stopped: '),
        ('park', S.HOLDING, 'not parked: '),
    ],
)
def test_a_request_that_a_loss_forbids_is_declined_with_the_loss_as_the_reason(
    request_, state, begin
):
    rig = in_state(state)
    rig.operator = False
    rig.controller.heartbeat(False, rig.now_ns)
    accepted, reason, after = asked(rig, request_)
    assert (accepted, after) == (False, state)
    assert reason.startswith(f'{begin}operator asked to stop')
    assert reason.endswith('; release instead') is (request_ == 'park')


def test_before_the_first_tick_nothing_is_armed_or_reset_and_what_happens_is_dated_0():
    controller = Controller(ControllerConfig(), PLANT)
    reply = controller.enable()
    assert (reply.accepted, reply.reason) == (
        False,
        'not armed: the control loop has not run yet',
    )
    assert not controller.submit_chunk(in_state(S.HOLDING).chunk()).accepted
    controller.fail('before the first tick')
    assert controller.machine.transitions[-1].at_mono_ns == 0


def test_a_chunk_is_refused_where_none_is_followed_and_counted():
    rig = in_state(S.STOPPED)
    chunk = rig.chunk()
    refusal = (False, 'the controller is STOPPED; it follows no chunk')
    for count in (1, 2):
        reply = rig.controller.submit_chunk(chunk)
        assert (reply.accepted, reply.reason) == refusal
        assert rig.controller.refused_chunks == count
    rig = in_state(S.HOLDING)
    reply = rig.controller.submit_chunk(chunk)
    assert (reply.accepted, reply.reason) == (True, 'chunk accepted')
    assert rig.controller.refused_chunks == 0
    reply = rig.controller.submit_chunk(chunk)
    assert not reply.accepted
    assert 'stamp was used before' in reply.reason
    assert rig.controller.refused_chunks == 1


# Time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(('pause_ms', 'counted_ms'), [(40, 40), (41, 4), (90, 4)])
def test_arming_counts_a_pause_beyond_the_longest_step_as_one_period(pause_ms, counted_ms):
    rig = Rig(arm_ramp_s=2.0).run(0.02)
    rig.controller.enable()
    rig.run(0.1)
    before = rig.result.command.weight
    rig.tick(pause_ms * 1_000_000)
    assert rig.result.command.weight - before == pytest.approx(counted_ms * 1e-3 / 2.0)


@pytest.mark.parametrize('way', ['release', 'fail'])
def test_letting_go_counts_all_the_time_that_has_passed(way):
    rig = armed(Rig(release_ramp_s=2.0))
    getattr(rig.controller, way)('test')
    rig.tick()
    before = rig.result.command.weight
    rig.tick(90_000_000)
    assert before - rig.result.command.weight == pytest.approx(0.09 / 2.0)


def test_a_pause_rests_the_arms_where_they_are_and_the_longest_step_does_not():
    rig = armed(Rig(max_step_s=0.02)).tracking()
    for _ in range(15):
        rig.tick(LONG_NS)
    moving = rig.result
    assert np.abs(moving.command.dq).max() > 0.3
    rig.tick(20_000_001)
    assert rig.mode is S.TRACKING
    assert np.abs(rig.result.command.dq).max() < 0.01
    assert np.abs(rig.result.command.q - moving.command.q).max() < 1e-3


def test_an_operator_is_missed_from_the_tick_at_which_the_heartbeat_is_lost():
    rig = armed(Rig(abandoned_s=1.0))
    rig.controller.stop('test')
    rig.operator = None
    lost_ns = rig.now_ns
    rig.until(S.RELEASING)
    # The heartbeat is lost beyond 0.5 s; the release follows once that is beyond 1 s ago.
    assert rig.now_ns - lost_ns == 500_000_000 + PERIOD_NS + 1_000_000_000 + PERIOD_NS
    assert rig.result.cause == 'stopped and no operator for 1 s'


def test_an_operator_whose_silence_is_the_stop_is_missed_from_the_stop_on():
    rig = armed(Rig(abandoned_s=1.0))
    rig.operator = None
    stopped_ns = rig.until(S.STOPPED).now_ns
    rig.until(S.RELEASING)
    assert rig.now_ns - stopped_ns == 1_000_000_000 + 2 * PERIOD_NS


def test_an_operator_who_comes_back_is_missed_anew():
    rig = armed(Rig(abandoned_s=1.0))
    rig.controller.stop('test')
    for _ in range(3):
        rig.operator = None
        rig.run(1.3)
        rig.operator = True
        rig.run(0.1)
    assert rig.mode is S.STOPPED


def test_an_operator_is_missed_anew_after_every_transition():
    rig = armed(Rig(abandoned_s=1.0))
    rig.controller.stop('first')
    rig.operator = None
    rig.run(1.3)
    rig.operator = True
    rig.tick()
    assert rig.controller.park().accepted
    rig.tick()
    rig.operator = None
    rig.controller.stop('second')
    rig.run(1.3)
    assert rig.mode is S.STOPPED


def test_a_stop_outlasts_missing_lowstate_for_exactly_its_time():
    rig = armed(Rig(lowstate_release_s=1.0))
    rig.silent = True
    heard_ns = rig.now_ns
    rig.until(S.RELEASING)
    assert rig.now_ns - heard_ns == 1_000_000_000 + PERIOD_NS
    assert rig.result.cause == 'no lowstate for 1.0 s'


def test_holding_lasts_exactly_its_time_without_a_chunk_and_says_what_was_refused():
    rig = armed(Rig(policy_park_s=1.0))
    rig.controller.refuse_chunk('no good')
    held_ns = rig.now_ns
    rig.until(S.PARKING)
    assert rig.now_ns - held_ns == 1_000_000_000 + PERIOD_NS
    assert rig.result.cause == (
        'no chunk for 1 s; 1 refused since the last one, the newest: no good'
    )
    rig.until(S.DISARMED)
    causes = [change.cause for change in rig.controller.machine.transitions]
    assert causes[-2] == causes[-1] == f'parked ({causes[-3]})'


def test_a_chunk_is_followed_to_its_end_or_until_the_policy_is_silent_for_too_long():
    rig = armed(Rig(policy_timeout_s=0.5)).tracking(seconds=0.3)
    assert rig.result.cause == 'chunk accepted'
    assert rig.until(S.HOLDING, limit_s=0.4).result.cause == 'chunk expired'
    accepted_ns = rig.now_ns
    rig.tracking(seconds=2.0).until(S.HOLDING)
    assert rig.now_ns - accepted_ns == 500_000_000 + PERIOD_NS
    assert rig.result.cause.startswith('no usable chunk for 0.5 s')


def test_a_tick_that_is_told_of_no_other_writer_knows_of_none():
    rig = Rig().run(0.02)
    rig.controller.heartbeat(True, rig.now_ns)
    rig.controller.tick(rig.now_ns, rig.ros_ns, rig.state)
    assert rig.controller.enable().accepted


# Losses ---------------------------------------------------------------------------------------


def test_a_robot_that_walks_slowly_enough_goes_on_arming():
    rig = Rig(when_walking='reduced').run(0.02)
    rig.controller.enable()
    dq = np.zeros(29)
    dq[3] = 3.0
    rig.edit = replaced(dq=dq)
    rig.run(1.0)
    assert rig.mode is S.ARMING
    rig.until(S.HOLDING)


def test_a_low_battery_ends_arming_and_does_not_stop_parking():
    rig = Rig(supply_s=0.1).run(0.02)
    rig.controller.enable()
    rig.edit = LOW_BATTERY
    rig.until(S.RELEASING, limit_s=0.2)
    rig = armed(Rig(supply_s=0.1)).tracking()
    rig.run(0.5)
    rig.edit = LOW_BATTERY
    rig.until(S.PARKING, limit_s=0.2)
    assert '30.0 V' in rig.result.cause
    rig.run(0.1)
    assert rig.mode is S.PARKING


def test_lowstate_that_is_frozen_while_the_arms_are_commanded_on_is_lost():
    rig = armed(Rig()).tracking()
    frozen = rig.state
    rig.edit = lambda state: dataclasses.replace(state, q=frozen.q, gripper_q=frozen.gripper_q)
    rig.until(S.STOPPED, limit_s=0.5)
    assert 'frozen' in rig.result.cause


def test_a_limp_robot_is_sent_nothing_more_and_a_fault_ends_with_it():
    rig = armed(Rig())
    rig.edit = LIMP
    result = rig.tick()
    assert (result.state, result.command) == (S.DISARMED, None)
    assert result.cause == 'the robot is in damp (FSM 1); nothing is sent'
    rig = armed(Rig())
    rig.controller.fail('test')
    assert rig.tick().command.weight > 0.9
    rig.edit = LIMP
    result = rig.tick()
    assert (result.state, result.command) == (S.FAULT, None)
    assert rig.controller.finished


@pytest.mark.parametrize('state', [S.HOLDING, S.STOPPED])
def test_an_arm_that_is_pushed_beyond_the_lead_limit_gives_way(state):
    rig = armed(Rig())
    if state is S.STOPPED:
        rig.controller.stop('test')
    before = rig.result.command.q
    push(rig, 15)
    rig.run(0.5)
    assert rig.mode is state
    assert rig.result.command.q[3] > before[3] + 0.01


def test_an_arm_that_is_pushed_for_long_stops_what_moves_and_keeps_no_stop_latched():
    rig = armed(Rig(contact_s=0.1))
    push(rig, 15, seconds=0.6)
    assert rig.mode is S.STOPPED
    assert rig.result.cause.startswith('left_shoulder_pitch_joint is blocked for 0.1 s')
    assert rig.controller._mover.lead.fault() is not None
    assert asked(rig, 'reset') == (True, 'holding', S.HOLDING)


def test_an_arm_that_is_blocked_on_its_way_back_stops():
    rig = armed(Rig(contact_s=0.1)).tracking(amplitude=0.5, seconds=0.7)
    rig.until(S.HOLDING).run(0.2)
    rig.stuck = True
    assert rig.controller.park().accepted
    assert 'is blocked' in rig.until(S.STOPPED, limit_s=2.0).result.cause


def test_a_pushed_arm_does_not_move_the_proposal_of_shadow_mode():
    rig = armed(Rig(mode='shadow'))
    before = rig.result.proposed.q
    push(rig, 15)
    rig.run(0.5)
    np.testing.assert_array_equal(rig.result.proposed.q, before)
    assert rig.result.command is None


def test_after_a_loss_of_lowstate_a_push_moves_nothing_until_the_operator_has_acted():
    rig = armed(Rig())
    rig.silent = True
    rig.until(S.STOPPED, limit_s=0.2)
    rig.silent = False
    before = rig.result.command.q
    push(rig, 15)
    rig.run(0.5)
    assert rig.mode is S.STOPPED
    np.testing.assert_array_equal(rig.result.command.q, before)
    assert rig.controller.reset().accepted
    rig.run(0.5)
    assert rig.result.command.q[3] > before[3] + 0.01


class Wall:
    """A clearance that is never kept."""

    def near(self, *_):
        return {'left_hand and wall': -1.0}


def test_what_the_clearance_never_allows_is_not_commanded():
    rig = Rig()
    rig.controller = Controller(rig.controller.config, PLANT, Wall())
    armed(rig).tracking()
    before = rig.result.sent_q16
    rig.run(0.2)
    assert rig.mode is S.TRACKING
    np.testing.assert_array_equal(rig.result.sent_q16, before)
    told = rig.controller.teller.lines(rig.result.verdict, rig.now_ns)
    assert any(line.startswith('clearance on left_hand and wall') for line in told)
    assert rig.controller.ledger.counts['clearance'] == 1


# Arming ---------------------------------------------------------------------------------------


def test_the_arm_that_moves_most_while_arming_is_named_and_fingers_may_move():
    rig = Rig().run(0.02)
    rig.controller.enable()
    rig.run(0.1)
    rig.gripper_q = np.array([0.04, 0.0])
    for step in range(20):
        rig.edit = pushed(25, 0.01 * (step + 1))
        rig.tick()
    assert rig.mode is S.ARMING
    for step in range(8):
        rig.edit = pushed(25, 0.2 + 0.02 * (step + 1))
        rig.tick()
    assert rig.result.cause == 'right_elbow_joint moved 0.360 rad while arming'


def test_the_arms_may_move_by_the_whole_drift_while_arming_and_by_nothing_more():
    pose = START_Q.copy()
    rig = Rig(arming_drift_rad=0.25)
    rig.edit = lambda state: dataclasses.replace(state, q=pose)
    rig.run(0.02)
    rig.controller.enable()
    rig.tick()
    pose = START_Q + np.where(np.arange(29) == 16, 0.25, 0.0)
    rig.run(0.1)
    assert rig.mode is S.ARMING
    pose[16] = np.nextafter(0.25, 1.0)
    rig.tick()
    assert rig.result.cause == 'left_shoulder_roll_joint moved 0.250 rad while arming'


def test_a_second_arming_begins_anew_where_the_arms_are_then():
    rig = armed(Rig()).tracking(seconds=0.5)
    rig.until(S.HOLDING).run(0.5)
    rig.controller.release()
    rig.until(S.DISARMED).tick()
    rig.start_q = rig.q = START_Q + np.where(np.arange(29) >= 12, 0.05, 0.0)
    rig.run(0.02)
    assert rig.result.sent_q16 is None
    assert rig.controller.enable().accepted
    result = rig.tick()
    assert result.command.weight == pytest.approx(0.004 / 2.5)
    np.testing.assert_allclose(result.command.q, rig.start_q[12:], atol=1e-5)
    assert not result.command.dq.any()
    assert result.cause == 'operator enabled the controller'
    assert rig.until(S.HOLDING).result.cause == 'armed'


# Commands -------------------------------------------------------------------------------------


def test_a_command_carries_the_filtered_arms_the_gains_and_the_grippers():
    rig = armed(Rig()).tracking()
    rig.run(0.4)
    command, sent = rig.result.command, rig.result.sent_q16
    np.testing.assert_array_equal(command.q[3:], sent[:14])
    np.testing.assert_array_equal(command.gripper_q, sent[14:])
    np.testing.assert_array_equal(command.kp, PLANT.kp)
    np.testing.assert_array_equal(command.kd, PLANT.kd)
    later = rig.tick()
    speed = (later.sent_q16 - sent)[:14] / (PERIOD_NS * 1e-9)
    np.testing.assert_allclose(later.command.dq[3:], speed, atol=0.02)
    assert np.abs(speed).max() > 0.1
    assert not later.command.dq[:3].any()
    assert later.proposed is later.command


def test_what_was_told_before_does_not_change_with_what_is_sent_later():
    rig = armed(Rig()).tracking()
    rig.run(0.2)
    result = rig.result
    kept = [a.copy() for a in (result.sent_q16, result.command.q, result.command.dq)]
    rig.run(0.2)
    for now, then in zip(
        (result.sent_q16, result.command.q, result.command.dq), kept, strict=True
    ):
        np.testing.assert_array_equal(now, then)


def test_a_change_of_what_was_asked_is_dated_by_the_tick_in_which_it_began():
    rig = armed(Rig())
    rig.controller.submit_chunk(rig.chunk(amplitude=1.5, seconds=2.0))
    rig.run(0.4)
    begun = {
        (change.rule, change.joint): change.since_mono_ns
        for result in rig.results
        for change in result.verdict.changes
    }
    seen = {}
    for time_s, result in zip(rig.times_s, rig.results, strict=True):
        for change in result.verdict.changes:
            seen.setdefault((change.rule, change.joint, change.since_mono_ns), time_s)
    assert begun
    for (*_, since_ns), time_s in seen.items():
        assert since_ns * 1e-9 == pytest.approx(time_s)


def test_a_fault_holds_the_last_command_still_and_fades_its_weight():
    rig = armed(Rig(release_ramp_s=2.0)).tracking()
    rig.run(0.3)
    last = rig.result.command
    assert last.dq.any()
    rig.controller.fail('test')
    for count in range(1, 500):
        result = rig.tick()
        command = result.command
        assert result.verdict.changes == ()
        assert command.weight == pytest.approx(1.0 - count * 0.004 / 2.0)
        assert not command.dq.any()
        np.testing.assert_array_equal(command.q, last.q)
        np.testing.assert_array_equal(command.gripper_q, last.gripper_q)
        assert not rig.controller.finished
    # Rounding may leave a rest of weight for one more tick.
    assert rig.tick().command.weight < 1e-9
    rig.tick()
    assert rig.controller.finished
    assert rig.tick().command is None
    assert rig.result.verdict.changes == ()
    assert rig.result.sent_q16 is None


def test_a_fault_before_any_command_sends_nothing_and_the_first_cause_stands():
    rig = Rig().run(0.02)
    assert rig.controller.finished
    rig.controller.fail('first')
    rig.controller.fail('second')
    assert rig.controller.finished
    result = rig.tick()
    assert (result.command, result.proposed, result.state) == (None, None, S.FAULT)
    assert result.cause == 'first'


def test_an_exception_is_told_by_its_kind_and_its_words():
    rig = armed(Rig())
    assert not rig.controller.finished
    rig.controller.plant = None
    rig.tick()
    assert rig.mode is S.FAULT
    assert rig.result.cause == "AttributeError: 'NoneType' object has no attribute 'measured'"


def test_feed_forward_begins_at_no_torque_at_every_arming_and_follows_the_arms():
    points = ArmPoints(build_urdf(), POLICY)
    rig = Rig(gravity_compensation=True)
    rig.controller = Controller(rig.controller.config, PLANT, None, points)
    armed(rig)
    first = [r.command for r in rig.results if r.command is not None]
    rig.controller.release()
    rig.until(S.DISARMED).tick()
    assert rig.controller.enable().accepted
    again = rig.tick(LONG_NS).command
    np.testing.assert_allclose(again.tau, first[0].tau, atol=1e-6)
    assert np.abs(first[-1].tau).max() > 0.5


def test_a_fault_in_the_first_tick_of_an_arming_sends_nothing_of_the_arming_before():
    points = ArmPoints(build_urdf(), POLICY)
    rig = Rig(gravity_compensation=True)
    rig.controller = Controller(rig.controller.config, PLANT, None, points)
    armed(rig)
    rig.controller.release()
    rig.until(S.DISARMED)
    points.gravity = None
    assert rig.controller.enable().accepted
    result = rig.tick()
    assert result.state is S.FAULT
    assert result.command.weight == 0.0
    assert not result.command.tau.any()
    assert rig.tick().command is None
