import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import (
    ActionChunk,
    JointLayout,
    Observation,
    did_you_mean,
    ns_from_s,
    s_from_ns,
)

LAYOUT = JointLayout(
    names=('shoulder', 'elbow'),
    lower=(-1.0, 0.0),
    upper=(1.0, 2.0),
    velocity=(3.0, 4.0),
    effort=(25.0, 5.0),
)


def chunk(times_s, q) -> ActionChunk:
    return ActionChunk(stamp_ns=7, layout=LAYOUT, times_s=np.array(times_s), q=np.array(q))


@given(st.integers(-(2**52), 2**52))
def test_nanoseconds_survive_the_way_through_seconds_to_a_microsecond(stamp_ns):
    assert abs(ns_from_s(s_from_ns(stamp_ns)) - stamp_ns) < 1000


@pytest.mark.parametrize('seconds', [float('nan'), float('inf'), -float('inf')])
def test_a_time_that_is_not_finite_is_refused(seconds):
    with pytest.raises(ValueError, match='not finite'):
        ns_from_s(seconds)


def test_an_unknown_joint_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'elbow'"):
        LAYOUT.index('elbw')


def test_selecting_joints_keeps_each_ones_limits():
    swapped = LAYOUT.select(['elbow', 'shoulder'])
    assert swapped.names == ('elbow', 'shoulder')
    assert swapped.upper == (2.0, 1.0)
    assert swapped.effort == (5.0, 25.0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'names': ('elbow', 'elbow')}, 'repeat'),
        ({'lower': (0.0,)}, 'lower has 1 values for 2'),
        ({'lower': (1.0, 0.0)}, 'not finite and ordered'),
        ({'upper': (float('nan'), 1.0)}, 'not finite and ordered'),
    ],
)
def test_a_layout_with_a_fault_is_refused(change, message):
    whole = {name: getattr(LAYOUT, name) for name in JointLayout.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        JointLayout(**{**whole, **change})


def test_a_chunk_expires_with_its_last_point():
    assert chunk([0.1, 0.3], [[0.0, 1.0], [0.1, 1.1]]).expiry_ns == 7 + 300_000_000


@pytest.mark.parametrize(
    ('times_s', 'q', 'message'),
    [
        ([], np.zeros((0, 2)), 'expected'),
        ([0.1], [[0.0, 1.0, 2.0]], 'expected'),
        ([0.0, 0.1], np.zeros((2, 2)), 'strictly increasing'),
        ([0.2, 0.1], np.zeros((2, 2)), 'strictly increasing'),
        ([0.1, float('nan')], np.zeros((2, 2)), 'finite'),
        ([0.1], [[0.0, float('nan')]], 'elbow has a target that is not finite'),
        ([0.1], [[float('inf'), 0.0]], 'shoulder has a target that is not finite'),
    ],
)
def test_a_chunk_with_a_fault_is_refused(times_s, q, message):
    with pytest.raises(ValueError, match=message):
        chunk(times_s, q)


@pytest.mark.parametrize(
    ('q', 'image', 'message'),
    [
        ([0.0], np.zeros((4, 4, 3), np.uint8), r'must be \(2,\)'),
        ([0.0, float('nan')], np.zeros((4, 4, 3), np.uint8), 'finite'),
        ([0.0, 0.0], np.zeros((4, 4, 3), np.float32), 'expected uint8'),
        ([0.0, 0.0], np.zeros((4, 4), np.uint8), 'expected uint8'),
    ],
)
def test_an_observation_with_a_fault_is_refused(q, image, message):
    with pytest.raises(ValueError, match=message):
        Observation(
            stamp_ns=0, images={'head': image}, layout=LAYOUT, q=np.array(q), dq=np.zeros(2)
        )


def test_did_you_mean_lists_all_names_even_without_a_near_one():
    assert did_you_mean('xyz', ['b', 'a']) == 'valid: a, b'
