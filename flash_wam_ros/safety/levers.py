"""How far the joints of a robot can move its bodies, in any pose.

A point of a body is never further from a joint than the chain between them is long: the sum of
the offsets from joint to joint, of what sliding joints add to them, and of the body's own extent.
Turning that joint by an angle moves the point by no more than the angle times that length, and
sliding it by no more than the way that it slides. Joints moved one after the other add up.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pinocchio as pin

# What a sliding joint may be beyond its range, as it is measured [m].
_SLACK_M = 0.02
_SLIDING = 'JointModelP'


class Levers:
    """Largest ways of bodies a unit of joint motion.

    Attributes:
        bodies: (G, J) largest way of each body [m/rad, or 1 for a sliding joint]; 0 for joints
            that do not move it.
    """

    def __init__(
        self,
        model: pin.Model,
        slots: Mapping[int, int],
        size: int,
        parents: Sequence[int],
        extents: np.ndarray,
    ) -> None:
        """Measure the chains of ``model``.

        Args:
            model: kinematics.
            slots: joint of the model -> its slot on the layout; other joints stand.
            size: J, how many joints the layout has.
            parents: (G,) joint that carries each body.
            extents: (G,) largest distance of each body's points from that joint [m].
        """
        self._slots = slots
        self._size = size
        self._travels = {
            joint: _travel_m(model, joint)
            for joint in range(1, model.njoints)
            if model.joints[joint].shortname().startswith(_SLIDING)
        }
        self._chains = np.zeros((len(parents), model.njoints))
        for row, parent in enumerate(parents):
            self._measure(model, parent, float(extents[row]), self._chains[row])
        self.bodies = self._on_layout(self._chains)
        sliding = [joint for joint in self._travels if joint in slots]
        self._sliding = np.array([slots[joint] for joint in sliding], int)
        self._travel = np.array([self._travels[joint] for joint in sliding])

    def hold(self, q: np.ndarray) -> bool:
        """Return whether they hold at ``q`` (J,): no sliding joint is far outside of its range."""
        return bool((np.abs(q[self._sliding]) <= self._travel).all())

    def pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return (P, J) how much nearer to each other two bodies can come a unit of motion.

        A joint that carries both leaves their distance as it is.
        """
        one, two = self._chains[first], self._chains[second]
        return self._on_layout(np.where((one > 0) & (two > 0), 0.0, one + two))

    def _measure(self, model: pin.Model, joint: int, way: float, row: np.ndarray) -> None:
        """Fill the ``row`` of a body that reaches ``way`` [m] from ``joint``, which carries it."""
        while joint > 0:
            row[joint] = 1.0 if joint in self._travels else way
            way += float(np.linalg.norm(model.jointPlacements[joint].translation))
            way += self._travels.get(joint, 0.0)
            joint = model.parents[joint]

    def _on_layout(self, by_joint: np.ndarray) -> np.ndarray:
        found = np.zeros((len(by_joint), self._size))
        for joint, slot in self._slots.items():
            found[:, slot] += by_joint[:, joint]
        return found


def _travel_m(model: pin.Model, joint: int) -> float:
    """Return the largest distance of a sliding ``joint`` from its zero [m]."""
    slot = model.joints[joint].idx_q
    ends = (model.lowerPositionLimit[slot], model.upperPositionLimit[slot])
    return float(np.abs(ends).max()) + _SLACK_M


class LowerBounds:
    """Lower bounds of distances that were known where the joints were a little ago.

    Two places are remembered, since a motion and what sags below it are looked at by turns.
    """

    def __init__(self, levers: np.ndarray) -> None:
        """Know nothing yet; ``levers`` (P, J) are those of the P pairs."""
        self._levers = np.ascontiguousarray(levers.T)
        self._apart = np.full((2, len(levers)), -np.inf)
        self._at = np.zeros((2, levers.shape[1]))
        self._oldest = 0

    def at(self, q: np.ndarray) -> np.ndarray:
        """Return (P,) distances [m] that the pairs have at least at ``q`` (J,)."""
        bounds = self._apart - np.abs(q - self._at) @ self._levers
        return np.asarray(np.maximum(bounds[0], bounds[1]))

    def renew(self, q: np.ndarray, apart: np.ndarray) -> None:
        """Know that at ``q`` (J,) the pairs are ``apart`` (P,) [m] or further."""
        self._at[self._oldest] = q
        self._apart[self._oldest] = apart
        self._oldest = 1 - self._oldest
