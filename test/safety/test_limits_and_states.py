"""Closed forms of stopping, and the state machine: exact, without a controller around them."""

import numpy as np
import pytest

from flash_wam_ros.safety.limits import (
    Limits,
    SpeedWithin,
    resting_way,
    stopping_distance,
    top_velocity,
)
from flash_wam_ros.safety.ramp import WeightRamp
from flash_wam_ros.safety.states import (
    MOVING,
    SENDING,
    TRANSITIONS,
    ControllerState,
    StateMachine,
)

S = ControllerState
ALLOWED = {
    'DISARMED': 'ARMING FAULT',
    'ARMING': 'HOLDING RELEASING DISARMED FAULT',
    'HOLDING': 'TRACKING PARKING RELEASING STOPPED DISARMED FAULT',
    'TRACKING': 'HOLDING PARKING RELEASING STOPPED DISARMED FAULT',
    'PARKING': 'RELEASING STOPPED DISARMED FAULT',
    'STOPPED': 'HOLDING PARKING RELEASING DISARMED FAULT',
    'RELEASING': 'DISARMED FAULT',
    'FAULT': '',
}


def one(**changes):
    """Return the limits of a single joint: 2 rad/s, 8 rad/s2, 80 rad/s3."""
    values = {'lower': -1.0, 'upper': 1.0, 'velocity': 2.0, 'acceleration': 8.0, 'jerk': 80.0}
    return Limits(**{name: np.array([value]) for name, value in {**values, **changes}.items()})


def test_the_table_of_transitions_is_the_documented_one():
    found = {str(state): {str(target) for target in TRANSITIONS[state]} for state in S}
    assert found == {name: set(targets.split()) for name, targets in ALLOWED.items()}


def test_only_disarmed_is_silent_and_three_states_move_with_full_weight():
    assert set(S) - {S.DISARMED} == SENDING
    assert {S.HOLDING, S.TRACKING, S.PARKING} == MOVING


def test_a_machine_begins_disarmed_and_remembers_what_it_was_told():
    machine = StateMachine(history=2)
    assert (machine.state, machine.cause, machine.since_mono_ns) == (S.DISARMED, 'started', 0)
    assert (machine.count, list(machine.transitions)) == (0, [])
    for at, (state, cause) in enumerate(
        [(S.ARMING, 'a'), (S.HOLDING, 'b'), (S.STOPPED, 'c')], start=1
    ):
        machine.to(state, cause, at * 10**9)
    assert (machine.state, machine.cause, machine.since_mono_ns) == (S.STOPPED, 'c', 3 * 10**9)
    assert machine.count == 3
    last = machine.transitions[-1]
    assert len(machine.transitions) == 2
    assert (last.source, last.target, last.cause) == (S.HOLDING, S.STOPPED, 'c')
    assert last.at_mono_ns == 3 * 10**9
    assert machine.age_s(5 * 10**9) == 2.0


def test_a_machine_remembers_256_transitions():
    assert StateMachine().transitions.maxlen == 256


def test_a_transition_that_is_not_allowed_changes_nothing_and_names_its_cause():
    machine = StateMachine()
    with pytest.raises(ValueError, match=r'^HOLDING does not follow DISARMED \(why\)$'):
        machine.to(S.HOLDING, 'why', 7)
    assert (machine.state, machine.count, machine.since_mono_ns) == (S.DISARMED, 0, 0)


def test_a_weight_moves_by_its_share_of_the_ramp_and_stays_between_zero_and_one():
    ramp = WeightRamp()
    assert ramp.weight == 0.0
    ramp.rise(0.5, 2.0)
    assert ramp.weight == 0.25
    ramp.fall(0.2, 2.0)
    assert ramp.weight == pytest.approx(0.15)
    ramp.fall(9.0, 2.0)
    assert ramp.weight == 0.0
    ramp.rise(9.0, 2.0)
    assert ramp.weight == 1.0


@pytest.mark.parametrize('sign', [1.0, -1.0])
@pytest.mark.parametrize(
    ('speed', 'way'),
    # From 0.2 rad/s two ramps of 0.05 s; from 2 rad/s 0.25 s at full deceleration and 0.1 s.
    [(0.0, 0.0), (0.2, 0.01), (0.8, 0.08), (2.0, 0.35)],
)
def test_the_stopping_distance_is_half_the_speed_times_the_time(sign, speed, way):
    assert stopping_distance(one(), np.array([sign * speed]))[0] == pytest.approx(way)


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_the_way_to_rest_undoes_an_acceleration_first(sign):
    limits = one()
    # 0.1 s at full jerk from 8 to 0 rad/s2 makes 0.4 rad/s and 1/37.5 rad; 1.4 rad/s stop.
    way = resting_way(limits, np.array([sign * 1.0]), np.array([sign * 8.0]))[0]
    stop = stopping_distance(limits, np.array([1.4]))[0]
    assert sign * way == pytest.approx(0.1 + 8 * 0.01 / 3 + stop)
    assert top_velocity(limits, np.array([sign]), np.array([sign * 8.0]))[0] == pytest.approx(
        sign * 1.4
    )


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_the_way_to_rest_of_a_joint_that_brakes_is_what_is_left(sign):
    limits = one()
    # 0.05 s into a stop from 1 rad/s: 0.9 rad/s, -4 rad/s2, 0.05 - 80 * 0.05^3 / 6 rad gone.
    whole = stopping_distance(limits, np.array([1.0]))[0]
    way = resting_way(limits, np.array([sign * 0.9]), np.array([sign * -4.0]))[0]
    assert sign * way == pytest.approx(whole - (0.05 - 80 * 0.05**3 / 6))


def test_a_slight_acceleration_is_undone_too():
    limits = one()
    # 0.01 s at full jerk from 0.8 to 0 rad/s2 makes 0.004 rad/s.
    way = resting_way(limits, np.array([1.0]), np.array([0.8]))[0]
    stop = stopping_distance(limits, np.array([1.004]))[0]
    assert way == pytest.approx(0.01 + 0.8 * 0.0001 / 3 + stop, abs=1e-12)


def test_limits_below_one_are_limits():
    small = one(velocity=0.1, acceleration=0.5, jerk=0.9)
    assert small.velocity[0] == 0.1


def test_a_joint_that_brakes_too_hard_for_its_speed_comes_back():
    limits = one()
    way = resting_way(limits, np.array([0.1]), np.array([-8.0]))[0]
    assert top_velocity(limits, np.array([0.1]), np.array([-8.0]))[0] == pytest.approx(-0.3)
    assert way < 0.0


@pytest.mark.parametrize('spare', [0.0, 0.1])
def test_the_speed_within_a_distance_solves_its_equation(spare):
    speed = SpeedWithin(one(), np.array([spare]))(np.array([0.3]))[0]
    assert speed**2 / 16.0 + speed * (8.0 / 160.0 + spare) == pytest.approx(0.3)
    assert SpeedWithin(one(), np.array([spare]))(np.array([-1.0]))[0] == 0.0


def test_limits_have_a_length_and_defaults_of_descent_and_soft_zone():
    limits = one()
    assert len(limits) == 1
    assert limits.down is limits.velocity
    np.testing.assert_array_equal(limits.soft, [0.0])
    both = one(descent=0.5, soft_s=0.1)
    assert (both.down[0], both.soft[0]) == (0.5, 0.1)
    assert one(descent=2.0).down[0] == 2.0


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'lower': 1.0}, 'lower limits must be below upper limits; reduce the margin'),
        ({'lower': 2.0}, 'lower limits must be below upper limits; reduce the margin'),
        ({'velocity': 0.0}, 'velocity limits must be > 0 and finite, not '),
        ({'acceleration': np.inf}, 'acceleration limits must be > 0 and finite, not '),
        ({'jerk': np.nan}, 'jerk limits must be > 0 and finite, not '),
        ({'descent': 0.0}, 'descent limits must be > 0 and <= velocity, not '),
        ({'descent': 2.1}, 'descent limits must be > 0 and <= velocity, not '),
        ({'soft_s': -0.1}, 'soft zones must be >= 0 s and finite, not '),
        ({'soft_s': np.inf}, 'soft zones must be >= 0 s and finite, not '),
    ],
)
def test_limits_say_what_is_wrong_with_them(changes, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        one(**changes)
    assert str(caught.value).startswith(words)
