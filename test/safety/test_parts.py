"""The small parts: configuration, ramp, ledger, way back, schedule."""

import dataclasses

import numpy as np
import pytest
from rig import PLANT

from flash_wam_ros.safety import ControllerConfig
from flash_wam_ros.safety.ledger import Finding, Ledger
from flash_wam_ros.safety.ramp import WeightRamp
from flash_wam_ros.safety.retreat import PathWalk, Retreat
from flash_wam_ros.safety.schedule import Schedule

FIELDS = dataclasses.fields(ControllerConfig)
NUMBERS = [field for field in FIELDS if 'low' in field.metadata]


@pytest.mark.parametrize('field', NUMBERS, ids=lambda field: field.name)
def test_every_number_has_a_range_that_holds_its_default_and_refuses_what_is_outside(field):
    low, high = field.metadata['low'], field.metadata['high']
    assert low <= field.default <= high
    for good in (low, high):
        ControllerConfig(**{field.name: good})
    for bad in (low - 1e-6, high + 1e-6, float('nan'), float('inf')):
        with pytest.raises(ValueError, match=field.name):
            ControllerConfig(**{field.name: bad})


def test_no_deadline_can_be_switched_off_by_zero():
    deadlines = [f for f in NUMBERS if f.name.endswith(('timeout_s', 'release_s', 'abandoned_s'))]
    assert len(deadlines) >= 5
    assert all(field.metadata['low'] > 0 for field in deadlines)


def test_every_parameter_says_what_it_means_and_in_which_unit():
    for field in FIELDS:
        assert field.metadata['text']
        suffixed = field.name.rsplit('_', 1)[-1] in ('s', 'hz', 'm', 'rad', 'degc')
        assert not suffixed or '[' in field.metadata['text'], field.name


def test_limits_take_the_tighter_of_robot_and_configuration():
    limits = PLANT.limits(ControllerConfig(velocity_rad_s=10.0, gripper_velocity_m_s=0.5))
    assert limits.velocity[0] == 10.0
    assert limits.velocity[15] == PLANT.policy.velocity[15] < 0.5
    assert limits.lower[0] == PLANT.policy.lower[0] + 0.05
    assert limits.lower[15] == PLANT.policy.lower[15]


def test_a_weight_rises_and_falls_linearly_between_zero_and_one():
    ramp = WeightRamp()
    ramp.rise(0.5, 2.0)
    assert ramp.weight == 0.25
    ramp.rise(9.0, 2.0)
    assert ramp.weight == 1.0
    ramp.fall(0.5, 2.0)
    assert ramp.weight == 0.75
    ramp.fall(9.0, 2.0)
    assert ramp.weight == 0.0


def test_the_ledger_dates_an_intervention_from_its_beginning_and_counts_it_once():
    ledger = Ledger()
    found = Finding('velocity', 'elbow', 3.0, 2.0)
    for now in (10, 20, 30):
        (change,) = ledger.close([found], now).changes
        assert (change.since_mono_ns, change.asked, change.given) == (10, 3.0, 2.0)
    assert not ledger.close([], 40)
    (change,) = ledger.close([found], 50).changes
    assert change.since_mono_ns == 50
    assert ledger.counts == {'velocity': 2}


def test_the_way_back_passes_where_the_arms_have_been_and_cuts_loops():
    retreat = Retreat(np.zeros(2))
    for x in np.arange(0.0, 1.0, 0.01):
        retreat.remember(np.array([x, 0.0]))
    for angle in np.arange(0.0, 2 * np.pi, 0.02):
        retreat.remember(np.array([0.95 + 0.5 * np.sin(angle), 0.5 - 0.5 * np.cos(angle)]))
    path = retreat.path(np.array([0.95, 0.05]))
    np.testing.assert_array_equal(path[0], [0.95, 0.05])
    np.testing.assert_array_equal(path[-1], [0.0, 0.0])
    assert np.all(path[:, 1] <= 0.1)
    assert len(path) <= 14
    assert np.abs(np.diff(path, axis=0)).max() <= 0.21


def test_the_memory_of_the_way_back_is_bounded():
    retreat = Retreat(np.zeros(3))
    rng = np.random.default_rng(0)
    q = np.zeros(3)
    for _ in range(5000):
        q = q + rng.normal(0.0, 0.3, 3)
        retreat.remember(q)
        assert len(retreat) <= 1001


def test_a_walk_keeps_the_joint_speed_and_waits_for_its_follower():
    walk = PathWalk(np.array([[0.0, 0.0], [1.0, 0.1], [1.0, 0.5]]), np.array([0.5, 0.5]))
    point = walk.advance(1.0, np.zeros(2))
    np.testing.assert_allclose(point, [0.5, 0.05])
    assert np.array_equal(walk.advance(1.0, np.zeros(2)), point)
    walk.advance(1.4, point)
    assert not walk.done
    for _ in range(3):
        point = walk.advance(0.8, point)
    assert walk.done
    np.testing.assert_allclose(point, [1.0, 0.5])


class Clock:
    """A clock that only sleeping and ``spend`` move."""

    def __init__(self):
        self.now_ns = 5_000_000_000

    def __call__(self):
        return self.now_ns

    def sleep(self, seconds):
        assert seconds > 0
        self.now_ns += round(seconds * 1e9) + 1000

    def spend(self, seconds):
        self.now_ns += round(seconds * 1e9)


def test_ticks_stay_on_the_grid_of_the_start_whatever_each_costs():
    clock = Clock()
    schedule = Schedule(0.004, clock, clock.sleep)
    start = clock.now_ns
    for number in range(1, 500):
        now = schedule.wait()
        assert 0 <= now - start - number * 4_000_000 < 10_000
        clock.spend(0.001)
    figures = schedule.statistics()
    assert figures.rate_hz == pytest.approx(250.0, rel=1e-4)
    assert figures.missed == 0


def test_missed_ticks_are_skipped_and_counted_never_sent_in_a_burst():
    clock = Clock()
    schedule = Schedule(0.004, clock, clock.sleep)
    start = clock.now_ns
    schedule.wait()
    clock.spend(0.030)
    late = schedule.wait()
    after = schedule.wait()
    assert schedule.missed == 6
    assert (late - start) // 4_000_000 >= 8
    assert after - late > 1_000_000
    assert (after - start) % 4_000_000 < 10_000
    assert schedule.statistics().max_s > 0.029
