"""How far a command must lie off the wanted position so that gravity pulls the arm onto it."""

import numpy as np

from flash_wam_ros.robots.g1_layout import ARM_KP, ARM_SDK
from flash_wam_ros.sim.experts.arms import ARM_NAMES, Arms

_STIFFNESS = ARM_KP[ARM_SDK.indices(ARM_NAMES)]
_LEARNING = 0.5
_MAX_RESIDUAL_RAD = 0.12


class Sag:
    """Estimates command minus position of arms at rest.

    Gravity over stiffness gives it at once; what is left (a held object, friction, a controller
    that compensates gravity itself) is learned from what was commanded and measured at rest.

    Args:
        arms: knows the arms' weight.
    """

    def __init__(self, arms: Arms) -> None:
        self._arms = arms
        self._residual = np.zeros(len(ARM_NAMES))

    def reset(self) -> None:
        """Forget what was learned."""
        self._residual[:] = 0.0

    def learn(self, q: np.ndarray, q_sent: np.ndarray, resting: np.ndarray) -> None:
        """Compare (14,) measured and sent positions of the joints that are ``resting``."""
        seen = q_sent - q - self._arms.weight(q) / _STIFFNESS
        step = _LEARNING * (seen - self._residual)
        self._residual[resting] += step[resting]
        np.clip(self._residual, -_MAX_RESIDUAL_RAD, _MAX_RESIDUAL_RAD, out=self._residual)

    def offsets(self, q: np.ndarray) -> np.ndarray:
        """Return (S, 14) offsets to add to (S, 14) wanted positions [rad]."""
        weights = np.array([self._arms.weight(row) for row in q])
        return weights / _STIFFNESS + self._residual
