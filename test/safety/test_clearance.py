"""The arms keep clear of the body: distances, the gate, and motions that ask for a collision."""

import numpy as np
import pytest
from distances import EveryPair
from hypothesis import given
from hypothesis import strategies as st
from limits import broken
from rig import PLANT, Rig

from flash_wam_ros.core import ActionChunk
from flash_wam_ros.robots.g1_layout import POLICY, STATE
from flash_wam_ros.safety import Controller, ControllerConfig, ControllerState
from flash_wam_ros.safety.clearance import ClearanceModel
from flash_wam_ros.safety.gate import Gate
from flash_wam_ros.sim.description import build_urdf
from flash_wam_ros.sim.posture import ready_posture

S = ControllerState
SHOULDER_YAW = POLICY.indices(['left_shoulder_yaw_joint', 'right_shoulder_yaw_joint'])


@pytest.fixture(scope='module')
def model():
    return ClearanceModel(build_urdf(), STATE)


def pose(**joints):
    q = ready_posture()
    for name, value in joints.items():
        q[STATE.index(f'{name}_joint')] = value
    return q


def test_the_ready_posture_is_clear(model):
    assert model.nearest(pose()).distance_m >= 0.08


def test_hands_that_meet_are_named_and_touch(model):
    nearest = model.nearest(pose(left_shoulder_yaw=-0.2, right_shoulder_yaw=0.2))
    assert nearest.distance_m <= 0.0
    one, two = nearest.pair.split('|')
    assert {one.split('_')[0], two.split('_')[0]} == {'left', 'right'}


def test_a_mirrored_pose_has_the_same_clearance(model):
    left = model.nearest(pose(left_shoulder_yaw=0.1))
    right = model.nearest(pose(right_shoulder_yaw=-0.1))
    # Decimated meshes of the two sides differ a little.
    assert left.distance_m == pytest.approx(right.distance_m, abs=0.003)


def test_no_drift_within_the_bound_brings_a_pair_nearer_than_was_told(model):
    rng = np.random.default_rng(0)
    for _ in range(60):
        q, drift = pose(), np.zeros(len(STATE))
        q[15:29] += rng.uniform(-0.3, 0.3, 14)
        drift[15:29] = rng.uniform(0.0, 0.04, 14) * rng.integers(0, 2, 14)
        told = model.nearest(q, drift).distance_m
        for _ in range(5):
            there = model.nearest(q + drift * rng.choice([-1.0, 1.0], len(STATE))).distance_m
            assert there >= told - 1e-9


def test_the_drift_of_one_arm_does_not_count_for_the_other(model):
    q, drift = pose(left_shoulder_yaw=0.0), np.zeros(len(STATE))
    drift[STATE.index('right_elbow_joint')] = 0.02
    assert model.nearest(q, drift).distance_m == pytest.approx(model.nearest(q).distance_m)
    drift[STATE.index('left_elbow_joint')] = 0.02
    assert model.nearest(q, drift).distance_m < model.nearest(q).distance_m


@pytest.mark.parametrize('drift_rad', [0.0, 0.03])
def test_what_is_near_is_what_measuring_every_pair_finds(model, drift_rad):
    rng = np.random.default_rng(3)
    everywhere = EveryPair(model)
    low, high = np.array(STATE.lower), np.array(STATE.upper)
    seen = 0
    for number in range(1200):
        q = ready_posture()
        if number % 2:
            q[12:] += rng.uniform(-0.8, 0.8, len(q) - 12)
        else:
            q = np.where(np.arange(len(q)) < 12, q, rng.uniform(low, high))
        drift = rng.uniform(0.0, drift_rad, len(q)) if drift_rad else None
        expected = everywhere(q, drift, 0.011)
        found = model.near(q, drift, 0.011)
        assert found.keys() == expected.keys()
        assert all(found[pair] == pytest.approx(expected[pair], abs=1e-9) for pair in found)
        seen += len(found)
    assert seen > 1000


def test_only_the_pairs_asked_for_are_measured(model):
    q = pose(left_shoulder_yaw=-0.2, right_shoulder_yaw=0.2)
    found = model.near(q, None, 0.011)
    assert len(found) > 1
    pair = next(iter(found))
    assert model.near(q, None, 0.011, {pair}) == {pair: found[pair]}
    assert model.near(q, None, 0.011, set()) == {}


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_pose_that_is_not_finite_is_near_itself(model, value):
    assert model.near(pose(left_elbow=value))
    drift = np.zeros(len(STATE))
    drift[20] = np.nan
    assert model.near(pose(), drift)


class Corridor:
    """A clearance that is the distance of joint 3 from 1 and of joint 4 from -1."""

    def near(self, q, drift=None, within_m=0.08, among=None):
        nearer = np.zeros(5) if drift is None else np.abs(drift)
        distances = {'joint|wall': 1.0 - q[3] - nearer[3], 'joint|rail': 1.0 + q[4] - nearer[4]}
        return {
            pair: distance
            for pair, distance in distances.items()
            if not distance >= within_m and (among is None or pair in among)
        }


def at(three, four=0.0):
    return [np.array([0.0, 0.0, 0.0, three, four])]


@pytest.mark.parametrize(
    ('rest', 'drift', 'narrow'),
    [(0.98, 0.0, False), (0.995, 0.0, True), (0.98, 0.02, True), (np.nan, 0.0, True)],
)
def test_a_place_is_narrow_where_rest_is_near_or_may_come_near(rest, drift, narrow):
    gate = Gate(Corridor(), ControllerConfig())
    gate.check(at(rest), at(drift)[0])
    assert gate.narrow is narrow


@pytest.mark.parametrize(
    ('rest', 'before', 'allowed'),
    [
        ((0.95, 0.0), (0.9, 0.0), True),  # clear
        ((0.995, 0.0), (0.9, 0.0), False),  # into the limit
        ((0.994, 0.0), (0.995, 0.0), True),  # out of it
        ((0.996, 0.0), (0.995, 0.0), False),  # deeper
        ((0.995, 0.0), (0.995, 0.0), True),  # no nearer
        ((1.1, 0.0), (1.2, 0.0), False),  # where bodies overlap, nobody knows the way out
        ((0.994, -0.995), (0.995, 0.0), False),  # out of one, into another
        ((np.nan, 0.0), (0.9, 0.0), False),
    ],
)
def test_a_step_is_allowed_to_where_it_is_clear_or_no_nearer_than_before(rest, before, allowed):
    gate = Gate(Corridor(), ControllerConfig())
    gate.check(at(0.995, -0.995), np.zeros(5))
    assert gate.allows(at(*rest), lambda: at(*before)) is allowed
    assert [f.rule for f in gate.findings()] == ([] if allowed else ['clearance'])


def checks_of(gate, periods_s):
    """Return the time that each step's check has to cover, None where no check is due."""
    return [gate.due(period_s) for period_s in periods_s]


def test_the_gate_wants_to_be_checked_as_often_as_configured():
    gate = Gate(Corridor(), ControllerConfig(clearance_check_s=0.012))
    assert checks_of(gate, [0.004] * 7) == [0.012, None, None, 0.012, None, None, 0.012]


@given(st.lists(st.sampled_from([0.0, 0.0004, 0.004, 0.01, 0.013, 0.04]), max_size=40))
def test_every_step_however_long_is_covered_by_the_check_before_it(periods_s):
    gate = Gate(Corridor(), ControllerConfig(clearance_check_s=0.012))
    covered_s = 0.0
    for period_s, span_s in zip(periods_s, checks_of(gate, periods_s), strict=True):
        covered_s = covered_s if span_s is None else span_s
        covered_s -= period_s
        assert covered_s >= -1e-8


def test_a_check_is_due_after_the_arms_were_moved_otherwise():
    gate = Gate(Corridor(), ControllerConfig(clearance_check_s=0.1))
    assert checks_of(gate, [0.004, 0.004]) == [0.1, None]
    gate.forget()
    assert gate.due(0.004) == 0.1


class ClearRig(Rig):
    """A rig whose controller knows the body."""

    def __init__(self, model, **parameters):
        super().__init__(**parameters)
        self.controller = Controller(ControllerConfig(**parameters), PLANT, model)
        self.start_q = self.q = ready_posture()[:29]


def commanded(result):
    q = np.zeros(len(STATE))
    q[12:29] = result.command.q
    q[29:] = result.command.gripper_q
    return q


def ask_for(rig, slots, values, seconds=3.0):
    """Submit a chunk that takes the joints ``slots`` to ``values`` within a second."""
    start = rig.controller._mover.filter.q
    goal = start.copy()
    goal[slots] = values
    times = np.arange(1, round(seconds * 30)) / 30
    share = np.minimum(1.0, times)[:, None]
    chunk = ActionChunk(
        stamp_ns=rig.ros_ns, layout=POLICY, times_s=times, q=start + share * (goal - start)
    )
    reply = rig.controller.submit_chunk(chunk)
    assert reply.accepted, (reply.reason, rig.result.cause)


def lowest_clearance(model, rig, every=5):
    sent = [r for r in rig.results if r.command is not None]
    return min(model.nearest(commanded(r)).distance_m for r in sent[::every])


def test_an_arm_that_is_asked_through_the_body_stops_clear_of_it_and_comes_back_out(model):
    rig = ClearRig(model).armed()
    ask_for(rig, SHOULDER_YAW, [-0.5, 0.5])
    rig.run(3.2)
    assert lowest_clearance(model, rig) >= 0.01
    rules = {c.rule for r in rig.results for c in r.verdict.changes}
    assert 'clearance' in rules
    stuck = rig.controller._mover.filter.q[SHOULDER_YAW]
    assert rig.mode is S.HOLDING
    ask_for(rig, SHOULDER_YAW, [0.4, -0.4])
    rig.run(3.2)
    np.testing.assert_allclose(
        rig.controller._mover.filter.q[SHOULDER_YAW], [0.4, -0.4], atol=0.01
    )
    assert stuck[0] > -0.2
    assert broken(*rig.sent()) == []


@pytest.mark.parametrize('seed', range(3))
def test_late_ticks_bring_no_arm_nearer_than_punctual_ones(model, seed):
    rng = np.random.default_rng(seed)
    rig = ClearRig(model, policy_park_s=3600.0).armed()
    ask_for(rig, SHOULDER_YAW, rng.uniform([-0.7, 0.1], [-0.2, 0.6]))
    for period_ms in rng.choice([0.4, 2.0, 4.0, 4.0, 10.0, 40.0], 250):
        rig.tick(round(period_ms * 1e6))
    assert 'clearance' in {c.rule for r in rig.results for c in r.verdict.changes}
    assert lowest_clearance(model, rig, every=1) >= 0.01
    assert broken(*rig.sent()) == []


@pytest.mark.slow
def test_wild_chunks_never_take_the_arms_into_the_body(model):
    rng = np.random.default_rng(5)
    rig = ClearRig(model, policy_park_s=3600.0).armed()
    for _ in range(10):
        low, high = np.array(POLICY.lower), np.array(POLICY.upper)
        rig.run(0.2)
        ask_for(rig, np.arange(16), rng.uniform(low, high))
        rig.run(1.0)
    assert lowest_clearance(model, rig) >= 0.01
    assert broken(*rig.sent()) == []


def test_fingers_that_touch_the_other_hand_may_close_and_never_spread(model):
    rig = ClearRig(model, policy_park_s=3600.0).armed()
    ask_for(rig, SHOULDER_YAW, [-0.5, 0.5])
    rig.run(3.2)
    assert 'clearance' in {c.rule for r in rig.results for c in r.verdict.changes}
    fingers = np.array([14, 15])
    asked = np.append(SHOULDER_YAW, fingers)
    held = rig.controller._mover.filter.q[fingers]
    ask_for(rig, asked, [-0.5, 0.5, 0.045, 0.045])
    rig.run(2.0)
    assert lowest_clearance(model, rig) >= 0.01
    spread = rig.controller._mover.filter.q[fingers]
    ask_for(rig, asked, [-0.5, 0.5, 0.0, 0.0])
    rig.run(2.0)
    assert (rig.controller._mover.filter.q[fingers] < np.minimum(held, spread)).all()
    assert broken(*rig.sent()) == []
