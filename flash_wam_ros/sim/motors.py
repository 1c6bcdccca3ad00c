"""What the robot's own computer asks of its motors in one physics step."""

from dataclasses import dataclass

import numpy as np

from flash_wam_ros.robots.g1_layout import NUM_BODY


@dataclass(frozen=True, kw_only=True, slots=True)
class MotorTargets:
    """Targets of the 29 body motors and two grippers, DDS order.

    A physics step applies ``tau + kp (q - q_measured) + kd (dq - dq_measured)`` to each motor,
    clipped to its effort limit; so the torque follows the motion at every step, not the sender.

    Attributes:
        q: (29,) positions [rad].
        dq: (29,) velocities [rad/s].
        tau: (29,) feed-forward torques [Nm].
        kp: (29,) stiffness [Nm/rad].
        kd: (29,) damping [Nms/rad].
        gripper_q: (2,) travel of one finger, left then right gripper [m], 0 = closed.
    """

    q: np.ndarray
    dq: np.ndarray
    tau: np.ndarray
    kp: np.ndarray
    kd: np.ndarray
    gripper_q: np.ndarray

    def __post_init__(self) -> None:
        """Refuse wrong shapes; values are the sender's responsibility."""
        for name in ('q', 'dq', 'tau', 'kp', 'kd'):
            if getattr(self, name).shape != (NUM_BODY,):
                raise ValueError(f'{name} of shape {getattr(self, name).shape}; use ({NUM_BODY},)')
        if self.gripper_q.shape != (2,):
            raise ValueError(f'gripper_q of shape {self.gripper_q.shape}; use (2,)')
