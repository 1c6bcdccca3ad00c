"""The joints of the Unitree G1 (29 DoF) and of its grippers: order, limits, gains, units.

Order: the Unitree SDK's joint index table. Ranges and speeds: Unitree's URDF
``g1_29dof_with_hand_rev_1_0``. Torques: the MJCF of Unitree's xr_teleoperate. Gains:
xr_teleoperate. Nothing here was checked on a physical robot.
"""

import numpy as np

from flash_wam_ros.core import JointLayout

NUM_BODY = 29
NUM_ARM_SDK = 17
NUM_LOWCMD_SLOTS = 35
FIRST_ARM_SDK = 12
WEIGHT_SLOT = 29

# One row a joint: name, lower, upper [rad], effort [Nm], velocity [rad/s].
_Row = tuple[str, float, float, float, float]
_LEG: tuple[_Row, ...] = (
    ('hip_pitch', -2.5307, 2.8798, 88.0, 32.0),
    ('hip_roll', -0.5236, 2.9671, 139.0, 20.0),
    ('hip_yaw', -2.7576, 2.7576, 88.0, 32.0),
    ('knee', -0.087267, 2.8798, 139.0, 20.0),
    ('ankle_pitch', -0.87267, 0.5236, 50.0, 30.0),
    ('ankle_roll', -0.2618, 0.2618, 50.0, 30.0),
)
_WAIST: tuple[_Row, ...] = (
    ('waist_yaw_joint', -2.618, 2.618, 88.0, 32.0),
    ('waist_roll_joint', -0.52, 0.52, 50.0, 30.0),
    ('waist_pitch_joint', -0.52, 0.52, 50.0, 30.0),
)
_ARM: tuple[_Row, ...] = (
    ('shoulder_pitch', -3.0892, 2.6704, 25.0, 37.0),
    ('shoulder_roll', -1.5882, 2.2515, 25.0, 37.0),
    ('shoulder_yaw', -2.618, 2.618, 25.0, 37.0),
    ('elbow', -1.0472, 2.0944, 25.0, 37.0),
    ('wrist_roll', -1.97222, 1.97222, 25.0, 37.0),
    ('wrist_pitch', -1.61443, 1.61443, 5.0, 22.0),
    ('wrist_yaw', -1.61443, 1.61443, 5.0, 22.0),
)
_MIRRORED = frozenset({'hip_roll', 'shoulder_roll'})

# Unitree Dex1-1: 5.4 rad of motor travel open the jaws by 90 mm, half of it each finger.
DEX1_TRAVEL_RAD = 5.4
GRIPPER_OPENING_M = 0.09
FINGER_TRAVEL_M = GRIPPER_OPENING_M / 2
METRES_PER_RAD = FINGER_TRAVEL_M / DEX1_TRAVEL_RAD
DEX1_KP = 5.0
DEX1_KD = 0.05
# Assumed, because Unitree publishes neither for the Dex1-1: full stroke in 0.3 s, 25 N a finger.
_FINGER_SPEED_M_S = 0.15
_FINGER_FORCE_N = 25.0
_GRIPPERS: tuple[_Row, ...] = (
    ('left_gripper_joint', 0.0, FINGER_TRAVEL_M, _FINGER_FORCE_N, _FINGER_SPEED_M_S),
    ('right_gripper_joint', 0.0, FINGER_TRAVEL_M, _FINGER_FORCE_N, _FINGER_SPEED_M_S),
)


def _limb(side: str, rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
    """Return ``rows`` with full joint names; the right side has roll ranges mirrored."""
    limb = []
    for name, low, high, effort, speed in rows:
        if side == 'right' and name in _MIRRORED:
            low, high = -high, -low
        limb.append((f'{side}_{name}_joint', low, high, effort, speed))
    return tuple(limb)


def _layout(rows: tuple[_Row, ...]) -> JointLayout:
    names, lower, upper, effort, velocity = zip(*rows, strict=True)
    return JointLayout(names=names, lower=lower, upper=upper, velocity=velocity, effort=effort)


_BODY = _limb('left', _LEG) + _limb('right', _LEG) + _WAIST
_BODY += _limb('left', _ARM) + _limb('right', _ARM)

BODY = _layout(_BODY)
"""The 29 body joints in DDS order."""
ARM_SDK = _layout(_BODY[FIRST_ARM_SDK:])
"""The 17 joints that arm_sdk commands: waist (DDS 12-14), left arm (15-21), right arm (22-28)."""
POLICY = _layout(_BODY[FIRST_ARM_SDK + len(_WAIST) :] + _GRIPPERS)
"""The 16 joints that a policy commands: both arms in DDS order, left and right gripper."""
STATE = _layout(_BODY + _GRIPPERS)
"""The 31 joints of the whole robot: BODY, then left and right gripper."""
GRIPPER_NAMES = POLICY.names[-2:]

# The gains with which xr_teleoperate moves arms and wrists at 250 Hz and locks the rest.
_STIFF_GAINS = (300.0, 3.0)
_ARM_GAINS = (80.0, 3.0)
_WRIST_GAINS = (40.0, 1.5)
_WEAK = ('ankle', 'shoulder', 'elbow')


def _gains(name: str) -> tuple[float, float]:
    if 'wrist' in name:
        return _WRIST_GAINS
    return _ARM_GAINS if any(part in name for part in _WEAK) else _STIFF_GAINS


def _constant(values: list[float]) -> np.ndarray:
    array = np.array(values)
    array.setflags(write=False)
    return array


BODY_KP = _constant([_gains(name)[0] for name in BODY.names])
"""(29,) stiffness that holds or moves each body joint [Nm/rad]."""
BODY_KD = _constant([_gains(name)[1] for name in BODY.names])
"""(29,) damping that goes with ``BODY_KP`` [Nms/rad]."""
ARM_KP = BODY_KP[FIRST_ARM_SDK:]
"""(17,) default stiffness on arm_sdk [Nm/rad]."""
ARM_KD = BODY_KD[FIRST_ARM_SDK:]
"""(17,) default damping on arm_sdk [Nms/rad]."""


def finger_m_from_dex1_rad(angle_rad: np.ndarray | float) -> np.ndarray:
    """Return the travel of one finger [m] for the Dex1-1 motor's angle [rad]; 0 = closed."""
    return np.asarray(angle_rad, dtype=float) * METRES_PER_RAD


def dex1_rad_from_finger_m(travel_m: np.ndarray | float) -> np.ndarray:
    """Return the Dex1-1 motor's angle [rad] for the travel of one finger [m]; 0 = closed."""
    return np.asarray(travel_m, dtype=float) / METRES_PER_RAD
