"""unitree_go MotorCmds_ and MotorStates_ with one motor: the messages of a Dex1-1 gripper."""

import numpy as np

from flash_wam_ros.robots.sdk.frame import Frame


class Dex1CmdFrame(Frame):
    """MotorCmds_ of one motor: length u32, mode u8, q dq tau kp kd f32, reserve 3 u32."""

    SIZE = 40
    __slots__ = ()

    def __init__(self, data: bytes | None = None) -> None:
        """View ``data``, or start with the motor enabled; ValueError if it isn't one motor."""
        super().__init__(data)
        if data is None:
            self.words[:2] = 1
        _check_one_motor(self)

    @property
    def motor(self) -> np.ndarray:
        """(5,) float32 view: q, dq, tau, kp, kd."""
        return self.floats[2:7]


class Dex1StateFrame(Frame):
    """MotorStates_ of one motor.

    Length u32, mode u8, q dq ddq tau_est q_raw dq_raw ddq_raw f32, temperature u8, lost u32,
    reserve 2 u32.
    """

    SIZE = 52
    __slots__ = ()

    def __init__(self, data: bytes | None = None) -> None:
        """View ``data``, or start with the motor enabled; ValueError if it isn't one motor."""
        super().__init__(data)
        if data is None:
            self.words[:2] = 1
        _check_one_motor(self)

    @property
    def motor(self) -> np.ndarray:
        """(4,) float32 view: q, dq, ddq, tau_est."""
        return self.floats[2:6]


def _check_one_motor(frame: Frame) -> None:
    if frame.words[0] != 1:
        raise ValueError(f'{type(frame).__name__} of {frame.words[0]} motors; a Dex1-1 has one')
