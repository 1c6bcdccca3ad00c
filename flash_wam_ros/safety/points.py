"""Hands and elbows: where they are and how each arm joint moves them, read from the URDF."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pinocchio as pin

from flash_wam_ros.core import JointLayout, UserError, did_you_mean

SIDES = ('left', 'right')
# Name of a point after its side, and the frame of the URDF that it is the origin of.
_FRAMES = (('hand', 'grasp'), ('elbow', 'elbow_link'))
# Prefix of the joints between trunk and hand.
_ARM_PARTS = ('shoulder', 'elbow', 'wrist')


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the P points are and how they move with the J joints of the layout.

    Attributes:
        position: (P, 3) in the frame of the trunk [m].
        jacobian: (P, 3, J) velocity of each point a unit of joint speed [m/rad].
    """

    position: np.ndarray
    jacobian: np.ndarray


class ArmPoints:
    """The hands (grasp points) and elbows of both arms, relative to the trunk.

    Attributes:
        names: (P,) such as ``left_hand``.
        side: (P,) index into ``SIDES`` of each point.
        joint_side: (J,) index into ``SIDES`` of each joint, -1 for grippers.
        reach: (P, J) largest distance of each point from each joint's axis in any pose [m];
            0 for joints that do not move it.
        order: (J,) place of each joint in its arm, from the shoulder on.
    """

    def __init__(self, urdf: Path, layout: JointLayout) -> None:
        """Read kinematics of ``urdf``; positions come on ``layout``, arms and grippers.

        Raises:
            UserError: the description lacks a hand or an elbow.
        """
        self._model = _arms_only(urdf, layout)
        self._data = self._model.createData()
        self.names = tuple(f'{side}_{name}' for side in SIDES for name, _ in _FRAMES)
        self.side = np.repeat(np.arange(len(SIDES)), len(_FRAMES))
        self._frames = [self._frame(f'{side}_{frame}') for side in SIDES for _, frame in _FRAMES]
        self._slots = layout.indices(list(self._model.names)[1:])
        self._columns = slice_of(self._slots)
        self._size = len(layout)
        self.joint_side = np.full(self._size, -1)
        self.joint_side[self._slots] = [
            SIDES.index(name.split('_', 1)[0]) for name in list(self._model.names)[1:]
        ]
        self.order = np.zeros(self._size, int)
        self.reach = np.zeros((len(self._frames), self._size))
        self._measure()

    def __call__(self, q: np.ndarray) -> Places:
        """Return where the points are and how they move with the joints at ``q`` (J,)."""
        model, data = self._model, self._data
        pin.computeJointJacobians(model, data, q[self._slots])
        jacobian = np.zeros((len(self._frames), 3, self._size))
        jacobian[:, :, self._columns] = [
            pin.getFrameJacobian(model, data, frame, pin.LOCAL_WORLD_ALIGNED)[:3]
            for frame in self._frames
        ]
        places = [pin.updateFramePlacement(model, data, frame) for frame in self._frames]
        position = np.array([place.translation for place in places])
        return Places(position=position, jacobian=jacobian)

    def gravity(self, q: np.ndarray) -> np.ndarray:
        """Return the (J,) torques [Nm] that hold the arms at ``q`` (J,) with the trunk upright."""
        torque = np.zeros(self._size)
        torque[self._slots] = pin.computeGeneralizedGravity(
            self._model, self._data, q[self._slots]
        )
        return torque

    def _frame(self, name: str) -> int:
        if not self._model.existFrame(name):
            known = [frame.name for frame in self._model.frames]
            raise UserError(f'the description has no frame {name!r}; {did_you_mean(name, known)}')
        return int(self._model.getFrameId(name))

    def _measure(self) -> None:
        """Fill ``reach`` and ``order``: a point is never further off than its chain is long."""
        model = self._model
        for row, frame in enumerate(self._frames):
            joint = model.frames[frame].parentJoint
            way = float(np.linalg.norm(model.frames[frame].placement.translation))
            while joint > 0:
                self.reach[row, self._slots[joint - 1]] = way
                way += float(np.linalg.norm(model.jointPlacements[joint].translation))
                joint = model.parents[joint]
        for joint in range(1, model.njoints):
            parent = model.parents[joint]
            if parent > 0:
                self.order[self._slots[joint - 1]] = self.order[self._slots[parent - 1]] + 1


def _arms_only(urdf: Path, layout: JointLayout) -> pin.Model:
    """Return the model of ``urdf`` with every joint locked but those of the arms in ``layout``."""
    full = pin.buildModelFromUrdf(str(urdf))
    arms = [name for name in layout.names if name.split('_', 2)[1] in _ARM_PARTS]
    missing = [name for name in arms if not full.existJointName(name)]
    if missing:
        raise UserError(f'the description {urdf} lacks the joint {missing[0]}; use the G1 of 29')
    locked = [joint for joint, name in enumerate(full.names) if joint and name not in arms]
    return pin.buildReducedModel(full, locked, pin.neutral(full))


def slice_of(slots: np.ndarray) -> slice | np.ndarray:
    """Return ``slots`` as a slice, which is quicker, where they follow each other."""
    if not len(slots):
        return slots
    ahead = slice(int(slots[0]), int(slots[0]) + len(slots))
    return ahead if np.array_equal(slots, np.r_[ahead]) else slots
