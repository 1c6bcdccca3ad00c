"""The space in which a model acts: joints as recorded, or poses relative to the first one.

A space turns the recorded actions of a segment into the (T, U) numbers that are normalised and
learned, in the robot's environment order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.alignment import relative_poses, take_columns

ORIGINS = ('observed', 'first_action')
"""What poses refer to: the observed pose at the segment's start, as at inference, or the first
action, as LingBot-VA's training code has it."""

_POSE = 7
_TWO_ARMS = 2 * (_POSE + 1)


class ActionSpace(Protocol):
    """How recorded actions become what is learned."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def state_feature(self) -> str | None:
        """The feature that it needs beside the actions, None for none."""

    @property
    def fixed_ranges(self) -> Mapping[int, tuple[float, float]]:
        """Column -> (value at -1, value at 1) where quantiles would mislead."""

    def convert(self, actions: np.ndarray, state: np.ndarray | None, start: int) -> np.ndarray:
        """Return the (T, U) numbers to learn.

        Args:
            actions: (T, D) actions of an episode.
            state: (T, S) its ``state_feature``, None if that is None.
            start: the frame at which the segment starts.

        Raises:
            UserError: columns are missing.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class JointSpace:
    """Actions as recorded, such as joint positions [rad] and gripper travel [m].

    Attributes:
        columns: the columns to use in environment order, None for all as they are.
    """

    columns: tuple[int, ...] | None = None
    name: str = field(default='joint', init=False)
    state_feature: str | None = field(default=None, init=False)
    fixed_ranges: Mapping[int, tuple[float, float]] = field(default_factory=dict, init=False)

    def convert(self, actions: np.ndarray, state: np.ndarray | None, start: int) -> np.ndarray:
        """Return the chosen columns; see :class:`ActionSpace`."""
        return take_columns(actions, self.columns, 'the action')


@dataclass(frozen=True, kw_only=True, slots=True)
class EndEffectorSpace:
    """Two end-effector poses relative to the segment's start, each with its gripper behind it.

    The 16 columns are left x y z [m], four quaternion numbers, gripper, and the same of the right
    (RoboTwin's order). Grippers stay as they are.

    Attributes:
        origin: ``observed`` or ``first_action``.
        observed_feature: the feature with the 16 observed numbers; used if ``origin`` is so.
    """

    origin: str = 'observed'
    observed_feature: str = 'observation.state'
    name: str = field(default='end_effector', init=False)

    def __post_init__(self) -> None:
        """Refuse an unknown origin."""
        if self.origin not in ORIGINS:
            raise UserError(
                f'unknown origin {self.origin!r}; {did_you_mean(self.origin, ORIGINS)}'
            )

    @property
    def state_feature(self) -> str | None:
        """The observed poses, where they are the origin."""
        return self.observed_feature if self.origin == 'observed' else None

    @property
    def fixed_ranges(self) -> Mapping[int, tuple[float, float]]:
        """Quaternion numbers keep the range -1 to 1, in which they are a rotation."""
        return {
            arm * (_POSE + 1) + number: (-1.0, 1.0) for arm in range(2) for number in range(3, 7)
        }

    def convert(self, actions: np.ndarray, state: np.ndarray | None, start: int) -> np.ndarray:
        """Return relative poses and grippers; see :class:`ActionSpace`."""
        reference = actions if state is None else state
        for what, values in (('the action', actions), ('the observed state', reference)):
            if values.shape[1] != _TWO_ARMS:
                raise UserError(
                    f'{what} has {values.shape[1]} columns; the end-effector space needs '
                    f'{_TWO_ARMS}: pose and gripper of both arms'
                )
        converted = actions.astype(np.float64)
        for arm in (0, _POSE + 1):
            pose = slice(arm, arm + _POSE)
            origin = reference[start, pose].astype(np.float64)
            converted[:, pose] = relative_poses(converted[:, pose], origin)
        return converted.astype(np.float32)


SPACES: Mapping[str, Callable[[], ActionSpace]] = {
    'joint': JointSpace,
    'end_effector': EndEffectorSpace,
}
"""Spaces by the name that the command line knows."""
