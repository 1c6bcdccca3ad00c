"""A hostile world around the controller: nothing that it is told makes it break a limit."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import broken
from rig import Rig

from flash_wam_ros.core import ActionChunk
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.safety import ControllerState

S = ControllerState
DT_NS = [0, 400_000, 2_000_000, 4_000_000, 4_000_000, 4_000_000, 9_000_000, 40_000_000]


def hostile_chunk(rng, rig):
    """Return a chunk whose stamp, length, spacing and targets are anything; None if no chunk."""
    count = int(rng.integers(1, 40))
    times = np.cumsum(rng.choice([1e-6, 0.001, 0.02, 0.033, 0.5], count))
    span = rng.choice([0.01, 0.3, 3.0, 50.0])
    q = rng.normal(0.0, span, (count, 16)) + rig.controller._mover.filter.q
    q[:, 14:] = rng.uniform(-0.01, 0.055, (count, 2))
    if rng.random() < 0.1:
        q[rng.integers(count), rng.integers(16)] = rng.choice([np.nan, np.inf])
    stamp = rig.ros_ns + int(rng.choice([-3e9, -4e8, -1e8, -2e7, -1, 0, 1e7, 1e9]))
    try:
        return ActionChunk(stamp_ns=stamp, layout=POLICY, times_s=times, q=q)
    except ValueError:
        return None


def shake(rng, rig):
    """Let one thing of many happen."""
    event = rng.integers(12)
    controller = rig.controller
    if event < 5:
        chunk = hostile_chunk(rng, rig)
        if chunk is not None:
            controller.submit_chunk(chunk)
            if rng.random() < 0.2:
                assert not controller.submit_chunk(chunk).accepted
    elif event == 5:
        rig.ros_offset_ns += int(rng.choice([-1e9, -1e7, 1e6, 3e7, 2e9]))
    elif event == 6:
        noise = rng.normal(0.0, 0.02, 29)
        rig.edit = lambda s: dataclasses.replace(s, q=s.q + noise)
    elif event == 7:
        rig.stuck = not rig.stuck
    elif event == 8:
        rig.operator = rng.choice([True, True, False, None])
    elif event == 9:
        controller.park()
    elif event == 10:
        controller.stop('fuzz')
    else:
        rig.operator = True
        controller.reset()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_world_however_hostile_breaks_a_limit(seed):
    rng = np.random.default_rng(seed)
    rig = Rig(contact_s=0.3).armed()
    for _ in range(700):
        if rng.random() < 0.08:
            shake(rng, rig)
        rig.tick(int(rng.choice(DT_NS)))
        if rig.mode is S.DISARMED:
            break
    assert rig.mode is not S.FAULT, rig.result.cause
    times, positions = rig.sent()
    distinct = np.concatenate([[True], np.diff(times) > 1e-9])
    assert broken(times[distinct], positions[distinct]) == []
    assert np.abs(np.diff(rig.weights())).max() <= 0.04 / 2.0 + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_time_that_runs_backwards_moves_nothing(seed):
    rng = np.random.default_rng(seed)
    rig = Rig().tracking()
    rig.run(float(rng.uniform(0.0, 0.4)))
    before = rig.result.sent_q16
    rig.now_ns -= int(rng.integers(1, 10**8))
    result = rig.tick(0)
    np.testing.assert_array_equal(result.sent_q16, before)
