"""What a policy sees: synchronised camera frames and joint states."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from flash_wam_ros.core.joints import JointLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One synchronised look at the world.

    Attributes:
        stamp_ns: ROS time of the oldest image in it [ns].
        images: camera name -> (H, W, 3) uint8 RGB.
        layout: the J joints of ``q`` and ``dq``.
        q: (J,) measured positions [rad or m].
        dq: (J,) measured velocities [rad/s or m/s].
        image_stamps_ns: camera name -> ROS capture time [ns].
        privileged: object name -> (7,) pose x y z [m] qw qx qy qz in the pelvis frame; only a
            simulator fills it, only a scripted expert reads it.
    """

    stamp_ns: int
    images: Mapping[str, np.ndarray]
    layout: JointLayout
    q: np.ndarray
    dq: np.ndarray
    image_stamps_ns: Mapping[str, int] = field(default_factory=dict)
    privileged: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse wrong shapes and types and numbers that are not finite."""
        size = len(self.layout)
        for name, values in (('q', self.q), ('dq', self.dq)):
            if values.shape != (size,) or not np.all(np.isfinite(values)):
                raise ValueError(
                    f'{name} of shape {values.shape} must be ({size},) and finite; '
                    'check the joint state source'
                )
        for camera, image in self.images.items():
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(
                    f'image of {camera} is {image.dtype} {image.shape}; expected uint8 (H, W, 3)'
                )
