"""The posture in which an episode begins: hands before the body, above the table."""

import numpy as np

from flash_wam_ros.robots.g1_layout import FINGER_TRAVEL_M, STATE

# Left arm; the right one mirrors roll and yaw.
_READY_ARM_RAD = {
    'shoulder_pitch': 0.2,
    'shoulder_roll': 0.25,
    'shoulder_yaw': 0.0,
    'elbow': 0.0,
    'wrist_roll': 0.0,
    'wrist_pitch': 0.4,
    'wrist_yaw': 0.0,
}
_MIRRORED = ('roll', 'yaw')


def ready_posture() -> np.ndarray:
    """Return the (31,) STATE positions of the ready posture [rad, grippers m], jaws open."""
    posture = np.zeros(len(STATE))
    for side, sign in (('left', 1.0), ('right', -1.0)):
        for part, angle in _READY_ARM_RAD.items():
            mirrored = part.endswith(_MIRRORED)
            posture[STATE.index(f'{side}_{part}_joint')] = sign * angle if mirrored else angle
        posture[STATE.index(f'{side}_gripper_joint')] = FINGER_TRAVEL_M
    return posture
