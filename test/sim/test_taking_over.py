"""An expert goes on from wherever somebody else brought the hand."""

from dataclasses import replace

import numpy as np
import pytest

from flash_wam_ros.sim.experts.hands import backed, hold, raised
from flash_wam_ros.sim.experts.script import Delivery, Grip, HandScript, Phase
from flash_wam_ros.sim.experts.track import SAMPLE_S, Track, run_through
from flash_wam_ros.sim.experts.view import View
from flash_wam_ros.sim.posture import OPEN_JAWS_M

THING = np.array([0.35, -0.15, 0.05])
MARK = np.array([0.38, -0.02, 0.05])
GRIP = Grip(thing='thing', height_m=0.04, lift_m=0.1, heading=lambda view: 0.5)
HOME = hold(np.array([0.2, -0.2, 0.1]), 0.5)
GRASP = hold(THING + np.array([0.0, 0.0, 0.04]), 0.5)
WIDE_M, THING_M = OPEN_JAWS_M, 0.02


def _delivery():
    def on_mark(view):
        return bool(np.linalg.norm((view.place('thing') - MARK)[:2]) < 0.03)

    return Delivery(
        place=lambda view: MARK, hover_m=0.05, allowed=lambda view: True, satisfied=on_mark
    )


def _view(hand, *, at=THING, jaws_m=WIDE_M, sent_m=WIDE_M):
    return View(
        objects={'thing': np.array([*at, 1.0, 0.0, 0.0, 0.0])},
        hands={'right': hand},
        jaws_m={'right': jaws_m},
        jaws_sent_m={'right': sent_m},
        jaws_change_m={'right': 0.0},
        resting={'right': False},
    )


def _resumed(view, delivery=None):
    script = HandScript('right', GRIP, delivery, HOME)
    script.moves(_view(HOME))  # the thing was seen where it stood
    script.resume(view)
    return script


def _held(height_m, at=THING):
    lift = np.array([0.0, 0.0, height_m])
    pose = raised(GRASP, at - THING + lift)
    return _view(pose, at=at + lift, jaws_m=THING_M, sent_m=0.0)


def test_a_hand_behind_the_thing_reaches_for_it():
    assert _resumed(_view(backed(GRASP, 0.05))).phase is Phase.REACH


def test_a_hand_far_off_approaches():
    assert _resumed(_view(HOME)).phase is Phase.APPROACH


def test_a_hand_beside_the_thing_backs_off_with_open_jaws_before_it_comes_again():
    beside = raised(GRASP, np.array([0.0, 0.06, 0.0]))
    script = _resumed(_view(beside))
    assert script.phase is Phase.BACK_OFF
    (move,) = script.moves(_view(beside))
    assert move.jaws_m == OPEN_JAWS_M
    gone = np.linalg.norm(move.hand.translation() - GRASP.translation())
    assert gone > np.linalg.norm(beside.translation() - GRASP.translation())


def test_a_hand_aside_but_not_yet_at_the_thing_comes_in_without_going_back():
    short = raised(backed(GRASP, 0.085), np.array([0.0, 0.04, 0.0]))
    script = _resumed(_view(short))
    assert script.phase is Phase.APPROACH
    way, goal = script.moves(_view(short))
    behind = np.linalg.norm(way.hand.translation() - GRASP.translation())
    assert 0.055 < behind < 0.075
    np.testing.assert_allclose(goal.hand.translation(), GRASP.translation())


def test_a_hand_that_may_not_take_its_thing_yet_waits_at_home_wherever_it_was_brought():
    opened = [False]
    grip = replace(GRIP, allowed=lambda view: opened[0])
    for pose in (HOME, backed(GRASP, 0.05)):
        opened[0] = False
        script = HandScript('right', grip, None, HOME)
        script.moves(_view(HOME))
        script.resume(_view(pose))
        (move,) = script.moves(_view(pose))
        np.testing.assert_allclose(move.hand.translation(), HOME.translation())
        assert move.jaws_m == OPEN_JAWS_M
        opened[0] = True
        goal = script.moves(_view(pose))[-1]
        np.testing.assert_allclose(goal.hand.translation(), GRASP.translation())


def test_jaws_that_closed_on_nothing_open_again_only_behind_the_thing():
    missed = _view(GRASP, jaws_m=0.001, sent_m=0.001)
    script = _resumed(missed)
    (move,) = script.moves(missed)
    assert script.phase is Phase.BACK_OFF
    assert move.jaws_m < 0.002
    behind = _view(move.hand, jaws_m=0.001, sent_m=0.001)
    assert script.moves(behind)[0].jaws_m == OPEN_JAWS_M
    assert script.phase is Phase.APPROACH


def test_jaws_that_close_around_the_thing_go_on_closing():
    closing = _view(GRASP, jaws_m=0.03, sent_m=0.01)
    closing.jaws_change_m['right'] = -0.01
    assert _resumed(closing).phase is Phase.CLOSE


@pytest.mark.parametrize('height_m', [0.0, 0.03, 0.09])
def test_what_is_held_is_lifted_as_high_as_if_it_had_been_taken_by_the_expert(height_m):
    script = _resumed(_held(height_m))
    assert script.phase is Phase.LIFT
    (move,) = script.moves(_held(height_m))
    assert move.hand.translation()[2] == pytest.approx(GRASP.translation()[2] + GRIP.lift_m)


def test_what_was_lifted_is_carried_and_what_is_over_its_place_is_let_down():
    assert _resumed(_held(0.09), _delivery()).phase is Phase.CARRY
    assert _resumed(_held(0.02), _delivery()).phase is Phase.LIFT
    assert _resumed(_held(0.04, MARK), _delivery()).phase is Phase.LOWER


def test_what_stands_in_its_place_is_left_there():
    at_mark = _view(raised(GRASP, MARK - THING), at=MARK)
    assert _resumed(at_mark, _delivery()).phase is Phase.RETREAT
    assert _resumed(_view(HOME, at=MARK), _delivery()).phase is Phase.DONE


def test_a_moving_arm_coasts_for_a_moment_and_then_goes_its_way_without_a_jump():
    q, dq = np.linspace(-0.3, 0.3, 7), np.linspace(-0.8, 0.8, 7)
    goal = q + 0.2
    way = run_through(Track.coasting(q, dq, 0.02), 0, [(goal, 0.02)])
    np.testing.assert_allclose(way.q[0], q)
    np.testing.assert_allclose(way.q[1] - way.q[0], dq * SAMPLE_S)
    assert np.abs(np.diff(way.dq, axis=0)).max() < 5.0 * SAMPLE_S * 1.3
    np.testing.assert_allclose(way.q[-1], goal, atol=1e-6)


def test_no_arm_coasts_faster_than_the_expert_moves():
    track = Track.coasting(np.zeros(7), np.full(7, 9.0), 0.0)
    assert np.abs(track.dq).max() < 2.0
