"""What is known of distances without measuring them is never more than what is true."""

import numpy as np
import pytest
from distances import EveryPair
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_wam_ros.robots.g1_layout import STATE
from flash_wam_ros.safety.clearance import ClearanceModel
from flash_wam_ros.safety.levers import LowerBounds
from flash_wam_ros.sim.description import build_urdf
from flash_wam_ros.sim.posture import ready_posture

LOW, HIGH = np.array(STATE.lower), np.array(STATE.upper)
FINGERS = STATE.indices(['left_gripper_joint', 'right_gripper_joint'])
WAIST = STATE.indices(['waist_yaw_joint', 'waist_roll_joint', 'waist_pitch_joint'])
WITHIN_M = 0.011
ROUNDING_M = 1e-9


@pytest.fixture(scope='module')
def model():
    return ClearanceModel(build_urdf(), STATE)


def anywhere(rng):
    return rng.uniform(LOW, HIGH)


def placed(model, q):
    """Return the (G, 4, 4) placements of all bodies at ``q``."""
    model._pose(q)
    return model._places()


def corners(model, body):
    """Return (V, 3) corners of what encloses ``body``, in its own frame."""
    shape = model._shapes[body]
    if hasattr(shape, 'points'):
        return np.array(shape.points())
    box = shape.aabb_local
    return np.array([box.min_, box.max_])


def walk(rng, start, steps):
    """Yield poses of a motion: slow, quick, a jump now and then, and noise on all joints."""
    q, goal = start, anywhere(rng)
    for _ in range(steps):
        if rng.random() < 0.03:
            goal = anywhere(rng)
        if rng.random() < 0.01:
            q = anywhere(rng)
        q = q + rng.uniform(0.0, 0.1) * (goal - q) + rng.normal(0.0, 1e-4, len(q))
        yield q


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, len(STATE) - 1), st.floats(1e-4, 0.5))
def test_no_body_moves_further_than_the_lever_of_the_joint_that_moves_it(model, seed, slot, way):
    rng = np.random.default_rng(seed)
    q = anywhere(rng)
    moved = q.copy()
    moved[slot] += way if slot not in FINGERS else min(way, 0.02)
    before, after = placed(model, q), placed(model, moved)
    motion = abs(moved[slot] - q[slot])
    for body, lever in enumerate(model._levers.bodies[:, slot]):
        points = corners(model, body)
        rotation = after[body][:3, :3] - before[body][:3, :3]
        travelled = points @ rotation.T + (after[body] - before[body])[:3, 3]
        assert np.linalg.norm(travelled, axis=1).max() <= lever * motion + ROUNDING_M


@pytest.mark.parametrize('seed', range(2))
def test_what_is_known_of_a_distance_never_exceeds_it(model, seed):
    rng, everywhere = np.random.default_rng(seed), EveryPair(model)
    known = 0
    for number, q in enumerate(walk(rng, ready_posture(), 150)):
        drift = None if number % 3 else rng.uniform(0.0, 0.01, len(q))
        model.near(q, drift, WITHIN_M)
        nearby = q + rng.normal(0.0, 0.02, len(q))
        bounds = model._known.at(nearby)
        if model._levers.hold(nearby):
            assert (everywhere.all(nearby) >= bounds - ROUNDING_M).all()
        known += int((bounds > WITHIN_M).sum())
    assert known > 5_000


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
def test_a_distance_falls_by_no_more_than_the_levers_of_its_pair_allow(model, seed, way):
    rng, everywhere = np.random.default_rng(seed), EveryPair(model)
    q = anywhere(rng)
    there = np.clip(q + rng.uniform(-way, way, len(q)) * rng.integers(0, 2, len(q)), LOW, HIGH)
    levers = model._levers.pairs(model._first, model._second)
    fallen = everywhere.all(q) - everywhere.all(there)
    assert (fallen <= levers @ np.abs(there - q) + ROUNDING_M).all()


@pytest.mark.parametrize('seed', range(2))
def test_what_is_near_does_not_depend_on_what_was_asked_before(model, seed):
    rng, everywhere = np.random.default_rng(100 + seed), EveryPair(model)
    seen = 0
    for number, q in enumerate(walk(rng, ready_posture(), 200)):
        drift = None if number % 2 else rng.uniform(0.0, 0.02, len(q))
        expected = everywhere(q, drift, WITHIN_M)
        found = model.near(q, drift, WITHIN_M)
        assert found.keys() == expected.keys()
        assert all(found[pair] == pytest.approx(expected[pair], abs=1e-9) for pair in found)
        among = set(rng.choice(model._pair_names, 40))
        some = model.near(q, drift, WITHIN_M, among)
        assert some.keys() == expected.keys() & among
        seen += len(found)
    assert seen > 50


def test_a_finger_far_outside_its_range_is_measured_and_not_remembered(model):
    everywhere = EveryPair(model)
    model.near(ready_posture(), None, WITHIN_M)
    q = ready_posture()
    q[FINGERS[0]] = 0.5
    assert not model._levers.hold(q)
    assert model.near(q, None, WITHIN_M).keys() == everywhere(q, None, WITHIN_M).keys()
    remembered = [list(at) for at in model._known._at]
    assert list(q) not in remembered


def test_legs_that_move_are_noticed(model):
    """They are not what the controller moves, and not in ``drift``, but hands may be near them."""
    q = ready_posture()
    model.near(q, None, WITHIN_M)
    levers = model._levers.pairs(model._first, model._second)
    names = np.array(model._pair_names)
    hip = STATE.index('left_hip_pitch_joint')
    with_thigh = np.array(['left_hip_roll_link' in name for name in names])
    assert (levers[with_thigh, hip] > 0).all()
    assert (levers[~np.array(['left_' in name for name in names]), hip] == 0).all()


def test_the_waist_moves_both_arms_and_so_not_one_against_the_other(model):
    levers = model._levers.pairs(model._first, model._second)
    arms = model._sides.min(axis=0) > 0
    assert arms.any()
    assert (levers[arms][:, WAIST] == 0).all()
    legs = np.array(['hip' in name for name in model._pair_names])
    assert (levers[legs][:, WAIST] > 0).all()


def test_where_arms_move_in_the_open_nothing_is_measured(model):
    q = ready_posture()
    model.near(q, None, WITHIN_M)
    measured = []
    original = model._measured
    model._measured = lambda pair: measured.append(pair) or original(pair)
    for angle in np.linspace(0.0, 0.02, 20):
        q[STATE.index('left_elbow_joint')] += angle / 20
        assert model.near(q, None, WITHIN_M) == {}
    model._measured = original
    assert measured == []


def bounds_of_two_pairs():
    return LowerBounds(np.array([[1.0, 0.0], [0.5, 2.0]]))


def test_nothing_is_known_before_anything_was_measured():
    assert (bounds_of_two_pairs().at(np.zeros(2)) == -np.inf).all()


def test_bounds_fall_with_the_way_from_where_they_were_known():
    bounds = bounds_of_two_pairs()
    bounds.renew(np.zeros(2), np.array([0.3, 0.4]))
    np.testing.assert_allclose(bounds.at(np.zeros(2)), [0.3, 0.4])
    np.testing.assert_allclose(bounds.at(np.array([0.1, -0.05])), [0.2, 0.25])


def test_two_places_are_remembered_and_the_better_bound_counts_pair_by_pair():
    bounds = bounds_of_two_pairs()
    bounds.renew(np.zeros(2), np.array([0.3, 0.1]))
    bounds.renew(np.array([0.1, 0.0]), np.array([0.25, 0.4]))
    np.testing.assert_allclose(bounds.at(np.zeros(2)), [0.3, 0.35])
    bounds.renew(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(bounds.at(np.zeros(2)), [0.15, 0.35])


def test_of_a_pose_that_is_not_a_number_nothing_is_known():
    bounds = bounds_of_two_pairs()
    bounds.renew(np.zeros(2), np.array([0.3, 0.4]))
    assert not (bounds.at(np.array([np.nan, 0.0])) >= 0.0).any()
    assert not (bounds.at(np.array([0.0, np.nan]))[1:] >= 0.0).any()


def test_a_bound_that_is_not_a_number_is_never_taken_for_far(model):
    model._known.renew(ready_posture(), np.full(len(model), np.nan))
    q = ready_posture()
    q[STATE.indices(['left_shoulder_yaw_joint', 'right_shoulder_yaw_joint'])] = -0.2, 0.2
    everywhere = EveryPair(model)
    assert model.near(q, None, WITHIN_M).keys() == everywhere(q, None, WITHIN_M).keys()
