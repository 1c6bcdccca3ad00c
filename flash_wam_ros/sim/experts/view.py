"""What a scripted hand goes by, all in the pelvis frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import mink
import numpy as np

SIDES = ('left', 'right')


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One rest-to-rest motion of an arm.

    Attributes:
        hand: where the hand goes, in the pelvis frame.
        jaws_m: travel of each finger to move to on the way [m].
    """

    hand: mink.SE3
    jaws_m: float


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One look at hands and objects.

    Attributes:
        objects: name -> (7,) pose x y z [m] qw qx qy qz.
        hands: side -> measured pose of its grasp point.
        jaws_m: side -> measured travel of a finger [m].
        jaws_sent_m: side -> travel last commanded [m].
        jaws_change_m: side -> change of the travel since the look before [m].
        resting: side -> whether the arm has reached the end of its plan.
    """

    objects: Mapping[str, np.ndarray]
    hands: Mapping[str, mink.SE3]
    jaws_m: Mapping[str, float]
    jaws_sent_m: Mapping[str, float]
    jaws_change_m: Mapping[str, float]
    resting: Mapping[str, bool]

    def place(self, name: str) -> np.ndarray:
        """Return the (3,) position of an object."""
        return np.array(self.objects[name][:3])

    def heading(self, name: str) -> float:
        """Return the angle of the object's x axis about the vertical [rad]."""
        axis = mink.SO3(np.array(self.objects[name][3:])).apply(np.array([1.0, 0.0, 0.0]))
        return float(np.arctan2(axis[1], axis[0]))


class Script(Protocol):
    """What drives one hand through a task."""

    def moves(self, view: View) -> list[Move]:
        """Advance as far as ``view`` confirms, and return the moves to make now."""

    def resume(self, view: View) -> None:
        """Find out where the task stands after somebody else moved the hand."""
