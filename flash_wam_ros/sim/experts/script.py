"""One hand's script: take a thing, lift it, carry it, let go; every step is confirmed by sight."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import mink
import numpy as np

from flash_wam_ros.sim.experts.hands import PITCH_RAD, azimuth, backed, between, gap, hold, raised
from flash_wam_ros.sim.experts.view import Move, View
from flash_wam_ros.sim.posture import OPEN_JAWS_M

_NEAR_M, _NEAR_RAD = 0.010, 0.15
_APPROACH_M = 0.09
# From here on forward the fingers reach past the thing.
_SHORT_M = 0.055
_LOST_M = 0.05
_LEG_M = 0.06
_EMPTY_M = 0.003
_PRESSED_M = 0.0015
_STILL_M = 0.0006
_STALLED_LOOKS = 5
# How a hand that somebody else moved is judged.
_SLIPPED_M, _CLEAR_M, _OVER_M = 0.03, 0.13, 0.015
_CLOSING, _LIFTED = 0.8, 0.7
CLOSED_M = 0.001
"""Travel of a finger of a closed gripper, a little inside its range, lest it be clipped [m]."""


class Phase(Enum):
    """Where a script stands."""

    APPROACH = 'approach'
    REACH = 'reach'
    CLOSE = 'close'
    LIFT = 'lift'
    CARRY = 'carry'
    LOWER = 'lower'
    RELEASE = 'release'
    RETREAT = 'retreat'
    DONE = 'done'
    BACK_OFF = 'back off'


@dataclass(frozen=True, kw_only=True, slots=True)
class Grip:
    """How a thing is taken.

    Attributes:
        thing: name of the object.
        height_m: height of the grasp point over the object's origin [m].
        lift_m: how far it is lifted [m].
        pitch_rad: how far the fingers point below the horizon.
        heading: gives the hand's heading, None for the side's own.
        allowed: whether it may be taken yet; until then the hand waits at home.
    """

    thing: str
    height_m: float
    lift_m: float
    pitch_rad: float = PITCH_RAD
    heading: Callable[[View], float] | None = None
    allowed: Callable[[View], bool] = lambda view: True


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Where a thing is brought.

    Attributes:
        place: gives the (3,) position of the object's origin at which it is let go.
        hover_m: height above that at which it arrives [m].
        allowed: whether it may be carried there yet.
        satisfied: whether it lies where it should.
    """

    place: Callable[[View], np.ndarray]
    hover_m: float
    allowed: Callable[[View], bool]
    satisfied: Callable[[View], bool]


class HandScript:
    """Drives one hand through taking, and where asked delivering, one thing.

    Args:
        side: which hand.
        grip: how the thing is taken.
        delivery: where it is brought; None to hold it up.
        home: where the hand goes when it is done, in the pelvis frame.
    """

    def __init__(self, side: str, grip: Grip, delivery: Delivery | None, home: mink.SE3) -> None:
        self.side = side
        self.phase = Phase.APPROACH
        self._grip = grip
        self._delivery = delivery
        self._home = home
        self._anchor = self._halfway = home
        self._kept_m = OPEN_JAWS_M
        self._foot_m: float | None = None
        self._stalled = 0

    def moves(self, view: View) -> list[Move]:
        """Advance as far as ``view`` confirms, and return the moves to make now."""
        self._remember_foot(view)
        self._stalled = self._stalled + 1 if view.resting[self.side] else 0
        for _ in Phase:
            following = self._following(view)
            if following is self.phase:
                break
            self._enter(following, view)
        return self._planned(view)

    def resume(self, view: View) -> None:
        """Find out where the task stands after somebody else moved the hand."""
        self._enter(self._found(view, self._remember_foot(view)), view)

    def _found(self, view: View, foot_m: float) -> Phase:
        """Return the phase that fits what is seen, whatever was done before."""
        grasp, hand = self._grasp(view), view.hands[self.side]
        away_m = gap(grasp, hand)[0]
        if self._holds(view, away_m):
            return self._holding(view, view.place(self._grip.thing)[2] - foot_m)
        if view.jaws_sent_m[self.side] < _CLOSING * OPEN_JAWS_M and away_m < _SLIPPED_M:
            return Phase.CLOSE
        if self._delivery is not None and self._delivery.satisfied(view):
            self._anchor = hand
            return Phase.RETREAT if away_m < _APPROACH_M else Phase.DONE
        if self._behind(view, loose=2.0):
            return Phase.REACH
        beside = away_m < _CLEAR_M and self._ahead(view)[0] < _SHORT_M
        return Phase.BACK_OFF if beside else Phase.APPROACH

    def _holding(self, view: View, height_m: float) -> Phase:
        """Return the phase of a hand that holds its thing ``height_m`` over its first place."""
        self._anchor = raised(self._grasp(view), np.array([0.0, 0.0, -height_m]))
        if self._delivery is None or not self._delivery.allowed(view):
            return Phase.LIFT
        away = self._delivery.place(view) - view.place(self._grip.thing)
        if np.linalg.norm(away[:2]) < _OVER_M:
            return Phase.LOWER
        return Phase.CARRY if height_m > _LIFTED * self._grip.lift_m else Phase.LIFT

    def _holds(self, view: View, away_m: float) -> bool:
        """Return whether the jaws press on something where the thing is."""
        measured_m, sent_m = view.jaws_m[self.side], view.jaws_sent_m[self.side]
        pressed = measured_m > _EMPTY_M and sent_m < measured_m - _PRESSED_M
        still = abs(view.jaws_change_m[self.side]) < _STILL_M
        return pressed and still and away_m < _SLIPPED_M

    def _remember_foot(self, view: View) -> float:
        """Return the height at which the thing stood when it was first seen."""
        if self._foot_m is None:
            self._foot_m = float(view.place(self._grip.thing)[2])
        return self._foot_m

    def _enter(self, phase: Phase, view: View) -> None:
        if phase is Phase.CLOSE:
            self._anchor = self._grasp(view)
        elif phase is Phase.BACK_OFF:
            # Jaws that missed stay closed: so a look tells the way out from the way in.
            opened = view.jaws_sent_m[self.side] > _CLOSING * OPEN_JAWS_M
            self._kept_m = OPEN_JAWS_M if opened else CLOSED_M
            retreat = backed(view.hands[self.side], _APPROACH_M)
            self._anchor = raised(retreat, np.array([0.0, 0.0, 0.03]))
        elif phase is Phase.CARRY:
            assert self._delivery is not None
            above = np.array([0.0, 0.0, self._delivery.hover_m])
            self._anchor = raised(self._delivered(view), above)
            self._halfway = between(view.hands[self.side], self._anchor)
        elif phase is Phase.LOWER:
            self._anchor = self._delivered(view)
        elif phase is Phase.RETREAT:
            self._anchor = backed(self._anchor, _APPROACH_M)
        self.phase = phase
        self._stalled = 0

    def _following(self, view: View) -> Phase:
        """Return the phase that ``view`` confirms; the present one where it does not."""
        if self.phase in (Phase.LIFT, Phase.CARRY, Phase.LOWER) and self._lost(view):
            return Phase.BACK_OFF
        if self.phase in (Phase.APPROACH, Phase.REACH) and not self._grip.allowed(view):
            return Phase.APPROACH
        return _RULES[self.phase](self, view)

    def _after_approach(self, view: View) -> Phase:
        return Phase.REACH if self._behind(view) else Phase.APPROACH

    def _after_reach(self, view: View) -> Phase:
        if self._at(view, self._grasp(view)):
            return Phase.CLOSE
        return Phase.REACH if self._behind(view, loose=4.0) else Phase.APPROACH

    def _after_close(self, view: View) -> Phase:
        measured, sent = view.jaws_m[self.side], view.jaws_sent_m[self.side]
        still = abs(view.jaws_change_m[self.side]) < _STILL_M
        if measured < _EMPTY_M and sent < _EMPTY_M:
            return Phase.BACK_OFF
        return Phase.LIFT if still and sent < measured - _PRESSED_M else Phase.CLOSE

    def _after_lift(self, view: View) -> Phase:
        if self._delivery is None or not self._delivery.allowed(view):
            return Phase.LIFT
        return Phase.CARRY if self._at(view, self._lifted(), loose=2.5) else Phase.LIFT

    def _after_carry(self, view: View) -> Phase:
        return Phase.LOWER if self._at(view, self._anchor) else Phase.CARRY

    def _after_lower(self, view: View) -> Phase:
        return Phase.RELEASE if self._at(view, self._anchor) else Phase.LOWER

    def _after_release(self, view: View) -> Phase:
        opened = view.jaws_m[self.side] > 0.8 * OPEN_JAWS_M
        return Phase.RETREAT if opened else Phase.RELEASE

    def _after_retreat(self, view: View) -> Phase:
        return Phase.DONE if self._at(view, self._anchor, loose=3.0) else Phase.RETREAT

    def _after_done(self, view: View) -> Phase:
        assert self._delivery is not None
        return Phase.DONE if self._delivery.satisfied(view) else Phase.APPROACH

    def _after_back_off(self, view: View) -> Phase:
        return Phase.APPROACH if self._at(view, self._anchor, loose=3.0) else Phase.BACK_OFF

    def _planned(self, view: View) -> list[Move]:
        if self.phase is Phase.APPROACH:
            return self._approaching(view)
        if self.phase is Phase.CARRY:
            return self._carrying(view)
        hand, jaws_m = {
            Phase.REACH: lambda: (self._grasp(view), OPEN_JAWS_M),
            Phase.CLOSE: lambda: (self._anchor, CLOSED_M),
            Phase.LIFT: lambda: (self._lifted(), CLOSED_M),
            Phase.LOWER: lambda: (self._anchor, CLOSED_M),
            Phase.RELEASE: lambda: (self._anchor, OPEN_JAWS_M),
            Phase.RETREAT: lambda: (self._anchor, OPEN_JAWS_M),
            Phase.DONE: lambda: (self._home, OPEN_JAWS_M),
            Phase.BACK_OFF: lambda: (self._anchor, self._kept_m),
        }[self.phase]()
        return [Move(hand=hand, jaws_m=jaws_m)]

    def _approaching(self, view: View) -> list[Move]:
        """Go behind the thing, no further than the fingers need, then forward along them."""
        if not self._grip.allowed(view):
            return [Move(hand=self._home, jaws_m=OPEN_JAWS_M)]
        grasp = self._grasp(view)
        behind_m = float(np.clip(self._ahead(view)[0], _SHORT_M, _APPROACH_M))
        return [Move(hand=pose, jaws_m=OPEN_JAWS_M) for pose in (backed(grasp, behind_m), grasp)]

    def _ahead(self, view: View) -> np.ndarray:
        """Return the (3,) way to the grasp, along the fingers first."""
        grasp = self._grasp(view)
        way = grasp.translation() - view.hands[self.side].translation()
        return np.asarray(grasp.rotation().inverse().apply(way))

    def _carrying(self, view: View) -> list[Move]:
        """Go in two legs where it is far: a straight line of the joints dips on the way."""
        whole_m = gap(view.hands[self.side], self._anchor)[0]
        half_m = gap(self._halfway, self._anchor)[0]
        first_leg = half_m > _LEG_M and whole_m > half_m + _NEAR_M
        legs = (self._halfway, self._anchor) if first_leg else (self._anchor,)
        return [Move(hand=leg, jaws_m=CLOSED_M) for leg in legs]

    def _behind(self, view: View, loose: float = 1.0) -> bool:
        """Return whether the way along the fingers leads to the thing, which is near."""
        ahead = self._ahead(view)
        turned_rad = gap(self._grasp(view), view.hands[self.side])[1]
        aside_m = float(np.linalg.norm(ahead[1:]))
        near = -0.02 < ahead[0] < _APPROACH_M + loose * 0.005
        return near and aside_m < loose * _NEAR_M and turned_rad < loose * _NEAR_RAD

    def _grasp(self, view: View) -> mink.SE3:
        point = view.place(self._grip.thing) + np.array([0.0, 0.0, self._grip.height_m])
        turn = self._grip.heading
        heading = azimuth(self.side, point[1]) if turn is None else turn(view)
        return hold(point, heading, self._grip.pitch_rad)

    def _lifted(self) -> mink.SE3:
        return raised(self._anchor, np.array([0.0, 0.0, self._grip.lift_m]))

    def _delivered(self, view: View) -> mink.SE3:
        """Return the hand pose that brings the thing, as it is held now, to its place."""
        assert self._delivery is not None
        place = self._delivery.place(view)
        measured = view.hands[self.side]
        held = (
            measured.rotation()
            .inverse()
            .apply(view.place(self._grip.thing) - measured.translation())
        )
        pose = hold(place, azimuth(self.side, place[1]), self._grip.pitch_rad)
        return raised(pose, -pose.rotation().apply(held))

    def _at(self, view: View, pose: mink.SE3, loose: float = 1.0) -> bool:
        """Return whether the hand is at ``pose``, or rests as near as it ever gets."""
        away_m, away_rad = gap(pose, view.hands[self.side])
        near = away_m < loose * _NEAR_M and away_rad < loose * _NEAR_RAD
        return near or self._stalled >= _STALLED_LOOKS

    def _lost(self, view: View) -> bool:
        """Return whether the hand holds nothing any more."""
        point = view.place(self._grip.thing) + np.array([0.0, 0.0, self._grip.height_m])
        apart = np.linalg.norm(point - view.hands[self.side].translation())
        return bool(apart > _LOST_M or view.jaws_m[self.side] < _EMPTY_M)


_RULES: dict[Phase, Callable[[HandScript, View], Phase]] = {
    Phase.APPROACH: HandScript._after_approach,
    Phase.REACH: HandScript._after_reach,
    Phase.CLOSE: HandScript._after_close,
    Phase.LIFT: HandScript._after_lift,
    Phase.CARRY: HandScript._after_carry,
    Phase.LOWER: HandScript._after_lower,
    Phase.RELEASE: HandScript._after_release,
    Phase.RETREAT: HandScript._after_retreat,
    Phase.DONE: HandScript._after_done,
    Phase.BACK_OFF: HandScript._after_back_off,
}
