"""Nothing hostile makes the controller break a limit, and the checker would see it if it did."""

import numpy as np
import pytest

from flash_wam_ros.cli import bench_safety
from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate import fuzz_run
from flash_wam_ros.evaluate.body_distance import BodyDistance, separation
from flash_wam_ros.evaluate.fuzz_run import FuzzSetting
from flash_wam_ros.evaluate.motion_check import (
    ArmKinematics,
    Findings,
    MotionCheck,
    differences,
    rounding,
)
from flash_wam_ros.evaluate.safety_fuzz import Fuzzer, bounds_of
from flash_wam_ros.robots.g1_layout import POLICY, STATE
from flash_wam_ros.safety import ControllerConfig
from flash_wam_ros.safety.clearance import ClearanceModel
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf
from flash_wam_ros.sim.posture import ready_posture

CONFIG = ControllerConfig()
BOUNDS = bounds_of(CONFIG)
QUANTITIES = {'position', 'velocity', 'acceleration', 'jerk', 'hand speed'}


@pytest.fixture(scope='module')
def kinematics():
    return ArmKinematics(build_urdf(), POLICY.names)


@pytest.fixture(scope='module')
def fuzzer(kinematics):
    urdf = build_urdf()
    return Fuzzer(ArmPoints(urdf, POLICY), kinematics, ClearanceModel(urdf, STATE), BodyDistance())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(('clearance', 'commands'), [(False, 1_000_000), (True, 100_000)])
def test_no_hostile_command_breaks_a_limit(clearance, commands):
    setting = FuzzSetting(commands=commands, seed=0, clearance=clearance)
    *_, found = fuzz_run.run(setting, None, processes=2)
    assert not found.violations, found
    assert not found.trials
    assert found.commands >= commands
    assert set(found.worst) >= QUANTITIES
    if clearance:
        # The arms were at the limit, and not beyond.
        assert 0.85 <= found.worst['clearance'] <= 1.0


def test_a_quick_stop_keeps_clear_between_the_poses_that_are_looked_at():
    """The trial that came to 9 mm while the way to rest was looked at in three poses."""
    *_, found = fuzz_run.run(FuzzSetting(commands=2000, seed=2, clearance=True), None, 1)
    assert not found.violations
    assert found.worst['clearance'] >= 0.85


def calm(seconds=1.0):
    times = np.arange(0.0, seconds, 0.004)
    middle = 0.5 * (BOUNDS.lower + BOUNDS.upper)
    q = middle + np.sin(2.0 * times)[:, None] * np.where(np.arange(16) < 14, 0.1, 0.001)
    return times, q


def test_a_calm_motion_is_inside_all_limits(kinematics):
    found = MotionCheck(BOUNDS, kinematics)(*calm())
    assert not found.violations
    assert found.commands == 250
    assert all(share < 1.0 for share in found.worst.values())


@pytest.mark.parametrize(
    ('spoil', 'word'),
    [(9.0, 'position'), (0.02, 'velocity'), (2e-4, 'acceleration'), (2e-5, 'jerk')],
)
def test_the_checker_sees_each_kind_of_violation(kinematics, spoil, word):
    times, q = calm()
    q[100, 2] += spoil
    found = MotionCheck(BOUNDS, kinematics)(times, q)
    assert found.violations[word] > 0
    assert found.violations[f'{word} sent'] > 0


def test_the_checker_sees_fast_hands_motion_without_time_and_what_is_not_finite(kinematics):
    slow = bounds_of(ControllerConfig(mode='reduced'))
    times, q = calm()
    assert MotionCheck(slow, kinematics)(times, q + 0 * q).violations['hand speed'] > 0
    held = times.copy()
    held[50] = held[49]
    assert MotionCheck(BOUNDS, kinematics)(held, q).violations['moved without time'] == 1
    q[3, 3] = np.nan
    assert MotionCheck(BOUNDS, kinematics)(times, q).violations['not finite'] == 1


def test_closing_a_gripper_has_a_limit_of_its_own(kinematics):
    times, q = calm()
    rate = 0.5 * (BOUNDS.descent[15] + BOUNDS.velocity[15])
    for sign, broken in ((1.0, False), (-1.0, True)):
        q[:, 15] = 0.0225 + sign * rate * (times - 0.5) * 0.2
        steep = q.copy()
        steep[:, 15] = np.where(times < 0.25, 0.0225, 0.0225 + sign * rate * (times - 0.25))
        steep = steep[60:66]
        found = MotionCheck(BOUNDS, kinematics)(times[60:66], steep)
        assert (found.violations['velocity'] > 0) is broken


@pytest.mark.parametrize('order', [1, 2, 3])
def test_rounding_to_float32_moves_no_difference_by_more_than_the_derived_bound(order):
    rng = np.random.default_rng(order)
    times = np.cumsum(rng.choice([0.0004, 0.004, 0.04], 300))
    q = rng.uniform(-3.0, 3.0, (300, 4))
    sent = q.astype(np.float32)
    moved = np.abs(differences(times, sent.astype(float), order) - differences(times, q, order))
    bound = rounding(times, 0.5 * np.spacing(np.abs(sent)), order)
    assert np.all(moved <= bound * (1 + 1e-9))
    assert moved.max() >= 0.2 * bound.max()


def test_two_libraries_measure_the_same_distance(fuzzer):
    ours, theirs = ClearanceModel(build_urdf(), STATE), BodyDistance()
    rng = np.random.default_rng(1)
    compared = 0
    for _ in range(120):
        pose = ready_posture()
        pose[15:29] += rng.uniform(-0.5, 0.5, 14)
        mine, other = ours.nearest(pose), float(theirs(pose[None])[0])
        if 0.0 < mine.distance_m < 0.029 and 'torso' in mine.pair:
            compared += 1
            assert other == pytest.approx(mine.distance_m, abs=2e-3)
    assert compared >= 3


def test_the_separation_of_two_hulls_is_proven_as_far_as_it_goes():
    rng = np.random.default_rng(2)
    cube = np.array(np.meshgrid(*[(-1.0, 1.0)] * 3)).reshape(3, -1).T
    for gap in (1e-4, 0.01, 3.0):
        assert separation(cube, cube + np.array([2.0 + gap, 0.3, -0.5])) == pytest.approx(
            gap, abs=1e-7
        )
        corner = cube + (2.0 + gap / np.sqrt(3.0))
        assert separation(cube, corner) == pytest.approx(gap, abs=1e-7)
    assert separation(cube, cube + np.array([1.9, 0.3, -0.5])) == 0.0
    for _ in range(100):
        one, two = rng.normal(size=(2, 60, 3)) * 0.1
        way = rng.normal(size=3)
        two = two + 1.5 * way / np.linalg.norm(way)
        # No direction parts two hulls by more than their distance.
        normals = rng.normal(size=(300, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        parted = (two @ normals.T).min(axis=0) - (one @ normals.T).max(axis=0)
        found = separation(one, two)
        assert parted.max() <= found + 1e-7
        assert found <= np.linalg.norm(one[:, None] - two[None], axis=2).min() + 1e-12


def test_a_run_is_taken_up_where_it_stopped(tmp_path, monkeypatch, fuzzer):
    monkeypatch.setattr(fuzz_run, 'TRIAL', 100)
    monkeypatch.setattr(fuzz_run, 'ProcessPoolExecutor', _InProcess)
    monkeypatch.setattr(fuzz_run, '_one', lambda job: fuzzer.trial('filter', job[1], job[2], 99))
    path = tmp_path / 'run.json'
    first = list(fuzz_run.run(FuzzSetting(commands=800, seed=1, clearance=False), path, 1))
    whole = list(fuzz_run.run(FuzzSetting(commands=1600, seed=1, clearance=False), path, 1))
    assert first[-1].commands == 800
    assert len(whole) == 1
    assert whole[-1].commands == 1600
    once = list(fuzz_run.run(FuzzSetting(commands=1600, seed=1, clearance=False), None, 1))
    assert once[-1].worst == whole[-1].worst
    with pytest.raises(UserError, match='another seed'):
        list(fuzz_run.run(FuzzSetting(commands=1600, seed=2, clearance=False), path, 1))


def test_a_trial_that_breaks_a_limit_can_be_found_again(tmp_path, monkeypatch):
    class Clumsy:
        def trial(self, _kind, _seed, number):
            found = Findings(commands=fuzz_run.TRIAL)
            found.see('jerk', np.array([1.5 if number == 3 else 0.5]))
            return found

    monkeypatch.setattr(fuzz_run, 'ProcessPoolExecutor', _InProcess)
    monkeypatch.setattr(fuzz_run, '_fuzzer', lambda _clearance: Clumsy())
    path, setting = tmp_path / 'run.json', FuzzSetting(commands=20_000, seed=1, clearance=False)
    *_, found = fuzz_run.run(setting, path, 1)
    assert (found.violations, found.trials) == ({'jerk': 1}, [3])
    *_, again = fuzz_run.run(setting, path, 1)
    assert again.trials == [3]
    lines = bench_safety.page(setting, again)
    assert '`flash-wam bench safety --commands 20000 --seed 1`' in lines[2]
    assert '| jerk | 1 | 1.500000 |' in lines
    assert lines[-1] == 'Broken in the trials 3.'


class _InProcess:
    """Runs jobs at once, in this process."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    map = staticmethod(map)
