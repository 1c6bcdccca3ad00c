"""How a hand is held to take things: leaning down, fingers level, wrist turned inwards."""

import mink
import numpy as np

PITCH_RAD = 0.5
"""How far the fingers point below the horizon."""
_AZIMUTH_RAD, _AZIMUTH_RAD_M, _AZIMUTH_AT_M = 0.5, 1.2, -0.16
_AZIMUTH_RANGE = (0.25, 0.85)


def azimuth(side: str, y_m: float) -> float:
    """Return the heading at which the arm of ``side`` reaches best to the lateral place ``y_m``.

    Found by scanning the inverse kinematics: the nearer the hand comes to the robot's middle,
    the more it must point across, else the elbow meets its limits.
    """
    sign = 1.0 if side == 'right' else -1.0
    heading = _AZIMUTH_RAD + _AZIMUTH_RAD_M * (sign * y_m - _AZIMUTH_AT_M)
    return sign * float(np.clip(heading, *_AZIMUTH_RANGE))


def hold(point: np.ndarray, heading_rad: float, pitch_rad: float = PITCH_RAD) -> mink.SE3:
    """Return the hand pose with its grasp point at (3,) ``point``, pointing along a heading."""
    turn = mink.SO3.from_z_radians(heading_rad) @ mink.SO3.from_y_radians(pitch_rad)
    return mink.SE3.from_rotation_and_translation(turn, np.asarray(point, dtype=float))


def backed(pose: mink.SE3, distance_m: float) -> mink.SE3:
    """Return ``pose`` drawn back along the fingers by ``distance_m``."""
    step = pose.rotation().apply(np.array([-distance_m, 0.0, 0.0]))
    return raised(pose, step)


def raised(pose: mink.SE3, step: np.ndarray) -> mink.SE3:
    """Return ``pose`` moved by the (3,) ``step`` in the outer frame, not turned."""
    return mink.SE3.from_rotation_and_translation(pose.rotation(), pose.translation() + step)


def between(a: mink.SE3, b: mink.SE3) -> mink.SE3:
    """Return the pose half way from ``a`` to ``b``, place and turn each on its own."""
    turn = a.rotation() @ mink.SO3.exp(0.5 * (a.rotation().inverse() @ b.rotation()).log())
    return mink.SE3.from_rotation_and_translation(turn, (a.translation() + b.translation()) / 2)


def gap(a: mink.SE3, b: mink.SE3) -> tuple[float, float]:
    """Return distance [m] and angle [rad] between two poses."""
    turn = (a.rotation().inverse() @ b.rotation()).log()
    return (
        float(np.linalg.norm(a.translation() - b.translation())),
        float(np.linalg.norm(turn)),
    )
