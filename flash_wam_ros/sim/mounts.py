"""Where the three cameras sit on the robot, and their frames after REP-103."""

import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from flash_wam_ros.sim.gripper import fixed_joint, origin

OPTICAL_RPY = (-math.pi / 2, 0.0, -math.pi / 2)
"""From a camera's body frame (x forward) to its optical frame (z forward, x right, y down)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraMount:
    """One camera of the robot.

    Attributes:
        name: camera name on every topic and in every observation.
        parent: link that carries it.
        xyz: position in the parent's frame [m].
        rpy: orientation there, x forward [rad].
        fovy_rad: vertical field of view [rad].
    """

    name: str
    parent: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float]
    fovy_rad: float

    @property
    def link(self) -> str:
        """Name of the camera's body frame."""
        return f'{self.name}_camera_link'

    @property
    def optical_frame(self) -> str:
        """Name of the frame that the images are stamped with."""
        return f'{self.name}_camera_optical_frame'


# The head camera sits where Unitree's URDF puts the D435 and, with a lens wider than the D435's
# (69 x 42 degrees in colour), sees every place where a task may put an object in a square image.
# The wrist cameras, which the G1 does not have as shipped, look over the gripper's housing at
# the finger tips.
CAMERAS = (
    CameraMount(
        name='head',
        parent='d435_link',
        xyz=(0.0, 0.0, 0.0),
        rpy=(0.0, 0.0, 0.0),
        fovy_rad=math.radians(78.0),
    ),
    *(
        CameraMount(
            name=f'{side}_wrist',
            parent=f'{side}_gripper_base',
            xyz=(0.015, 0.0, 0.085),
            rpy=(0.0, 0.62, 0.0),
            fovy_rad=math.radians(75.0),
        )
        for side in ('left', 'right')
    ),
)


def camera_elements(mount: CameraMount) -> list[ET.Element]:
    """Return the URDF links and joints of one camera."""
    return [
        ET.Element('link', name=mount.link),
        fixed_joint(
            f'{mount.name}_camera_joint', mount.parent, mount.link, origin(mount.xyz, mount.rpy)
        ),
        ET.Element('link', name=mount.optical_frame),
        fixed_joint(
            f'{mount.name}_camera_optical_joint',
            mount.link,
            mount.optical_frame,
            origin((0.0, 0.0, 0.0), OPTICAL_RPY),
        ),
    ]
