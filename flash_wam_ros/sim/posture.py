"""The posture in which an episode begins: hands before the body, above the table."""

import numpy as np

from flash_wam_ros.robots.g1_layout import FINGER_TRAVEL_M, POLICY, STATE

# Left arm; the right one mirrors roll and yaw.
_READY_ARM_RAD = {
    'shoulder_pitch': 0.56,
    'shoulder_roll': 0.63,
    'shoulder_yaw': 0.67,
    'elbow': -0.72,
    'wrist_roll': -0.69,
    'wrist_pitch': 0.74,
    'wrist_yaw': -0.6,
}
OPEN_JAWS_M = FINGER_TRAVEL_M - 0.001
"""Travel of a finger of an open gripper, a little inside its range [m]."""
_MIRRORED = ('roll', 'yaw')


def ready_arms() -> np.ndarray:
    """Return the (14,) arm positions of the ready posture, left then right [rad]."""
    return ready_posture()[STATE.indices(POLICY.names[:14])]


def ready_posture() -> np.ndarray:
    """Return the (31,) STATE positions of the ready posture [rad, grippers m], jaws open."""
    posture = np.zeros(len(STATE))
    for side, sign in (('left', 1.0), ('right', -1.0)):
        for part, angle in _READY_ARM_RAD.items():
            mirrored = part.endswith(_MIRRORED)
            posture[STATE.index(f'{side}_{part}_joint')] = sign * angle if mirrored else angle
        posture[STATE.index(f'{side}_gripper_joint')] = OPEN_JAWS_M
    return posture
