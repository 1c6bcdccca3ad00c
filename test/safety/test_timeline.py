"""Chunks are aligned by their stamp, spliced without a jump, and refused with a reason."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_wam_ros.core import ActionChunk
from flash_wam_ros.robots.g1_layout import POLICY, STATE
from flash_wam_ros.safety import ControllerConfig
from flash_wam_ros.safety.interpolation import MonotoneCubic
from flash_wam_ros.safety.timeline import Timeline

NOW = 10**18
CONFIG = ControllerConfig()
HERE = np.full(16, 0.02)
NO_AHEAD = np.zeros(16)


def chunk(stamp_ns=NOW - 10**8, level=0.03, count=30, step_s=1 / 30, layout=POLICY):
    times = np.arange(1, count + 1) * step_s
    q = np.full((count, len(layout)), level)
    return ActionChunk(stamp_ns=stamp_ns, layout=layout, times_s=times, q=q)


def ramp(stamp_ns, speed=0.01):
    """Return a chunk whose joints move at ``speed``, at 0 at its stamp."""
    made = chunk(stamp_ns)
    return dataclasses.replace(made, q=np.repeat(speed * made.times_s[:, None], 16, axis=1))


@pytest.fixture
def timeline():
    return Timeline(POLICY, CONFIG, np.arange(16) >= 14)


def at(timeline, seconds):
    return timeline.sample(NOW + round(seconds * 1e9), NO_AHEAD)


def test_it_asks_for_nothing_before_the_first_chunk(timeline):
    assert not timeline.active(NOW)
    assert at(timeline, 0.0) is None


def test_points_are_due_at_their_time_after_the_observation(timeline):
    assert timeline.submit(ramp(NOW - 10**8), NOW, HERE) is None
    for seconds in (0.2, 0.5, 0.8):
        np.testing.assert_allclose(at(timeline, seconds), 0.01 * (seconds + 0.1), atol=1e-9)


def test_a_chunk_begins_where_the_command_is(timeline):
    timeline.submit(chunk(), NOW, HERE)
    np.testing.assert_allclose(at(timeline, 0.0), HERE, atol=1e-12)
    np.testing.assert_allclose(at(timeline, CONFIG.splice_s), 0.03, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 0.044), st.floats(0.0, 0.7), st.floats(-0.1, 0.9))
def test_a_splice_never_jumps(level, when_s, age_s):
    timeline = Timeline(POLICY, CONFIG, np.arange(16) >= 14)
    timeline.submit(ramp(NOW - 10**8), NOW, HERE)
    now = NOW + round(when_s * 1e9)
    before = timeline.sample(now, NO_AHEAD)
    new = chunk(stamp_ns=now - round(max(age_s, 0.0) * 1e9), level=level)
    if timeline.submit(new, now, HERE) is None:
        np.testing.assert_allclose(timeline.sample(now, NO_AHEAD), before, atol=1e-12)


def test_it_ends_at_the_last_point(timeline):
    timeline.submit(chunk(), NOW, HERE)
    assert timeline.active(NOW + 899_000_000)
    assert not timeline.active(NOW + 901_000_000)
    assert at(timeline, 0.901) is None


def test_aiming_ahead_beyond_the_end_aims_at_the_last_point(timeline):
    timeline.submit(ramp(NOW - 10**8), NOW, HERE)
    ahead = np.where(np.arange(16) == 3, 0.25, 0.0)
    target = timeline.sample(NOW + 850_000_000, ahead)
    assert target[3] == pytest.approx(0.01)
    assert target[4] == pytest.approx(0.0095)


def test_the_order_of_joints_does_not_matter(timeline):
    backwards = POLICY.select(POLICY.names[::-1])
    made = chunk(layout=backwards)
    q = made.q.copy()
    q[:, 0] = 0.001  # the right gripper, which is first there and last here
    timeline.submit(dataclasses.replace(made, q=q), NOW, HERE)
    target = at(timeline, 0.5)
    assert target[15] == pytest.approx(0.001)
    assert target[0] == pytest.approx(0.03)


def refused(timeline, made, now=NOW):
    reason = timeline.submit(made, now, HERE)
    assert reason is not None
    assert 'refused' in reason
    return reason


def test_a_refused_chunk_leaves_the_running_one(timeline):
    timeline.submit(chunk(), NOW, HERE)
    refused(timeline, chunk(stamp_ns=NOW + 10**9))
    np.testing.assert_allclose(at(timeline, 0.5), 0.03, atol=1e-12)


@pytest.mark.parametrize(
    ('made', 'word'),
    [
        (chunk(stamp_ns=NOW + 30_000_000), 'future'),
        (chunk(stamp_ns=NOW - 2_000_000_000), 'expired'),
        (chunk(stamp_ns=NOW - 1_000_000_000), 'expired'),
        (chunk(stamp_ns=NOW - 2_100_000_000, count=90), 'old'),
        (chunk(count=11, step_s=1.0), 'lasts'),
        (chunk(level=10.0), 'outside'),
        (chunk(layout=STATE), 'unknown joints'),
        (chunk(layout=POLICY.select(POLICY.names[1:])), 'lacks joints'),
    ],
)
def test_a_chunk_is_refused_with_its_reason(timeline, made, word):
    assert word in refused(timeline, made)


def test_limits_of_time_are_exact(timeline):
    assert timeline.submit(chunk(stamp_ns=NOW + 20_000_000), NOW, HERE) is None
    late = Timeline(POLICY, CONFIG, np.arange(16) >= 14)
    assert late.submit(chunk(stamp_ns=NOW - 2_000_000_000, count=90), NOW, HERE) is None
    long = Timeline(POLICY, CONFIG, np.arange(16) >= 14)
    assert long.submit(chunk(count=10, step_s=1.0), NOW, HERE) is None


def test_duplicated_and_older_stamps_are_refused(timeline):
    timeline.submit(chunk(), NOW, HERE)
    assert 'used before' in refused(timeline, chunk())
    assert 'older' in refused(timeline, chunk(stamp_ns=NOW - 10**8 - 1))
    assert timeline.submit(chunk(stamp_ns=NOW - 10**8 + 1), NOW, HERE) is None


def test_a_stamp_stays_used_after_its_chunk_was_dropped_but_not_after_a_clock_jump(timeline):
    timeline.submit(chunk(), NOW, HERE)
    timeline.clear()
    assert not timeline.active(NOW)
    refused(timeline, chunk())
    timeline.forget_stamps()
    assert timeline.submit(chunk(), NOW, HERE) is None


@pytest.mark.parametrize(('slot', 'slack'), [(0, 0.3), (15, 0.02)])
def test_targets_may_lie_outside_the_range_by_the_slack_and_no_more(timeline, slot, slack):
    for beyond, accepted in ((0.9, True), (1.1, False)):
        made = chunk(stamp_ns=NOW - 10**8 + round(beyond * 10))
        q = made.q.copy()
        q[7, slot] = POLICY.upper[slot] + beyond * slack
        reason = timeline.submit(dataclasses.replace(made, q=q), NOW, HERE)
        assert (reason is None) is accepted
        if reason:
            assert POLICY.names[slot] in reason


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_curve_passes_through_its_points_and_stays_between_neighbours(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.001, 0.5, 12))
    values = rng.normal(0.0, 1.0, (12, 3))
    curve = MonotoneCubic(times, values)
    for left in range(11):
        low = np.minimum(values[left], values[left + 1])
        high = np.maximum(values[left], values[left + 1])
        for u in (0.0, 0.2, 0.7, 1.0):
            point = curve(np.full(3, times[left] + u * (times[left + 1] - times[left])))
            assert np.all((point >= low - 1e-9) & (point <= high + 1e-9))
    np.testing.assert_allclose(curve(np.full(3, times[4])), values[4], atol=1e-12)
    np.testing.assert_allclose(curve(np.full(3, times[-1] + 9)), values[-1], atol=1e-12)
    np.testing.assert_allclose(curve(np.full(3, times[0] - 9)), values[0], atol=1e-12)


def test_a_single_point_is_a_constant():
    curve = MonotoneCubic(np.array([0.5]), np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(curve(np.array([0.0, 9.0])), [1.0, 2.0])
