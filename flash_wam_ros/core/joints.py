"""Joint order as a type: names with their limits, never a bare list of floats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core.errors import did_you_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class JointLayout:
    """An ordered set of J named joints and their limits.

    Attributes:
        names: (J,) joint names, the URDF's.
        lower: (J,) lowest position [rad, or m for prismatic joints].
        upper: (J,) highest position, same units.
        velocity: (J,) highest speed [rad/s or m/s].
        effort: (J,) highest torque or force [Nm or N].
    """

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    velocity: tuple[float, ...]
    effort: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check lengths, unique names and ordered finite limits."""
        size = len(self.names)
        if len(set(self.names)) != size:
            raise ValueError(f'joint names repeat in {self.names}; give each joint once')
        for field in ('lower', 'upper', 'velocity', 'effort'):
            found = len(getattr(self, field))
            if found != size:
                raise ValueError(f'{field} has {found} values for {size} joints; give one each')
        for name, low, high in zip(self.names, self.lower, self.upper, strict=True):
            if not -np.inf < low < high < np.inf:
                raise ValueError(f'{name} limits [{low}, {high}] are not finite and ordered')

    def __len__(self) -> int:
        """Return J."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the slot of ``name``; raise ValueError with the nearest name if unknown."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueError(f'unknown joint {name!r}; {did_you_mean(name, self.names)}') from None

    def indices(self, names: Sequence[str]) -> np.ndarray:
        """Return the (K,) slots of ``names`` as an integer array."""
        return np.array([self.index(name) for name in names], dtype=np.intp)

    def select(self, names: Sequence[str]) -> 'JointLayout':
        """Return the layout of ``names``, in their order."""
        slots = [self.index(name) for name in names]
        return JointLayout(
            names=tuple(names),
            lower=tuple(self.lower[i] for i in slots),
            upper=tuple(self.upper[i] for i in slots),
            velocity=tuple(self.velocity[i] for i in slots),
            effort=tuple(self.effort[i] for i in slots),
        )
