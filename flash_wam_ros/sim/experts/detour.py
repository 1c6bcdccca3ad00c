"""One hand's script: bring the closed fingertips past an obstacle, on a chosen side of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import mink
import numpy as np

from flash_wam_ros.sim.experts.hands import azimuth, backed, gap, hold
from flash_wam_ros.sim.experts.script import CLOSED_M
from flash_wam_ros.sim.experts.view import Move, View
from flash_wam_ros.sim.gripper import TIP_X_M

_NEAR_M, _NEAR_RAD = 0.012, 0.15


class Stage(Enum):
    """Where a detour stands."""

    GATHER = 'gather'
    PASS = 'pass'
    REACH = 'reach'


@dataclass(frozen=True, kw_only=True, slots=True)
class Detour:
    """A way of the fingertips in the pelvis frame.

    Attributes:
        start: (3,) where they gather first.
        obstacle: gives the (3,) position of what is in the way.
        goal: gives the (3,) position that they are brought to.
        aside_m: how far from the obstacle's middle they pass, positive on the left [m].
        pitch_rad: how far they point below the horizon.
    """

    start: np.ndarray
    obstacle: Callable[[View], np.ndarray]
    goal: Callable[[View], np.ndarray]
    aside_m: float
    pitch_rad: float


class DetourScript:
    """Drives one hand along a detour.

    Args:
        side: which hand.
        way: the detour.

    Attributes:
        side: which hand.
        way: the detour.
        stage: where it stands.
    """

    def __init__(self, side: str, way: Detour) -> None:
        self.side = side
        self.stage = Stage.GATHER
        self.way = way

    def moves(self, view: View) -> list[Move]:
        """Advance as far as ``view`` confirms, and return the moves to make now."""
        ways = [self._hand(self.way.start), self._hand(self._beside(view))]
        if self.stage is Stage.GATHER and self._at(view, ways[0]):
            self.stage = Stage.PASS
        if self.stage is Stage.PASS and self._at(view, ways[1]):
            self.stage = Stage.REACH
        done = list(Stage).index(self.stage)
        goal = self._hand(self.way.goal(view))
        return [Move(hand=pose, jaws_m=CLOSED_M) for pose in (*ways[done:], goal)]

    def _beside(self, view: View) -> np.ndarray:
        """Return the (3,) point beside the obstacle, at the height of the start."""
        along = (self.way.goal(view) - self.way.start)[:2]
        left = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        beside = self.way.obstacle(view)[:2] + self.way.aside_m * left
        return np.array([*beside, self.way.start[2]])

    def resume(self, view: View) -> None:
        """Gather anew unless the obstacle is passed: the chosen side is kept."""
        if self.stage is not Stage.REACH and not self._at(view, self._hand(self._beside(view))):
            self.stage = Stage.GATHER

    def _hand(self, tips: np.ndarray) -> mink.SE3:
        """Return the pose of the grasp point that brings the fingertips to (3,) ``tips``."""
        return backed(hold(tips, azimuth(self.side, tips[1]), self.way.pitch_rad), TIP_X_M)

    def _at(self, view: View, pose: mink.SE3) -> bool:
        away_m, away_rad = gap(pose, view.hands[self.side])
        return away_m < _NEAR_M and away_rad < _NEAR_RAD
