"""unitree_hg LowCmd_ as a frame: the message on rt/arm_sdk and rt/lowcmd.

Body: mode_pr u8, mode_machine u8, 35 motors (mode u8, then q dq tau kp kd f32, reserve u32),
reserve 4 u32, crc u32; each f32 and u32 aligned to 4 bytes.
"""

import numpy as np

from flash_wam_ros.robots.g1_layout import NUM_LOWCMD_SLOTS
from flash_wam_ros.robots.sdk.crc import crc32_unaligned
from flash_wam_ros.robots.sdk.frame import HEADER, Frame

_MOTOR_WORDS = 7
_SIZE = 1000
_MASK = np.full(_SIZE // 4 + 1, 0xFFFFFFFF, np.uint32)
_MASK[0] = 0xFFFF
_MASK[1 : 1 + _MOTOR_WORDS * NUM_LOWCMD_SLOTS : _MOTOR_WORDS] = 0xFF
_MODE_OFFSETS = len(HEADER) + 4 * _MOTOR_WORDS * np.arange(NUM_LOWCMD_SLOTS)
_MODE_OFFSETS[0] = len(HEADER) + 2


class LowCmdFrame(Frame):
    """A LowCmd_ edited or read in place; `seal` it before it is sent."""

    SIZE = _SIZE
    __slots__ = ('motors',)

    def __init__(self, data: bytes | None = None) -> None:
        """View ``data``, or start from zeros; ValueError if they are no LowCmd_."""
        super().__init__(data)
        block = self.floats[1 : 1 + _MOTOR_WORDS * NUM_LOWCMD_SLOTS]
        #: (35, 5) float32 view: columns q, dq, tau, kp, kd.
        self.motors = block.reshape(NUM_LOWCMD_SLOTS, _MOTOR_WORDS)[:, :5]

    @property
    def mode_pr(self) -> int:
        """0: pitch and roll of the ankles are commanded; 1: their A and B motors."""
        return int(self.raw[4])

    @mode_pr.setter
    def mode_pr(self, value: int) -> None:
        self.raw[4] = value

    @property
    def mode_machine(self) -> int:
        """The robot's kind, echoed from its lowstate."""
        return int(self.raw[5])

    @mode_machine.setter
    def mode_machine(self, value: int) -> None:
        self.raw[5] = value

    @property
    def modes(self) -> np.ndarray:
        """(35,) uint8, 1 = motor enabled."""
        return self.raw[_MODE_OFFSETS]

    @modes.setter
    def modes(self, values: np.ndarray) -> None:
        self.raw[_MODE_OFFSETS] = values

    @property
    def crc(self) -> int:
        """The CRC that stands in the message."""
        return int(self.words[-1])

    def compute_crc(self) -> int:
        """Return the CRC that ought to stand in the message."""
        return crc32_unaligned(self.words, 0, _MASK)

    def seal(self) -> bytes:
        """Write the CRC into the message and return its bytes."""
        self.words[-1] = self.compute_crc()
        return self.tobytes()
