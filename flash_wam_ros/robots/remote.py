"""The handheld remote of the G1, decoded from the 40 bytes in its lowstate."""

import math
import struct
from dataclasses import dataclass

REMOTE_SIZE = 40
_BUTTONS = (
    ('R1', 'L1', 'Start', 'Select', 'R2', 'L2', 'F1', 'F3'),
    ('A', 'B', 'X', 'Y', 'Up', 'Right', 'Down', 'Left'),
)
BUTTONS = frozenset(name for names in _BUTTONS for name in names)
_FIRST_BUTTON_BYTE = 2
_STICKS = struct.Struct('<4x3f4xf')  # lx @4, rx @8, ry @12, ly @20


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """What the operator's thumbs do.

    Attributes:
        pressed: names of the buttons held down, of ``BUTTONS``.
        lx: left stick, right positive, -1..1.
        ly: left stick, up positive.
        rx: right stick, right positive.
        ry: right stick, up positive.
    """

    pressed: frozenset[str]
    lx: float
    ly: float
    rx: float
    ry: float

    @property
    def idle(self) -> bool:
        """Whether nothing is pressed and the sticks are at rest."""
        return not self.pressed and self.lx == self.ly == self.rx == self.ry == 0.0


def decode_remote(data: bytes) -> Remote:
    """Decode the remote's bytes (layout: Unitree SDK); all zero where no remote is paired.

    A stick that is not finite reads 0.

    Raises:
        ValueError: ``data`` is not 40 bytes long.
    """
    if len(data) != REMOTE_SIZE:
        raise ValueError(f'remote of {len(data)} B; a G1 sends {REMOTE_SIZE}')
    pressed = frozenset(
        name
        for offset, names in enumerate(_BUTTONS, start=_FIRST_BUTTON_BYTE)
        for bit, name in enumerate(names)
        if data[offset] >> bit & 1
    )
    lx, rx, ry, ly = (v if math.isfinite(v) else 0.0 for v in _STICKS.unpack_from(data))
    return Remote(pressed=pressed, lx=lx, ly=ly, rx=rx, ry=ry)
