"""Hands and elbows keep their speed: kinematics, the bound of a stop, and the guard in motion."""

import numpy as np
import pytest
from limits import ACCELERATION, ARMS, JERK, LOWER, UPPER, VELOCITY

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.motion_check import ArmKinematics
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.safety.cartesian import SpeedGuard, _bend
from flash_wam_ros.safety.filter import TrajectoryFilter
from flash_wam_ros.safety.limits import Limits, SpeedWithin, stopping_distance
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf

LIMITS = Limits(lower=LOWER, upper=UPPER, velocity=VELOCITY, acceleration=ACCELERATION, jerk=JERK)


@pytest.fixture(scope='module')
def points():
    return ArmPoints(build_urdf(), POLICY)


def poses(count, seed=0):
    return np.random.default_rng(seed).uniform(LOWER, UPPER, (count, 16))


def test_the_points_are_where_another_reading_of_the_description_has_them(points):
    kinematics = ArmKinematics(build_urdf(), POLICY.names)
    assert kinematics.names == points.names
    many = poses(30)
    places = kinematics(many)
    ours = np.array([points(q).position for q in many])
    np.testing.assert_allclose(np.diff(ours, axis=0), np.diff(places, axis=0), atol=1e-9, rtol=0.0)


def test_the_jacobian_is_the_derivative_of_the_position(points):
    for q in poses(10):
        jacobian = points(q).jacobian
        for slot in range(16):
            step = np.eye(16)[slot] * 1e-6
            finite = (points(q + step).position - points(q - step).position) / 2e-6
            np.testing.assert_allclose(jacobian[:, :, slot], finite, atol=1e-7)


def test_no_point_is_ever_further_from_an_axis_than_its_reach(points):
    for q in poses(300, seed=1):
        assert np.all(np.linalg.norm(points(q).jacobian, axis=1) <= points.reach + 1e-9)


def test_turning_a_joint_changes_no_column_by_more_than_the_bound(points):
    bend = _bend(points)
    for q in poses(20, seed=2):
        jacobian = points(q).jacobian
        for slot in range(14):
            step = np.eye(16)[slot] * 1e-5
            change = np.linalg.norm(points(q + step).jacobian - jacobian, axis=1) / 1e-5
            assert np.all(change <= bend[:, :, slot] + 1e-4)


def test_a_description_without_hands_is_refused(tmp_path):
    text = build_urdf().read_text().replace('left_grasp', 'left_nothing')
    path = tmp_path / 'g1.urdf'
    path.write_text(text)
    with pytest.raises(UserError, match='left_grasp'):
        ArmPoints(path, POLICY)


@pytest.mark.parametrize('limit', [0.0, -1.0, float('nan'), float('inf')])
def test_a_speed_limit_must_be_positive_and_finite(points, limit):
    with pytest.raises(ValueError, match='speed limit'):
        SpeedGuard(points, LIMITS, limit)


def run_wild(points, limit_m_s, steps=1500, seed=0):
    """Return the largest speed of each point, now and on every stop, and the filter."""
    kinematics = ArmKinematics(build_urdf(), POLICY.names)
    rng = np.random.default_rng(seed)
    motion = TrajectoryFilter(LIMITS, SpeedGuard(points, LIMITS, limit_m_s))
    motion.reset(0.5 * (LOWER + UPPER))
    trail, stops = [motion.q], []
    for tick in range(steps):
        if tick % 50 == 0:
            target = rng.uniform(LOWER, UPPER)
        motion.step(target, 0.004)
        trail.append(motion.q)
        if tick % 10 == 0:
            times = np.linspace(0.0, motion._stop.duration, 40)
            stops.append(np.array([motion._stop.at_time(t)[0] for t in times]))
            stops[-1] = (np.diff(kinematics(stops[-1]), axis=0), np.diff(times))
    moving = np.linalg.norm(np.diff(kinematics(np.array(trail)), axis=0), axis=2) / 0.004
    braking = [
        np.linalg.norm(way, axis=2) / np.maximum(step, 1e-6)[:, None] for way, step in stops
    ]
    return moving, np.concatenate(braking), motion


@pytest.mark.parametrize('limit', [0.25, 1.0])
def test_hands_and_elbows_keep_their_speed_in_motion_and_on_every_stop(points, limit):
    moving, braking, _ = run_wild(points, limit)
    assert moving.max() <= limit + 1e-6
    assert braking.max() <= limit + 1e-6
    assert moving.max() >= 0.4 * limit


def test_an_arm_that_swings_from_the_shoulder_comes_near_its_limit(points):
    motion = TrajectoryFilter(LIMITS, SpeedGuard(points, LIMITS, 0.25))
    motion.reset(np.clip(np.zeros(16), LOWER, UPPER))
    target = motion.q.copy()
    target[0] = UPPER[0]
    fastest = 0.0
    for _ in range(500):
        before = points(motion.q).position[0]
        motion.step(target, 0.004)
        fastest = max(fastest, np.linalg.norm(points(motion.q).position[0] - before) / 0.004)
    assert 0.2 <= fastest <= 0.25 + 1e-6


def test_a_slow_arm_does_not_slow_the_other(points):
    motion = TrajectoryFilter(LIMITS, SpeedGuard(points, LIMITS, 0.25))
    motion.reset(np.clip(np.zeros(16), LOWER, UPPER))
    target = motion.q.copy()
    target[7], target[6] = UPPER[7], motion.q[6] + 0.3
    for _ in range(150):
        motion.step(target, 0.004)
    assert motion.q[6] == pytest.approx(target[6], abs=1e-3)
    assert motion.guard.asked_m_s[2] > 0.25
    assert motion.guard.asked_m_s[0] == 0.0


def test_a_target_is_reached_under_the_limit(points):
    motion = TrajectoryFilter(LIMITS, SpeedGuard(points, LIMITS, 0.25))
    motion.reset(0.5 * (LOWER + UPPER))
    target = LOWER + 0.4 * (UPPER - LOWER)
    for _ in range(4000):
        motion.step(target, 0.004)
    np.testing.assert_allclose(motion.q, target, atol=1e-6)


def test_a_speed_that_stops_within_a_distance_does():
    for share in (1e-6, 0.01, 0.3, 2.0):
        distance = np.full(16, share)
        speed = SpeedWithin(LIMITS, np.zeros(16))(distance)
        assert np.all(stopping_distance(LIMITS, speed) <= distance + 1e-12)
        soft = SpeedWithin(LIMITS, np.full(16, 0.1))(distance)
        assert np.all(stopping_distance(LIMITS, soft) + 0.1 * soft <= distance + 1e-12)


def test_in_the_soft_zone_a_joint_could_always_stop_with_room_to_spare():
    soft = Limits(
        lower=LOWER,
        upper=UPPER,
        velocity=VELOCITY,
        acceleration=ACCELERATION,
        jerk=JERK,
        soft_s=np.where(ARMS, 0.1, 0.0),
    )
    motion = TrajectoryFilter(soft)
    motion.reset(0.5 * (LOWER + UPPER))
    rng = np.random.default_rng(0)
    slowed = np.zeros(16, bool)
    for tick in range(1500):
        if tick % 120 == 0:
            target = rng.choice([LOWER, UPPER], 1)[0]
        motion.step(target, 0.004)
        slowed |= motion.softened
        top = motion.dq + motion.ddq * np.abs(motion.ddq) / (2 * JERK)
        room = np.where(top > 0, UPPER - motion.stop_q, motion.stop_q - LOWER)
        assert np.all(room[ARMS] >= (0.1 * np.abs(top))[ARMS] - 1e-8)
    assert slowed[ARMS].all()
    assert not slowed[~ARMS].any()
    for _ in range(1500):
        motion.step(target, 0.004)
    np.testing.assert_allclose(motion.q, target, atol=1e-3)


def test_what_closes_may_be_slower_than_what_opens():
    limits = Limits(
        lower=LOWER,
        upper=UPPER,
        velocity=VELOCITY,
        acceleration=ACCELERATION,
        jerk=JERK,
        descent=0.4 * VELOCITY,
    )
    motion = TrajectoryFilter(limits)
    motion.reset(LOWER)
    fastest = np.zeros((2, 16))
    for row, target in enumerate((UPPER, LOWER)):
        for _ in range(2500):
            motion.step(target, 0.004)
            fastest[row] = np.maximum(fastest[row], np.abs(motion.dq))
    np.testing.assert_allclose(fastest[0], VELOCITY, rtol=1e-6)
    np.testing.assert_allclose(fastest[1], 0.4 * VELOCITY, rtol=1e-6)


@pytest.mark.parametrize('field', ['descent', 'soft_s'])
@pytest.mark.parametrize('bad', [-1.0, float('nan'), float('inf')])
def test_limits_of_descent_and_soft_zone_are_checked(field, bad):
    with pytest.raises(ValueError, match=r'descent|soft'):
        Limits(
            lower=LOWER,
            upper=UPPER,
            velocity=VELOCITY,
            acceleration=ACCELERATION,
            jerk=JERK,
            **{field: np.full(16, bad)},
        )
